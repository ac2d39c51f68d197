import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { partsOf } from './schema-parts.ts';
import { isWritten } from './written-number.ts';

/** A value with what its schema says of fields that it does not have. What is `null` is there. */
export function withDefaults(schema: JsonObject | undefined, value: JsonValue): JsonValue {
  return fill(schema, value, schema);
}

/** `root`: what the schema is a part of, and may refer to parts of; absent within a default, which may stand in what it is one of. */
function fill(schema: JsonValue | undefined, value: JsonValue, root: JsonValue | undefined): JsonValue {
  if (!isObject(schema) || typeof value !== 'object' || value === null || isWritten(value)) return value;
  const { $ref: reference, allOf } = schema;
  if (root === undefined || (reference === undefined && allOf === undefined))
    return fillPart(schema, value, root);
  let filled = value;
  for (const part of partsOf(root, schema)) filled = fillPart(part, filled, root);
  return filled;
}

function fillPart(
  { items, properties }: JsonObject,
  value: JsonValue[] | JsonObject,
  root: JsonValue | undefined,
): JsonValue[] | JsonObject {
  if (Array.isArray(value)) return value.map((item) => fill(items, item, root));
  if (!isObject(properties)) return value;
  const filled: JsonObject = { ...value };
  for (const [name, property] of Object.entries(properties)) {
    // A field may be called 'toString'.
    const own = Object.hasOwn(filled, name) ? filled[name] : undefined;
    const said = isObject(property) ? property['default'] : undefined;
    if (own !== undefined) filled[name] = fill(property, own, root);
    else if (said !== undefined) filled[name] = fill(property, said, undefined);
  }
  return filled;
}
