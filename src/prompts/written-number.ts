import { isObject, type JsonValue, tryParseJson } from '../conversation/json.ts';
import { countValues } from './count-values.ts';

/** TypeScript does not have it yet. Source: ECMAScript 2026, 25.5.3. */
const RAW = JSON as JSON & { rawJSON(text: string): unknown };

/** A number of an input that JavaScript would write otherwise: `1.10`, `12345678901234567890`. It is shown as it was written. */
export class WrittenNumber {
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  valueOf(): number {
    return Number(this.#source);
  }

  toString(): string {
    return this.#source;
  }

  /** Such text as `JSON.stringify` writes as it is. */
  toJSON(): unknown {
    return RAW.rawJSON(this.#source);
  }
}

/** To keep how each number is written takes ten times as long as to parse it. */
const MOST_VALUES = 100_000;

/** Where such numbers may be: a text of many digits may hold what looks like one. */
const MAY_DIFFER = /(?:^|[:[,])\s*-?(?:\d{16}|\d+[.eE]|0\s*(?:$|[,}\]]))/;

/**
 * Parses JSON that is an input, or a part of one; `undefined` where it is none. Numbers that would be written otherwise are
 * `WrittenNumber`s in it, whatever its type says, up to 100,000 values: `plainNumbers` gives what can be checked and reckoned with.
 */
export function parseInput(text: string): JsonValue | undefined {
  const plain = tryParseJson(text);
  if (plain === undefined || !MAY_DIFFER.test(text)) return plain;
  if (countValues(plain, MOST_VALUES) > MOST_VALUES) return plain;
  try {
    return JSON.parse(text, keepWritten) as JsonValue;
  } catch (error) {
    // It is nested so deeply that nothing can be made of it.
    if (error instanceof RangeError) return plain;
    throw error;
  }
}

function keepWritten(_: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source;
  return typeof value === 'number' && source !== undefined && String(value) !== source
    ? new WrittenNumber(source)
    : value;
}

/** The same with numbers as JavaScript has them. */
export function plainNumbers(value: JsonValue): JsonValue {
  if (isWritten(value)) return value.valueOf();
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [name, plainNumbers(field ?? null)]),
  );
}

/** Whether a value is no object, though it looks like one. */
export function isWritten(value: unknown): value is WrittenNumber {
  return value instanceof WrittenNumber;
}
