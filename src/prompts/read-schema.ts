import { picoschema } from 'dotprompt';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { findSchemaFault, type SchemaFault } from './check-schema.ts';
import { PromptFileError } from './problem.ts';
import type { PromptFile } from './prompt-file.ts';

/** Schemas that a front matter may name. */
export type NamedSchemas = Readonly<Record<string, JsonObject>>;

/** Of Picoschema. */
const SCALARS: ReadonlySet<string> = new Set(['any', 'boolean', 'integer', 'null', 'number', 'string']);

/**
 * A schema of a file, Picoschema or JSON Schema, as JSON Schema that can be used wherever it goes: to check values, to tell providers and
 * clients of it. `undefined` where nothing is said.
 *
 * @param path the fields of the front matter that lead there
 * @throws PromptFileError
 */
export async function readSchema(
  file: Pick<PromptFile, 'lineOf'>,
  path: readonly (string | number)[],
  said: unknown,
  schemas: NamedSchemas = {},
): Promise<JsonObject | undefined> {
  if (said === undefined || said === null) return undefined;
  const fail = ({ path: inner, message }: SchemaFault) =>
    new PromptFileError(message, file.lineOf([...path, ...inner]));
  if (typeof said !== 'string' && !isObject(said))
    throw fail({ path: [], message: `'${path.join('.')}' must be a schema` });
  const own = isPicoschema(said) ? findPicoFault(said as JsonValue, [], schemas) : undefined;
  if (own) throw fail(own);
  const schema = await convert(said, schemas);
  const fault = findSchemaFault(schema);
  if (fault) throw fail(fault);
  return schema;
}

/** As JSON is written: dotprompt sets fields to `undefined`, and YAML has dates. */
async function convert(said: unknown, schemas: NamedSchemas): Promise<JsonObject> {
  const schema: unknown = await picoschema(said, { schemaResolver: (name) => schemas[name] ?? null });
  const isLeftOut = (keyword: string, value: JsonValue | undefined) =>
    // Its address is of no use where it refers to nothing but itself; no JSON Schema has what dotprompt makes of the text 'any' alone.
    keyword === '$id' || (keyword === 'type' && value === 'any' && typeof said === 'string');
  const fields = Object.entries(JSON.parse(JSON.stringify(schema)) as JsonObject);
  return Object.fromEntries(fields.filter(([keyword, value]) => !isLeftOut(keyword, value)));
}

/** As dotprompt tells it from JSON Schema (`PicoschemaParser.parse`). */
function isPicoschema(said: string | JsonObject): boolean {
  if (typeof said === 'string') return true;
  const { type, properties } = said;
  const isTyped = typeof type === 'string' && (SCALARS.has(type) || type === 'object' || type === 'array');
  return !isTyped && !(typeof properties === 'object' && properties !== null);
}

/** Source: google.github.io/dotprompt, "Picoschema". What dotprompt takes beside it is a schema that nobody has meant. */
function findPicoFault(said: JsonValue, path: string[], schemas: NamedSchemas): SchemaFault | undefined {
  if (typeof said === 'string') {
    const [type = ''] = said.split(',', 1);
    const isKnown = SCALARS.has(type) || Object.hasOwn(schemas, type);
    return isKnown
      ? undefined
      : { path, message: `there is no type '${type}', but ${[...SCALARS].join(', ')}` };
  }
  if (!isObject(said)) {
    const [name = ''] = path.slice(-1);
    const advice = Array.isArray(said) ? `: a list of values is '${name}(enum)'` : '';
    return { path, message: `'${name}' says no type${advice}` };
  }
  for (const [key, value = null] of Object.entries(said)) {
    const fault = findFieldFault(key, value, [...path, key], schemas);
    if (fault) return fault;
  }
  return undefined;
}

const FIELD = /^([^(]*)(?:\(([^,)]*)(?:,[\s\S]*)?\))?$/;

function findFieldFault(
  key: string,
  value: JsonValue,
  path: string[],
  schemas: NamedSchemas,
): SchemaFault | undefined {
  if (key === '(*)') return findPicoFault(value, path, schemas);
  const [, name, kind] = FIELD.exec(key) ?? [];
  if (name === undefined) return { path, message: `'${key}' is no name of a field` };
  if (/^__proto__\??$/.test(name)) return { path, message: "nothing can be called '__proto__'" };
  if (kind === undefined || kind === 'array' || kind === 'object') return findPicoFault(value, path, schemas);
  if (kind !== 'enum')
    return {
      path,
      message: `'${kind}' is none of 'array', 'object' and 'enum', which may stand in parentheses`,
    };
  return Array.isArray(value) ? undefined : { path, message: `'${name}' is one of a list of values` };
}
