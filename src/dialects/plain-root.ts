import type { Conversation } from '../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { toolPath } from './caller-words.ts';

/** A schema without alternatives at its root, and the keywords that are told to the model in words instead. */
export interface PlainRoot {
  schema: JsonObject;
  told: string[];
}

/** What holds schemas, of those keywords: the others hold values, or what must not be. */
const BRANCHES: ReadonlySet<string> = new Set(['oneOf', 'anyOf', 'allOf']);

/**
 * Takes alternatives away from the root, where an API takes none: the properties of all of them may be there, each as one of them has
 * it, and what each wants is said in the description. Gives the schema itself where there are none.
 *
 * @param refused the keywords that the API does not take there
 */
export function plainRoot(schema: JsonObject, refused: readonly string[]): PlainRoot {
  const told = refused.filter((keyword) => schema[keyword] !== undefined);
  if (told.length === 0) return { schema, told };
  const rest = Object.fromEntries(Object.entries(schema).filter(([key]) => !told.includes(key)));
  const properties = { ...propertiesOfBranches(schema, told), ...propertiesOf(schema) };
  const required = [
    ...new Set([...requiredOf(schema), ...told.flatMap((keyword) => demandedBy(keyword, schema))]),
  ];
  const hints = told.map((keyword) => `${keyword}: ${JSON.stringify(schema[keyword])}`).join(', ');
  const said = typeof rest['description'] === 'string' ? `${rest['description']} ` : '';
  return {
    schema: {
      ...rest,
      type: 'object',
      properties,
      ...(required.length > 0 ? { required } : {}),
      description: `${said}(${hints})`,
    },
    told,
  };
}

/** By their names, what the schemas under all of these keywords say together. */
function propertiesOfBranches(schema: JsonObject, keywords: readonly string[]): JsonObject {
  const parts = new Map<string, JsonValue[]>();
  for (const keyword of keywords) {
    for (const [name, said] of gatherProperties(branchesOf(keyword, schema))) {
      const together = keyword === 'allOf' ? said : [oneOrAll('anyOf', said)];
      parts.set(name, [...(parts.get(name) ?? []), ...together]);
    }
  }
  return Object.fromEntries([...parts].map(([name, said]) => [name, oneOrAll('allOf', said)]));
}

/** Of each property all that is said of it, each thing once. */
function gatherProperties(branches: readonly JsonObject[]): Map<string, JsonValue[]> {
  const byText = new Map<string, Map<string, JsonValue>>();
  for (const branch of branches) {
    for (const [name, said] of Object.entries(propertiesOf(branch))) {
      if (said === undefined) continue;
      const known = byText.get(name) ?? new Map<string, JsonValue>();
      byText.set(name, known.set(JSON.stringify(said), said));
    }
  }
  return new Map([...byText].map(([name, said]) => [name, [...said.values()]]));
}

function oneOrAll(keyword: 'anyOf' | 'allOf', schemas: readonly JsonValue[]): JsonValue {
  const [first = {}] = schemas;
  return schemas.length === 1 ? first : { [keyword]: [...schemas] };
}

/** What a keyword demands whichever of its schemas is kept to. */
function demandedBy(keyword: string, schema: JsonObject): JsonValue[] {
  const [first = [], ...others] = branchesOf(keyword, schema).map(requiredOf);
  if (keyword === 'allOf') return [first, ...others].flat();
  const demands = others.map((required) => new Set(required));
  return first.filter((name) => demands.every((required) => required.has(name)));
}

function branchesOf(keyword: string, { [keyword]: value }: JsonObject): JsonObject[] {
  return BRANCHES.has(keyword) && Array.isArray(value) ? value.filter(isObject) : [];
}

export function propertiesOf({ properties }: JsonObject): JsonObject {
  return isObject(properties) ? properties : {};
}

export function requiredOf({ required }: JsonObject): JsonValue[] {
  return Array.isArray(required) ? required : [];
}

/** The same of a tool's schema; what is only told is named to the caller. */
export function withPlainRoot(
  conversation: Conversation,
  index: number,
  schema: JsonObject,
  refused: readonly string[],
  drop: (name: string) => void,
): JsonObject {
  const plain = plainRoot(schema, refused);
  for (const keyword of plain.told) drop(`${toolPath(conversation, index, 'schema')}.${keyword}`);
  return plain.schema;
}
