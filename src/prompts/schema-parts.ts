import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** What a schema refers to within the one that it stands in, `#/$defs/NAME`; `undefined` where nothing is there. Source: RFC 6901. */
export function resolveReference(root: JsonValue, reference: string): JsonValue | undefined {
  let at: JsonValue | undefined = root;
  for (const step of reference.split('/').slice(1)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(at)) at = at[Number(name)];
    else at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  return at;
}

/** A schema and all others that whatever fits it has to fit as well. They were checked: none comes back to itself (`check-schema.ts`). */
export function partsOf(root: JsonValue, schema: JsonObject): ReadonlySet<JsonObject> {
  const parts = new Set([schema]);
  for (const { $ref: reference, allOf } of parts) {
    const target = typeof reference === 'string' ? resolveReference(root, reference) : undefined;
    for (const part of [target, ...(Array.isArray(allOf) ? allOf : [])]) if (isObject(part)) parts.add(part);
  }
  return parts;
}
