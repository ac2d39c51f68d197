import type { Choice } from '../../conversation/completion.ts';
import type { Conversation, Part, Tool } from '../../conversation/conversation.ts';
import { NO_USAGE, type Usage } from '../../conversation/usage.ts';
import { countWords } from './words.ts';

/** Words in and out. An image, an audio clip, a file, a tool's schema: each counts as one. */
export function countUsage(conversation: Conversation, choices: readonly Choice[]): Usage {
  const usage: Usage = { ...NO_USAGE };
  for (const tool of conversation.tools) usage.input += countTool(tool);
  for (const { parts } of conversation.messages) {
    for (const part of parts) usage[part.type === 'audio' ? 'inputAudio' : 'input'] += countPart(part);
  }
  for (const { parts } of choices) {
    for (const part of parts) usage[part.type === 'reasoning' ? 'reasoning' : 'output'] += countPart(part);
  }
  return usage;
}

function countPart(part: Part): number {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return countWords(part.text);
    case 'tool_call':
      return countWords(part.arguments);
    case 'tool_result':
      return part.parts.reduce((sum, inner) => sum + countPart(inner), 0);
    case 'image':
    case 'audio':
    case 'file':
    case 'opaque':
      return 1;
    default:
      return part satisfies never;
  }
}

function countTool(tool: Tool): number {
  return tool.type === 'opaque' ? 1 : 1 + countWords(tool.description ?? '');
}
