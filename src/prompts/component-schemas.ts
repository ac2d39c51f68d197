import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { addressOf, LISTS, MAPS, SCHEMAS, targetOf } from './schema-parts.ts';
import { namesType, propertiesOf } from './text-values.ts';

/**
 * A schema as the components of an OpenAPI document, for generators of clients: what it defines for its own use is a component of its own,
 * `NAME.DEFINITION`, for as `$defs` it is a field of the value to some. A default is told in words, for what has one is there always to
 * others; an object of which nothing is said may have any field.
 *
 * @param name of the component that the schema itself is
 * @param fillsDefaults what has a default may be left out
 */
export function componentSchemas(
  schema: JsonObject,
  name: string,
  fillsDefaults: boolean,
): Record<string, JsonObject> {
  return new Components(schema, name, fillsDefaults).made;
}

const DEFINITIONS: ReadonlySet<string> = new Set(['$defs', 'definitions']);
/** What is not said, or is said in another way. */
const LEFT_OUT: ReadonlySet<string> = new Set([...DEFINITIONS, '$schema', 'default']);
/** What says which fields an object has. */
const OF_FIELDS: readonly string[] = [
  ...['additionalProperties', 'patternProperties', 'unevaluatedProperties'],
  ...['$ref', 'allOf', 'anyOf', 'oneOf'],
];

class Components {
  readonly made: Record<string, JsonObject> = {};
  readonly #name: string;
  readonly #fillsDefaults: boolean;
  /** By their addresses within the schema. */
  readonly #definitions = new Map<string, { component: string; schema: JsonValue }>();

  constructor(schema: JsonObject, name: string, fillsDefaults: boolean) {
    this.#name = name;
    this.#fillsDefaults = fillsDefaults;
    this.#collect(schema, []);
    this.made[name] = this.#write(schema);
    for (const { component, schema } of this.#definitions.values())
      this.made[component] = this.#write(asObject(schema));
  }

  #collect(schema: JsonValue | undefined, path: readonly string[]): void {
    if (!isObject(schema)) return;
    for (const [keyword, value] of Object.entries(schema)) {
      if (SCHEMAS.has(keyword)) this.#collect(value, [...path, keyword]);
      if (!LISTS.has(keyword) && !MAPS.has(keyword)) continue;
      for (const [step, part] of Object.entries(value ?? {})) {
        const inner = [...path, keyword, step];
        if (DEFINITIONS.has(keyword)) this.#define(step, inner, part);
        this.#collect(part, inner);
      }
    }
  }

  #define(name: string, path: readonly string[], schema: JsonValue): void {
    const plain = `${this.#name}.${name.replace(/\W/g, '_')}`;
    const taken = new Set([...this.#definitions.values()].map(({ component }) => component));
    let component = plain;
    for (let number = 2; taken.has(component); number++) component = `${plain}_${number}`;
    this.#definitions.set(addressOf(path), { component, schema });
  }

  #write(schema: JsonObject): JsonObject {
    const written: JsonObject = {};
    for (const [keyword, value = null] of Object.entries(schema))
      if (!LEFT_OUT.has(keyword)) written[keyword] = this.#writeKeyword(keyword, value, schema);
    const { default: said } = schema;
    if (said !== undefined) {
      const words = `default: ${JSON.stringify(said)}`;
      const { description } = written;
      written['description'] = typeof description === 'string' ? `${description} (${words})` : words;
    }
    if (isOpen(schema)) written['additionalProperties'] = true;
    return written;
  }

  #writeKeyword(keyword: string, value: JsonValue, schema: JsonObject): JsonValue {
    if (keyword === '$ref' && typeof value === 'string') return this.#refer(value);
    if (keyword === 'required' && Array.isArray(value)) return this.#writeRequired(value, schema);
    if (SCHEMAS.has(keyword)) return this.#writePart(value);
    if (LISTS.has(keyword) && Array.isArray(value)) return value.map((part) => this.#writePart(part));
    if (!MAPS.has(keyword) || !isObject(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, part = null]) => [name, this.#writePart(part)]),
    );
  }

  #writePart(part: JsonValue): JsonValue {
    return isObject(part) ? this.#write(part) : part;
  }

  #writeRequired(names: readonly JsonValue[], schema: JsonObject): JsonValue[] {
    const properties = propertiesOf(schema);
    return names.filter((name) => {
      const property = Object.hasOwn(properties, String(name)) ? properties[String(name)] : undefined;
      return !(this.#fillsDefaults && isObject(property) && property['default'] !== undefined);
    });
  }

  #refer(reference: string): string {
    const target = targetOf(reference) ?? '';
    let within = '';
    for (const address of this.#definitions.keys())
      if (`${target}/`.startsWith(`${address}/`) && address.length > within.length) within = address;
    const component = this.#definitions.get(within)?.component ?? this.#name;
    return `#/components/schemas/${component}${encodeURI(target.slice(within.length))}`;
  }
}

/** `true` and `false` are schemas as well. */
function asObject(schema: JsonValue): JsonObject {
  if (isObject(schema)) return schema;
  return schema === false ? { not: {} } : {};
}

function isOpen(schema: JsonObject): boolean {
  return (
    namesType(schema, 'object') &&
    Object.keys(propertiesOf(schema)).length === 0 &&
    OF_FIELDS.every((keyword) => schema[keyword] === undefined)
  );
}
