import type { Choice, FinishReason } from '../conversation/completion.ts';
import type { Conversation, Tool, ToolCallPart } from '../conversation/conversation.ts';
import { isCutOff } from '../dialects/finish-with-calls.ts';
import { isUnfinishedCall } from '../dialects/unfinished-calls.ts';
import type { Structure } from '../schemas/check-structure.ts';

/** What of an answer is to be judged by schemas, and what is known to be wrong without one. */
export interface Structures {
  outputs: Structure[];
  toolCalls: Structure[];
  /** A tool was called that the call does not have, or one in a form that nobody could read. */
  hasBadToolCall: boolean;
}

/** Those that are whole. What was cut off, refused or stopped has gates of its own. */
const WHOLE: ReadonlySet<FinishReason> = new Set(['stop', 'stop_sequence']);

/** What the call wants of its answer in JSON, and the calls of its functions. Custom tools take free text, and what the provider runs itself is its own matter. */
export function structuresOf(
  { responseFormat, tools }: Pick<Conversation, 'responseFormat' | 'tools'>,
  choices: readonly Choice[],
): Structures {
  const structures: Structures = { outputs: [], toolCalls: [], hasBadToolCall: false };
  for (const choice of choices) {
    if (responseFormat && responseFormat.type !== 'text' && saysOutput(choice)) {
      const schema =
        responseFormat.type === 'json_schema' ? JSON.stringify(responseFormat.schema) : undefined;
      structures.outputs.push({ text: textOf(choice), schema, isObject: false });
    }
    addToolCalls(structures, tools, choice);
  }
  return structures;
}

/** Whether a choice is the output that was asked for: where it calls a tool, or refuses, it is to be none. */
function saysOutput({ finish, parts }: Choice): boolean {
  return WHOLE.has(finish) && !parts.some(({ type }) => type === 'tool_call' || type === 'refusal');
}

/** As clients put it together. */
function textOf({ parts }: Choice): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function addToolCalls(structures: Structures, tools: readonly Tool[], { finish, parts }: Choice): void {
  if (finish === 'malformed_tool_call') structures.hasBadToolCall = true;
  const calls = parts.filter(
    (part) => part.type === 'tool_call' && part.kind === 'function',
  ) as ToolCallPart[];
  for (const [index, call] of calls.entries()) {
    if (isCutOff(finish) && isUnfinishedCall(call, index === calls.length - 1)) continue;
    const tool = tools.find((one) => one.type !== 'opaque' && one.name === call.name);
    if (tool?.type === 'function') {
      const schema = tool.schema && JSON.stringify(tool.schema);
      // No text is no arguments.
      structures.toolCalls.push({ text: call.arguments.trim() || '{}', schema, isObject: true });
    } else if (!tool && tools.every(({ type }) => type !== 'opaque')) {
      // Tools of the provider's own are called by names that only it knows (`bash`, `click_at`).
      structures.hasBadToolCall = true;
    }
  }
}
