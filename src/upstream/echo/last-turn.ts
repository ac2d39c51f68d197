import type {
  Conversation,
  MediaSource,
  Message,
  Part,
  ToolResultPart,
} from '../../conversation/conversation.ts';

/** What there is to answer. */
export interface LastTurn {
  /** What the last user message says, media by name. */
  userText: string;
  /** What the tools answered since the model last spoke, and the user said to it; absent where none did. */
  toolAnswers?: string;
}

/** The last words of the user, and those of the tools where they have spoken since the model did. */
export function readLastTurn(conversation: Conversation): LastTurn {
  const { messages } = conversation;
  const lastOfUser = messages.findLast(({ role }) => role === 'user');
  const userText = lastOfUser ? describeParts(lastOfUser.parts) : '';
  const turn = messages.slice(messages.findLastIndex(({ role }) => role === 'assistant') + 1);
  const firstAnswer = turn.findIndex(({ role }) => role === 'tool');
  if (firstAnswer < 0) return { userText };
  const toolNames = namesOfCalls(messages);
  const answers = turn
    .slice(firstAnswer)
    .filter(({ role }) => role === 'tool' || role === 'user')
    .flatMap(({ parts }) => parts)
    .map((part) => (part.type === 'tool_result' ? describeResult(part, toolNames) : describePart(part)));
  return { userText, toolAnswers: answers.join('\n') };
}

function namesOfCalls(messages: readonly Message[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const part of messages.flatMap(({ parts }) => parts)) {
    if (part.type === 'tool_call') names.set(part.id, part.name);
  }
  return names;
}

function describeResult(result: ToolResultPart, toolNames: ReadonlyMap<string, string>): string {
  const name = result.name ?? toolNames.get(result.callId) ?? result.callId;
  return `${name} ${result.isError ? 'failed with' : 'answered'}: ${describeParts(result.parts)}`;
}

function describeParts(parts: readonly Part[]): string {
  return parts.map(describePart).join('\n');
}

function describePart(part: Part): string {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return part.text;
    case 'image':
    case 'audio':
      return `[${part.type} ${describeSource(part.source)}]`;
    case 'file':
      return `[file ${part.filename ?? describeSource(part.source)}]`;
    case 'tool_call':
      return `[tool_call ${part.name}]`;
    case 'tool_result':
      return describeParts(part.parts);
    case 'opaque':
      return `[${part.dialect} block]`;
    default:
      return part satisfies never;
  }
}

function describeSource(source: MediaSource): string {
  switch (source.kind) {
    case 'data':
    case 'text':
      return source.mediaType;
    case 'url':
      return source.mediaType ?? source.url;
    case 'fileId':
      return source.fileId;
    default:
      return source satisfies never;
  }
}
