import { type OutputUnit, type Schema, type ValidationResult, Validator } from '@cfworker/json-schema';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { countValues } from './count-values.ts';
import { TakesTooLong, withinTime } from './time-bound.ts';

/** What is wrong with a value, and where in it. */
export interface Fault {
  /** `items[0].name`; empty for the value itself. */
  path: string;
  message: string;
}

/** Faults of whatever is inside are told there. */
const OUTER: ReadonlySet<string> = new Set([
  ...['properties', 'patternProperties', 'additionalProperties', 'items', 'prefixItems', 'additionalItems'],
  ...['allOf', '$ref', 'dependentSchemas', 'then', 'else', 'if'],
]);

/** No more faults are told: who sent them has enough to mend. */
export const MOST_FAULTS = 100;
/** What has more values in it is checked up to a fault: whatever is told of each fault is kept until the last one is found. */
const MOST_VALUES = 10_000;
/** In one object: the validator goes through all of them, whatever it has found. */
const MOST_FIELDS = 10_000;
/** How long it may take to check what could take for ever, in milliseconds, and how many values may take one more: nothing else is done then. */
const LIMIT_MS = 500;
const VALUES_IN_MS = 500;
const MOST_COUNTED = 1_000_000;
/** How long a check may hold up other calls where it can be done elsewhere. */
const SOON_MS = 10;
/** Of the path of a fault: names of fields may be as long as what is sent. */
const LONGEST_PATH = 200;

/** Where a check is done that takes long: on a thread, say. */
export interface ChecksElsewhere {
  faultsOf(task: { schema: JsonObject; value: JsonValue }): Promise<Fault[]>;
}

export const TOO_LONG: Fault = { path: '', message: 'cannot be checked: it takes too long by its schema' };

/** Checks values by a JSON schema (2020-12), which is read, not compiled into code. */
export class ValueCheck {
  readonly schema: JsonObject;
  readonly #findAll: Validator;
  #findFirst: Validator | undefined;
  readonly #mayTakeLong: boolean;
  readonly #elsewhere: ChecksElsewhere | undefined;

  /** `elsewhere`: for `faultsSoon`; absent, all is done here. */
  constructor(schema: JsonObject, elsewhere?: ChecksElsewhere) {
    this.schema = schema;
    this.#elsewhere = elsewhere;
    this.#findAll = makeValidator(schema, false);
    this.#mayTakeLong = mayTakeLong(schema);
  }

  /** Up to `MOST_FAULTS`; those of a large value may be fewer than there are. */
  faultsOf(value: JsonValue): Fault[] {
    const excess = this.findExcess(value);
    return excess.length > 0 ? excess : this.faultsWithin(value);
  }

  /** The same of a value in which no excess was found. */
  faultsWithin(value: JsonValue): Fault[] {
    try {
      return this.#faultsIn(value, LIMIT_MS + Math.ceil(countValues(value, MOST_COUNTED) / VALUES_IN_MS));
    } catch (error) {
      if (error instanceof TakesTooLong) return [TOO_LONG];
      throw error;
    }
  }

  /** The same; what takes longer than a moment is done elsewhere, so that nobody else waits for it. Rejects where it is not done there. */
  faultsSoon(value: JsonValue): Fault[] | Promise<Fault[]> {
    const elsewhere = this.#elsewhere;
    if (!elsewhere || !this.#mayTakeLong) return this.faultsWithin(value);
    try {
      return this.#faultsIn(value, SOON_MS);
    } catch (error) {
      if (error instanceof TakesTooLong) return elsewhere.faultsOf({ schema: this.schema, value });
      throw error;
    }
  }

  /** @throws TakesTooLong */
  #faultsIn(value: JsonValue, limitMs: number): Fault[] {
    try {
      const { valid, errors } = this.#validate(value, limitMs);
      if (valid) return [];
      const inner = errors.filter(({ keyword }) => !OUTER.has(keyword));
      return (inner.length > 0 ? inner : errors).slice(0, MOST_FAULTS).map(describe);
    } catch (error) {
      // The validator calls itself for what is inside, and puts the names of fields into addresses.
      if (!(error instanceof RangeError || error instanceof URIError)) throw error;
      const why = 'it is nested too deeply, has too many faults, or a name that is no valid text';
      return [{ path: '', message: `cannot be checked: ${why}` }];
    }
  }

  /** What is wrong with a value that has far too many fields to be gone through; empty where it has not. */
  findExcess(value: JsonValue): Fault[] {
    const excess = new Excess();
    excess.visit(this.schema, value, '');
    if (excess.tooMany) return [excess.tooMany];
    return excess.unknown.length >= MOST_FAULTS ? excess.unknown : [];
  }

  #validate(value: JsonValue, limitMs: number): ValidationResult {
    const isLarge = countValues(value, MOST_VALUES) > MOST_VALUES;
    if (isLarge) this.#findFirst ??= makeValidator(this.schema, true);
    const validator = (isLarge ? this.#findFirst : undefined) ?? this.#findAll;
    if (!this.#mayTakeLong) return validator.validate(value);
    return withinTime(limitMs, () => validator.validate(value));
  }
}

/** Whether a schema has what may take longer than in proportion to what is checked: by any value, or one that is made for that. */
function mayTakeLong(schema: JsonValue | undefined): boolean {
  if (Array.isArray(schema)) return schema.some(mayTakeLong);
  if (!isObject(schema)) return false;
  const { pattern, patternProperties, uniqueItems, $ref: reference } = schema;
  const repeats = typeof pattern === 'string' ? /[*+{]/.test(pattern) : pattern !== undefined;
  if (repeats || [patternProperties, uniqueItems, reference].some((said) => said !== undefined)) return true;
  return Object.values(schema).some(mayTakeLong);
}

function makeValidator(schema: JsonObject, untilFirst: boolean): Validator {
  // It notes addresses in what it is given.
  return new Validator(structuredClone(schema) as Schema, '2020-12', untilFirst);
}

/** Looks for fields that an object may not have, until there are `MOST_FAULTS`, and for an object of more fields than any may have. */
class Excess {
  readonly unknown: Fault[] = [];
  tooMany: Fault | undefined;

  get #isFound(): boolean {
    return this.tooMany !== undefined || this.unknown.length >= MOST_FAULTS;
  }

  visit(schema: JsonValue | undefined, value: JsonValue, path: string): void {
    if (!isObject(schema) || this.#isFound) return;
    if (Array.isArray(value)) this.#visitItems(schema, value, path);
    else if (isObject(value)) this.#visitFields(schema, value, path);
  }

  #visitItems({ items }: JsonObject, value: readonly JsonValue[], path: string): void {
    if (!isObject(items)) return;
    for (const [index, item] of value.entries()) {
      if (this.#isFound) return;
      this.visit(items, item, `${path}[${index}]`);
    }
  }

  #visitFields(schema: JsonObject, value: JsonObject, path: string): void {
    const { additionalProperties, patternProperties } = schema;
    const properties = isObject(schema['properties']) ? schema['properties'] : {};
    const isClosed = additionalProperties === false && patternProperties === undefined;
    let count = 0;
    for (const name in value) {
      if (this.#isFound) return;
      count += 1;
      const inner = path === '' ? name : `${path}.${name}`;
      if (Object.hasOwn(properties, name)) this.visit(properties[name], value[name] ?? null, inner);
      else if (isClosed) this.unknown.push({ path: shorten(inner), message: UNKNOWN });
      else if (count > MOST_FIELDS)
        this.tooMany = { path: shorten(path), message: `has more than ${MOST_FIELDS} fields` };
      else this.visit(additionalProperties, value[name] ?? null, inner);
    }
  }
}

const UNKNOWN = 'is not known here';

function shorten(path: string): string {
  return path.length > LONGEST_PATH ? `${path.slice(0, LONGEST_PATH)}…` : path;
}

/** As the validator says it. */
const WRONG_TYPE = /^Instance type "(.*)" is invalid\. Expected "(.*)"\.$/;

function describe({ keyword, instanceLocation, error }: OutputUnit): Fault {
  const path = pathOf(instanceLocation);
  const missing = keyword === 'required' ? /"(.*)"/.exec(error)?.[1] : undefined;
  if (missing !== undefined)
    return { path: path === '' ? missing : `${path}.${missing}`, message: 'is missing' };
  if (keyword === 'false') return { path, message: UNKNOWN };
  const choices =
    keyword === 'enum' ? /^Instance does not match any of \[(.*)\]\.$/.exec(error)?.[1] : undefined;
  if (choices !== undefined) return { path, message: `expected one of ${choices.replaceAll('","', '", "')}` };
  const [, found, wanted] = keyword === 'type' ? (WRONG_TYPE.exec(error) ?? []) : [];
  if (wanted !== undefined)
    return { path, message: `expected ${wanted.replaceAll('", "', ' or ')}, found ${found}` };
  return { path, message: error.replace(/\.$/, '') };
}

/** `#/items/0/name` as it is written in code. Source: RFC 6901. */
function pathOf(location: string): string {
  const steps = location.split('/').slice(1);
  const path = steps
    .map((step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path === '' ? step : `${path}.${step}`),
      '',
    );
  return shorten(path);
}
