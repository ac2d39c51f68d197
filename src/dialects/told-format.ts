import type { JsonObject } from '../conversation/json.ts';

/*
 * What a model is told of the form of its answer, where its API has no field for it. No form of those APIs means "any
 * JSON object", and a forced tool without a schema tempts models to answer `{}`.
 */
export const JSON_INSTRUCTION =
  'Answer with one JSON object and nothing else: no words before or after it, no code fence.';

/** The same for a schema; nothing enforces it. */
export function demandSchema(schema: JsonObject): string {
  return `Answer with one JSON value and nothing else: no words before or after it, no code fence. It must be valid against this JSON Schema: ${JSON.stringify(schema)}`;
}
