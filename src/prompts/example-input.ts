import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** Schemas may refer to themselves. */
const MOST_LEVELS = 8;

/** An input as a schema has it, to be tried and changed: what it needs, with its own examples and defaults where it has some. */
export function exampleInput(schema: JsonObject | undefined, defaults: JsonObject): JsonObject {
  const example = exampleOf(schema, 0);
  return { ...(isObject(example) ? example : {}), ...defaults };
}

function exampleOf(schema: JsonValue | undefined, level: number): JsonValue {
  if (!isObject(schema) || level > MOST_LEVELS) return null;
  const { examples, enum: values, anyOf, oneOf } = schema;
  const said = schema['const'] ?? schema['default'] ?? first(examples) ?? first(values);
  if (said !== undefined) return said;
  const one = first(anyOf) ?? first(oneOf);
  if (one !== undefined) return exampleOf(one, level + 1);
  const type = Array.isArray(schema['type'])
    ? schema['type'].find((each) => each !== 'null')
    : schema['type'];
  switch (type) {
    case 'string':
      return FORMATS[String(schema['format'])] ?? textOf(schema);
    case 'integer':
    case 'number':
      return Number(schema['minimum'] ?? 1);
    case 'boolean':
      return true;
    case 'array':
      return [exampleOf(schema['items'], level + 1)];
    case 'object':
      return exampleObject(schema, level);
    default:
      return null;
  }
}

function exampleObject({ properties, required }: JsonObject, level: number): JsonObject {
  const needed = Array.isArray(required) ? required : [];
  const fields: [string, JsonValue][] = [];
  for (const [name, property] of Object.entries(isObject(properties) ? properties : {})) {
    const hasDefault = isObject(property) && property['default'] !== undefined;
    if (needed.includes(name) || hasDefault) fields.push([name, exampleOf(property, level + 1)]);
  }
  return Object.fromEntries(fields);
}

const FORMATS: Readonly<Record<string, string>> = {
  uri: 'https://example.com/',
  email: 'ada@example.com',
  date: '2026-01-31',
  'date-time': '2026-01-31T12:00:00Z',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/** What a text is said to be is what somebody is to write there. */
function textOf({ description, maxLength }: JsonObject): string {
  const text = typeof description === 'string' && description !== '' ? description : 'text';
  return typeof maxLength === 'number' ? text.slice(0, maxLength) : text;
}

function first(list: JsonValue | undefined): JsonValue | undefined {
  return Array.isArray(list) ? list[0] : undefined;
}
