import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { partsOf } from './schema-parts.ts';
import { namesType } from './text-values.ts';

/** Whether an object may fit a schema, as far as its types, its choices and what it refers to say. It was checked (`check-schema.ts`). */
export function allowsObjects(root: JsonObject): boolean {
  return allows(root, root);
}

function allows(schema: JsonValue, root: JsonObject): boolean {
  if (!isObject(schema)) return schema !== false;
  return [...partsOf(root, schema)].every((part) => {
    const { type, const: only, enum: choices, anyOf, oneOf } = part;
    if (type !== undefined && !namesType(part, 'object')) return false;
    if (only !== undefined && !isObject(only)) return false;
    if (Array.isArray(choices) && !choices.some((choice) => isObject(choice))) return false;
    const alternatives = [anyOf, oneOf].filter((list) => Array.isArray(list));
    return alternatives.every((list) => list.some((one) => allows(one, root)));
  });
}
