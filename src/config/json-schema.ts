import { z } from 'zod';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { configSchema } from './schema.ts';

/** Text with a placeholder, which may stand wherever a value does. */
const PLACEHOLDER: JsonObject = { type: 'string', pattern: '\\$\\{' };

/** Keywords that say about a value what a placeholder would not keep to. */
const CONSTRAINTS = ['enum', 'const', 'pattern', 'minimum', 'maximum'];

/** The JSON Schema of the config file, for editors. Draft 7: what YAML language servers support best. */
export function configJsonSchema(): JsonObject {
  const schema = z.toJSONSchema(configSchema, { io: 'input', target: 'draft-7' });
  const { $schema, ...rest } = allowPlaceholders(schema as JsonObject);
  const title = 'Fairlead configuration';
  return { $schema, title, ...rest };
}

/** The text of `schema/fairlead.schema.json`. */
export function renderSchemaFile(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

/** Adds the placeholder as an alternative to every constrained scalar. Names (`propertyNames`) take none. */
function allowPlaceholders(schema: JsonObject): JsonObject {
  if (isConstrainedScalar(schema)) {
    const { description, default: fallback, ...constraints } = schema;
    return {
      ...(description !== undefined && { description }),
      ...(fallback !== undefined && { default: fallback }),
      anyOf: [constraints, PLACEHOLDER],
    };
  }
  return Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => [keyword, allowWithin(keyword, value)]),
  );
}

function allowWithin(keyword: string, value: JsonValue | undefined): JsonValue | undefined {
  if (keyword === 'properties' && isObject(value)) {
    return Object.fromEntries(
      Object.entries(value).map(([name, schema]) => [
        name,
        isObject(schema) ? allowPlaceholders(schema) : schema,
      ]),
    );
  }
  if ((keyword === 'items' || keyword === 'additionalProperties') && isObject(value))
    return allowPlaceholders(value);
  if (keyword === 'anyOf' && Array.isArray(value)) {
    return value.map((branch) => (isObject(branch) ? allowPlaceholders(branch) : branch));
  }
  return value;
}

function isConstrainedScalar({ type, ...keywords }: JsonObject): boolean {
  if (type === 'number' || type === 'integer' || type === 'boolean') return true;
  return type !== 'object' && type !== 'array' && CONSTRAINTS.some((keyword) => keyword in keywords);
}
