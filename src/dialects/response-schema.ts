import type { ResponseFormat } from '../conversation/conversation.ts';
import type { JsonObject } from '../conversation/json.ts';

/**
 * The schema of a format with what the format itself says of the answer: most dialects have no place for that but the
 * schema's own description.
 */
export function describedSchema({
  schema,
  description,
}: Pick<ResponseFormat & { type: 'json_schema' }, 'schema' | 'description'>): JsonObject {
  if (description === undefined) return schema;
  const own = schema['description'];
  if (typeof own !== 'string') return { description, ...schema };
  return { ...schema, description: `${description}\n\n${own}` };
}
