import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';

export type Schema = JsonObject | boolean;

/** Steps that one instance may cost. A few lines of schema can demand a value of any size. */
const MAX_WORK = 200_000;
/** From here on only what is required is filled, so that a schema that branches widely stays small. */
const GENEROUS_WORK = 20_000;
/** Deeper than any JSON that the gateway accepts, and far from the end of the stack. */
const MAX_DEPTH = 160;

/** The whole schema that references point into, and what filling it has cost so far. */
export class SchemaScope {
  readonly #root: Schema;
  readonly #param: string;
  #work = 0;
  #depth = 0;

  /** `param` is the caller's word for the schema, for the errors. */
  constructor(root: Schema, param: string) {
    this.#root = root;
    this.#param = param;
  }

  /** Whether there is still room for what is not required. */
  get isGenerous(): boolean {
    return this.#work < GENEROUS_WORK;
  }

  /** @throws GatewayError `invalid_request` when the schema has cost too much. */
  spend(steps: number): void {
    this.#work += steps;
    if (this.#work > MAX_WORK) throw this.#tooLarge();
  }

  /** Runs one level further down. @throws GatewayError `invalid_request` when that is too deep. */
  descend<T>(run: () => T): T {
    if (this.#depth >= MAX_DEPTH) throw this.#tooLarge();
    this.#depth += 1;
    try {
      return run();
    } finally {
      this.#depth -= 1;
    }
  }

  /** What a `$ref` of JSON pointer form (RFC 6901) leads to. Nothing outside the schema is ever fetched. */
  resolve(reference: string): Schema | undefined {
    if (reference === '#') return this.#root;
    if (!reference.startsWith('#/')) return undefined;
    let value: JsonValue | undefined = this.#root;
    for (const step of reference.slice(2).split('/')) {
      this.spend(1);
      value = stepInto(value, readPointerStep(step));
    }
    return asSchema(value);
  }

  unsatisfiable(): Error {
    return invalidRequest(
      `The echo model found no value that fits '${this.#param}'. Simplify the schema or choose another model.`,
      this.#param,
      'unsupported_schema',
    );
  }

  #tooLarge(): Error {
    return invalidRequest(
      `'${this.#param}' asks for a larger value than the echo model makes. Simplify the schema or choose another model.`,
      this.#param,
      'unsupported_schema',
    );
  }
}

export function asSchema(value: JsonValue | undefined): Schema | undefined {
  return typeof value === 'boolean' || isObject(value) ? value : undefined;
}

/** The schemas of `allOf`, `prefixItems` and their like; what is none is passed over. */
export function schemaList(value: JsonValue | undefined): Schema[] {
  return listOf(value).filter((item) => typeof item === 'boolean' || isObject(item));
}

export function listOf(value: JsonValue | undefined): JsonValue[] {
  return Array.isArray(value) ? value : [];
}

/** A field of its own: schemas come from outside, and may have properties named `constructor`. */
export function ownField(object: JsonValue | undefined, key: string): JsonValue | undefined {
  return isObject(object) && Object.hasOwn(object, key) ? object[key] : undefined;
}

/** The largest that all the schemas say, or `otherwise`. In loops: a schema may hold more numbers than the stack. */
export function largestOf(schemas: readonly JsonObject[], keyword: string, otherwise = -Infinity): number {
  return largest(numbersOf(schemas, keyword), otherwise);
}

export function smallestOf(schemas: readonly JsonObject[], keyword: string): number {
  return numbersOf(schemas, keyword).reduce(
    (least, value) => Math.min(least, value),
    Number.POSITIVE_INFINITY,
  );
}

export function largest(numbers: readonly number[], otherwise: number): number {
  return numbers.reduce((most, value) => Math.max(most, value), otherwise);
}

/** The values of a keyword in those of the schemas where it is a number. */
export function numbersOf(schemas: readonly JsonObject[], keyword: string): number[] {
  return schemas.map((schema) => schema[keyword]).filter((value) => typeof value === 'number');
}

/** How much there is to look at in a schema, its subschemas not counted. */
export function schemaSize(schema: JsonObject): number {
  let size = 1;
  for (const value of Object.values(schema)) {
    if (Array.isArray(value)) size += value.length;
    else if (isObject(value)) size += Object.keys(value).length;
    else size += 1;
  }
  return size;
}

function stepInto(value: JsonValue | undefined, step: string): JsonValue | undefined {
  if (Array.isArray(value)) return /^\d{1,9}$/.test(step) ? value[Number(step)] : undefined;
  return ownField(value, step);
}

function readPointerStep(step: string): string {
  return decodePercents(step).replaceAll('~1', '/').replaceAll('~0', '~');
}

function decodePercents(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A `%` that encodes nothing stands for itself.
    return text;
  }
}
