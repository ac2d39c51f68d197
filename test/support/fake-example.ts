import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';

const SCALARS: Record<string, JsonValue> = {
  string: 'text',
  integer: 1,
  number: 1.5,
  boolean: true,
  null: null,
};

/** Deeper than this, optional properties and array items are left out: schemas may be recursive. */
const MAX_DEPTH = 6;

/**
 * The fake model's structured output: one instance of a JSON schema, the same every time.
 *
 * It looks at structure, `enum` and `const` only. Limits (`minLength`, `pattern`, `minimum`, …) are ignored on
 * purpose: targets that do not know them get schemas without them, and the instance must not depend on the target.
 * Types are read in any case, because Gemini's `Type` is upper case.
 */
export function exampleOf(schema: JsonObject, root: JsonObject = schema, depth = 0): JsonValue {
  if (typeof schema['$ref'] === 'string') return exampleOf(resolveRef(schema['$ref'], root), root, depth + 1);
  if (schema['const'] !== undefined) return schema['const'];
  const enumeration = schema['enum'];
  if (Array.isArray(enumeration) && enumeration[0] !== undefined) return enumeration[0];
  const branch = firstBranch(schema);
  if (branch) return exampleOf(branch, root, depth);
  const type = typeOf(schema);
  if (type === 'object') return exampleObject(schema, root, depth);
  if (type === 'array') return exampleArray(schema, root, depth);
  return SCALARS[type] ?? null;
}

function exampleObject(schema: JsonObject, root: JsonObject, depth: number): JsonObject {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const entries: [string, JsonValue][] = [];
  for (const [name, property] of Object.entries(properties)) {
    if (!isObject(property) || (depth >= MAX_DEPTH && !required.includes(name))) continue;
    entries.push([name, exampleOf(property, root, depth + 1)]);
  }
  return Object.fromEntries(entries);
}

function exampleArray(schema: JsonObject, root: JsonObject, depth: number): JsonValue[] {
  const prefix = schema['prefixItems'];
  if (Array.isArray(prefix)) return prefix.filter(isObject).map((item) => exampleOf(item, root, depth + 1));
  const items = schema['items'];
  return isObject(items) && depth < MAX_DEPTH ? [exampleOf(items, root, depth + 1)] : [];
}

function firstBranch(schema: JsonObject): JsonObject | undefined {
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    const branches = schema[keyword];
    if (Array.isArray(branches)) return branches.find(isObject);
  }
  return undefined;
}

function typeOf(schema: JsonObject): string {
  const type = Array.isArray(schema['type'])
    ? schema['type'].find((option) => option !== 'null')
    : schema['type'];
  if (typeof type === 'string') return type.toLowerCase();
  return isObject(schema['properties']) ? 'object' : 'null';
}

function resolveRef(ref: string, root: JsonObject): JsonObject {
  let at: JsonValue | undefined = root;
  for (const step of ref.replace(/^#\/?/, '').split('/')) {
    if (step === '') continue;
    at = isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined;
  }
  if (!isObject(at)) throw new Error(`the schema has no ${ref}`);
  return at;
}
