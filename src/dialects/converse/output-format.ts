import type { JsonObject } from '../../conversation/json.ts';
import { callerWord } from '../caller-words.ts';
import { planOutput as planMessagesOutput } from '../messages/output-format.ts';
import { demandSchema } from '../told-format.ts';
import type { EncodeContext } from './encode-context.ts';

/** How the answer is brought into the form that the caller wants. At most one of the three is set. */
export interface OutputPlan {
  /** `outputConfig.textFormat`. */
  textFormat?: JsonObject;
  /** The tool whose input is the answer, as `messages` writes it. */
  tool?: JsonObject;
  /** A sentence of the system prompt. */
  instruction?: string;
}

/**
 * Structured outputs where the model has them, else a forced tool, as in `messages`; where it takes neither, the
 * schema is told to the model and named as dropped.
 *
 * Source: Bedrock user guide, "Get validated JSON results from models".
 */
export function planOutput(context: EncodeContext): OutputPlan {
  const { conversation, messages, dropped } = context;
  const format = conversation.responseFormat;
  const { structuredOutputs, forcedToolUse } = messages.traits;
  if (format?.type === 'json_schema' && !structuredOutputs && !forcedToolUse) {
    dropped.add(callerWord(conversation, 'responseFormat'));
    return { instruction: demandSchema(format.schema) };
  }
  const { format: structured, tool, instruction } = planMessagesOutput(messages, ({ schema }) => schema);
  if (tool) return { tool };
  if (instruction !== undefined) return { instruction };
  if (!structured || format?.type !== 'json_schema') return {};
  const jsonSchema = {
    ...(format.name === '' ? {} : { name: format.name }),
    // A string with JSON in it, unlike everywhere else in the API.
    schema: JSON.stringify(structured['schema']),
    ...(format.description ? { description: format.description } : {}),
  };
  return { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
}
