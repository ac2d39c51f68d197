import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { resolveReference } from './schema-parts.ts';
import { namesType } from './text-values.ts';
import { ValueCheck } from './values.ts';
import { withDefaults } from './with-defaults.ts';

/** Schemas may refer to themselves. */
const MOST_LEVELS = 8;

/**
 * An input as a schema has it, to be tried and changed: with its own examples and defaults where it has some. `undefined` where none is
 * found that the schema takes (one with a pattern and no example, say).
 *
 * @param media fields that are media, or lists of them
 */
export function exampleInput(
  schema: JsonObject | undefined,
  defaults: JsonObject,
  media: ReadonlySet<string>,
): JsonObject | undefined {
  if (!schema) return defaults;
  const made = new Example(schema, media).of(schema, 0);
  const example = { ...(isObject(made) ? made : {}), ...defaults };
  const faults = new ValueCheck(schema).faultsOf(withDefaults(schema, example));
  return faults.length === 0 ? example : undefined;
}

class Example {
  readonly #root: JsonObject;
  readonly #media: ReadonlySet<string>;

  constructor(root: JsonObject, media: ReadonlySet<string>) {
    this.#root = root;
    this.#media = media;
  }

  of(schema: JsonValue | undefined, level: number): JsonValue {
    if (!isObject(schema) || level > MOST_LEVELS) return null;
    const said = schema['const'] ?? schema['default'] ?? first(schema['examples']) ?? first(schema['enum']);
    if (said !== undefined) return said;
    const { $ref: reference, allOf } = schema;
    if (typeof reference === 'string') return this.of(resolveReference(this.#root, reference), level + 1);
    if (Array.isArray(allOf)) return this.#allOf(schema, allOf, level);
    const choice = first(schema['anyOf']) ?? first(schema['oneOf']);
    if (choice !== undefined) return this.of(choice, level + 1);
    return this.#ofType(schema, level);
  }

  #ofType(schema: JsonObject, level: number): JsonValue {
    if (namesType(schema, 'object') || isObject(schema['properties'])) return this.#object(schema, level);
    if (namesType(schema, 'array')) return this.#array(schema, level);
    if (namesType(schema, 'string')) return textOf(schema);
    if (namesType(schema, 'integer')) return numberOf(schema, 1);
    if (namesType(schema, 'number')) return numberOf(schema, 0);
    return namesType(schema, 'boolean') ? true : null;
  }

  #allOf(schema: JsonObject, parts: JsonValue[], level: number): JsonValue {
    const { allOf: _, ...own } = schema;
    const made = [own, ...parts].map((part) => this.of(part, level + 1));
    const objects = made.filter(isObject);
    return objects.length > 0 ? Object.assign({}, ...objects) : (made.find((one) => one !== null) ?? null);
  }

  /** All that is asked for; of the input itself what may be left out, too. */
  #object({ properties, required }: JsonObject, level: number): JsonObject {
    const needed = Array.isArray(required) ? required : [];
    const known = isObject(properties) ? properties : {};
    const names = level === 0 ? Object.keys(known) : [];
    const wanted = new Set([...names, ...needed.filter((name) => typeof name === 'string')]);
    const made = [...wanted].map((name) => {
      const property = Object.hasOwn(known, name) ? known[name] : TEXT;
      const isMedium = level === 0 && this.#media.has(name);
      return [name, this.of(isMedium ? withAddress(property) : property, level + 1)];
    });
    return Object.fromEntries(made);
  }

  #array({ items, minItems, maxItems }: JsonObject, level: number): JsonValue[] {
    const least = typeof minItems === 'number' ? minItems : 1;
    const count = Math.min(Math.max(least, 1), typeof maxItems === 'number' ? maxItems : 10);
    return Array.from({ length: Math.min(count, 10) }, () => this.of(items, level + 1));
  }
}

const TEXT: JsonObject = { type: 'string' };

/** A medium has an address where its schema has no example of one. */
function withAddress(schema: JsonValue | undefined): JsonValue {
  if (!isObject(schema)) return schema ?? null;
  if (namesType(schema, 'array')) return { ...schema, items: withAddress(schema['items'] ?? TEXT) };
  const says = schema['examples'] ?? schema['enum'];
  return says === undefined ? { ...schema, examples: ['https://example.com/image.png'] } : schema;
}

const FORMATS: Readonly<Record<string, string>> = {
  uri: 'https://example.com/',
  email: 'ada@example.com',
  date: '2026-01-31',
  'date-time': '2026-01-31T12:00:00Z',
  time: '12:00:00Z',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/** What a text is said to be is what somebody is to write there. */
function textOf({ format, description, minLength, maxLength }: JsonObject): string {
  const named = typeof format === 'string' && Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined;
  if (named !== undefined) return named;
  const text = typeof description === 'string' && description !== '' ? description : 'text';
  const least = typeof minLength === 'number' ? minLength : 0;
  // Lengths are those of characters.
  const letters = [...text];
  while (letters.length < Math.min(least, 1000)) letters.push('.');
  return (typeof maxLength === 'number' ? letters.slice(0, maxLength) : letters).join('');
}

/** The least that its bounds let it be, or 1. `unit`: the step of whole numbers, 0 of others. */
function numberOf(schema: JsonObject, unit: number): number {
  const { minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf } = schema;
  const step = typeof multipleOf === 'number' ? multipleOf : unit;
  const low =
    typeof exclusiveMinimum === 'number' ? exclusiveMinimum : numberOr(minimum, Number.NEGATIVE_INFINITY);
  const high =
    typeof exclusiveMaximum === 'number' ? exclusiveMaximum : numberOr(maximum, Number.POSITIVE_INFINITY);
  const isWithin = (value: number) =>
    value >= numberOr(minimum, value) &&
    value <= numberOr(maximum, value) &&
    !(typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) &&
    !(typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum);
  const round = (value: number) => (step > 0 ? Math.ceil(value / step) * step : value);
  const middle = Number.isFinite(low) && Number.isFinite(high) ? (low + high) / 2 : 0;
  const tried = [1, low, low + (step || 1), high, high - (step || 1), middle]
    .filter(Number.isFinite)
    .map(round);
  return tried.find(isWithin) ?? 1;
}

function numberOr(value: JsonValue | undefined, other: number): number {
  return typeof value === 'number' ? value : other;
}

function first(list: JsonValue | undefined): JsonValue | undefined {
  return Array.isArray(list) ? list[0] : undefined;
}
