import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { listOf } from './proto.ts';

/** Inlined definitions can grow without bound even when none contains itself: from here on they are left open. */
const MAX_NODES = 5000;
const MAX_OPEN_REFERENCES = 32;
/** Deeper than a schema without references can be in a request (`MAX_JSON_DEPTH`, two levels for each of a schema's). */
const MAX_DEPTH = 128;

/** Where in a JSON Schema a conversion is, and what it has cost. */
export interface SchemaScope {
  root: JsonObject;
  /** Definitions that are being inlined: meeting one again is a recursion. */
  open: ReadonlySet<string>;
  depth: number;
  /** One for all of a conversion. */
  budget: { nodes: number };
}

export interface ScopedSchema {
  schema: JsonObject;
  scope: SchemaScope;
}

export function schemaScope(root: JsonObject): SchemaScope {
  return { root, open: new Set(), depth: 0, budget: { nodes: MAX_NODES } };
}

/** One level further down; `undefined` where that is too deep, or there was too much already. */
export function descend(scope: SchemaScope): SchemaScope | undefined {
  scope.budget.nodes -= 1;
  if (scope.budget.nodes < 0 || scope.depth >= MAX_DEPTH) return undefined;
  return { ...scope, depth: scope.depth + 1 };
}

/** What a schema's `$ref` (a JSON pointer in the root, `#/$defs/Name`) leads to, with what stands beside it laid over it. */
export function follow({ $ref, ...siblings }: JsonObject, scope: SchemaScope): ScopedSchema | undefined {
  const reference = String($ref);
  const { root, open } = scope;
  if (open.has(reference) || open.size >= MAX_OPEN_REFERENCES) return undefined;
  const target = resolve(root, reference);
  if (!target) return undefined;
  return {
    schema: { ...target, ...siblings },
    scope: { ...scope, open: new Set([...open, reference]) },
  };
}

function resolve(root: JsonObject, reference: string): JsonObject | undefined {
  if (!reference.startsWith('#')) return undefined;
  let at: JsonValue | undefined = root;
  for (const step of reference.slice(1).split('/').filter(Boolean)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~');
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  }
  return isObject(at) ? at : undefined;
}

export interface MergedSchema extends ScopedSchema {
  /** Properties that are from a definition of their own. */
  scopes: ReadonlyMap<string, SchemaScope>;
}

/** A schema and all that its `allOf` demands, as one. A member that cannot be followed says that it is an object. */
export function mergeAllOf(value: JsonObject, scope: SchemaScope): MergedSchema {
  const { allOf, ...own } = value;
  if (!Array.isArray(allOf)) return { schema: value, scope, scopes: new Map() };
  const scopes = new Map(Object.keys(propertiesOf(own)).map((name) => [name, scope]));
  const open = new Set(scope.open);
  let sum = own;
  for (const member of allOf) {
    if (!isObject(member)) continue;
    const part = takeMember(member, scope);
    sum = part ? mergeTwo(sum, part.schema) : { type: 'object', ...sum };
    if (!part) continue;
    for (const reference of part.scope.open) open.add(reference);
    for (const name of Object.keys(propertiesOf(part.schema))) {
      if (!scopes.has(name)) scopes.set(name, part.scopes.get(name) ?? part.scope);
    }
  }
  return { schema: sum, scope: { ...scope, open }, scopes };
}

function takeMember(member: JsonObject, scope: SchemaScope): MergedSchema | undefined {
  const below = descend(scope);
  let at: ScopedSchema | undefined = below && { schema: member, scope: below };
  while (at && typeof at.schema['$ref'] === 'string') at = follow(at.schema, at.scope);
  return at && mergeAllOf(at.schema, at.scope);
}

/** What the first says counts; properties and demands of both add up. */
function mergeTwo(first: JsonObject, second: JsonObject): JsonObject {
  const properties = { ...propertiesOf(second), ...propertiesOf(first) };
  const required = [...listOf(second['required']), ...listOf(first['required'])];
  return {
    ...second,
    ...first,
    ...(Object.keys(properties).length > 0 ? { properties } : {}),
    ...(required.length > 0 ? { required } : {}),
  };
}

export function propertiesOf({ properties }: JsonObject): JsonObject {
  return isObject(properties) ? properties : {};
}
