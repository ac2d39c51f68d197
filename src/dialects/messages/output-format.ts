import { invalidRequest } from '../../conversation/gateway-error.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, changedTo, hasOpenApiSchema } from '../caller-words.ts';
import { JSON_OUTPUT_TOOL } from '../reserved-tools.ts';
import { describedSchema } from '../response-schema.ts';
import { JSON_INSTRUCTION } from '../told-format.ts';
import type { EncodeContext } from './encode-context.ts';
import { ownFields } from './fields.ts';
import { constrainSchema, fitsStructuredOutputs, isObjectSchema, leavesOpen } from './json-schema.ts';

/** How the answer is brought into the form that the caller wants. At most one of the three is set. */
export interface OutputPlan {
  /** `output_config.format`. */
  format?: JsonObject;
  /** The tool whose input is the answer. */
  tool?: JsonObject;
  /** A sentence of the system prompt. */
  instruction?: string;
}

/**
 * Structured outputs where the model has them and the schema can be said in them, else a forced tool. Where
 * neither can be, the schema is sent as far as it goes and named as dropped.
 *
 * @param schemaOf the schema to send for a format; other than here, some APIs have a place for a format's description
 */
export function planOutput(context: EncodeContext, schemaOf = describedSchema): OutputPlan {
  const { conversation, traits, dropped, isNative } = context;
  const format = conversation.responseFormat;
  if (!format || format.type === 'text') return {};
  if (format.type === 'json_object') return { instruction: JSON_INSTRUCTION };

  const { schema, description } = format;
  if (traits.structuredOutputs && isNative) {
    return { format: { type: 'json_schema', schema, ...ownFields(format.extra) } };
  }
  if (traits.structuredOutputs && fitsStructuredOutputs(schema)) {
    // A strict schema is closed by what `strict` means, Gemini's own form has no word for it; any other lets unnamed properties pass.
    if (format.strict !== true && leavesOpen(schema) && !hasOpenApiSchema(conversation)) {
      dropped.add(changedTo(callerWord(conversation, 'additionalProperties'), false));
    }
    return structured(schemaOf(format));
  }
  if (traits.forcedToolUse && isObjectSchema(schema)) {
    const tool = {
      name: JSON_OUTPUT_TOOL,
      description: `Gives the answer.${description === undefined ? '' : ` ${description}`}`,
      input_schema: schema['type'] === undefined ? { ...schema, type: 'object' } : schema,
    };
    return { tool };
  }
  const word = callerWord(conversation, 'responseFormat');
  if (!traits.structuredOutputs) {
    throw invalidRequest(`The schema in '${word}' must be that of an object.`, word);
  }
  dropped.add(word);
  return structured(schemaOf(format));
}

function structured(schema: JsonObject): OutputPlan {
  return { format: { type: 'json_schema', schema: constrainSchema(schema) } };
}
