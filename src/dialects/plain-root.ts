import type { Conversation } from '../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { toolPath } from './caller-words.ts';

/** A schema without alternatives at its root, and the keywords that are told to the model in words instead. */
export interface PlainRoot {
  schema: JsonObject;
  told: string[];
}

/**
 * Takes alternatives away from the root, where an API takes none: the properties of all of them may be there, and what each
 * wants is said in the description. Gives the schema itself where there are none.
 *
 * @param refused the keywords that the API does not take there
 */
export function plainRoot(schema: JsonObject, refused: readonly string[]): PlainRoot {
  const told = refused.filter((keyword) => schema[keyword] !== undefined);
  if (told.length === 0) return { schema, told };
  const rest = Object.fromEntries(Object.entries(schema).filter(([key]) => !told.includes(key)));
  const branches = told.flatMap((keyword) => (keyword === 'not' ? [] : schemasIn(schema[keyword])));
  const properties = Object.assign({}, ...branches.map(propertiesOf), propertiesOf(schema));
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

/** What a keyword demands whichever of its schemas is kept to. */
function demandedBy(keyword: string, schema: JsonObject): JsonValue[] {
  const [first = [], ...others] = (keyword === 'not' ? [] : schemasIn(schema[keyword])).map(requiredOf);
  if (keyword === 'allOf') return [first, ...others].flat();
  return first.filter((name) => others.every((required) => required.includes(name)));
}

function schemasIn(value: JsonValue | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
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
