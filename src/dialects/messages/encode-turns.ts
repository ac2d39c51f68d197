import {
  encodeAssistantPart,
  encodeSystemPart,
  encodeToolCall,
  encodeToolResult,
  encodeUserPart,
} from './encode-blocks.ts';
import type { EncodeContext } from './encode-context.ts';
import { ownFields } from './fields.ts';
import { ToolCallIds } from './tool-call-ids.ts';
import { TurnList } from './turn-list.ts';

/** The messages of a conversation in the form of the API. */
export function encodeTurns(context: EncodeContext): TurnList {
  return new TurnList(
    context,
    {
      system: (part, path) => encodeSystemPart(context, part, path),
      user: (part, path) => encodeUserPart(context, part, path),
      assistant: (part, path) => encodeAssistantPart(context, part, path),
      call: (part, wireId) => [encodeToolCall(part, wireId)],
      result: (part, wireId, path) => [encodeToolResult(context, part, wireId, path)],
      text: (text) => ({ type: 'text', text }),
      isText: ({ type, text }) => type === 'text' && typeof text === 'string',
      isCall: ({ type }) => type === 'tool_use',
      isReasoning: ({ type }) => type === 'thinking' || type === 'redacted_thinking',
      saysNothing: () => false,
      fields: ({ extra }) => ownFields(extra),
    },
    new ToolCallIds(context),
  );
}
