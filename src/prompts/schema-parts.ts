import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** Keywords whose value is a schema, a list of schemas, a mapping of schemas. Source: the vocabularies of JSON Schema 2020-12. */
export const SCHEMAS: ReadonlySet<string> = new Set([
  ...[
    'items',
    'additionalProperties',
    'unevaluatedItems',
    'unevaluatedProperties',
    'propertyNames',
    'contains',
  ],
  ...['not', 'if', 'then', 'else'],
]);
export const LISTS: ReadonlySet<string> = new Set(['prefixItems', 'allOf', 'anyOf', 'oneOf']);
export const MAPS: ReadonlySet<string> = new Set([
  ...['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'],
]);

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

/** The address of a part of the schema, as `#/$defs/NAME` writes it. Source: RFC 6901. */
export function addressOf(path: readonly string[]): string {
  return path.map((step) => `/${step.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** The address that a reference names; `undefined` where it names something outside of the schema. */
export function targetOf(reference: string): string | undefined {
  if (!/^#(?:\/|$)/.test(reference)) return undefined;
  try {
    return decodeURIComponent(reference.slice(1));
  } catch {
    return undefined;
  }
}
