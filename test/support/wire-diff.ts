import { isDeepStrictEqual } from 'node:util';
import { isObject, type JsonValue } from '../../src/conversation/json.ts';

/** One place where two JSON values differ. */
export interface Difference {
  /** `messages[0].content[1].text`; `''` is the whole value. */
  path: string;
  change: 'lost' | 'added' | 'changed';
  before: JsonValue | undefined;
  after: JsonValue | undefined;
}

/** Differences that a test does not count, and why it may leave them out. */
export interface Exclusion {
  /** As in `Difference`, with `[]` for any index, `*` for any key and `**` for any path. */
  path: string;
  /** Only this kind of change; absent: any. */
  change?: Difference['change'];
  /** Only where what was there before is this value. */
  before?: JsonValue;
  reason: string;
}

/** Every place where two JSON values differ; the order of keys does not count. */
export function listDifferences(before: unknown, after: unknown): Difference[] {
  return [...differences('', before as JsonValue | undefined, after as JsonValue | undefined)];
}

function* differences(
  path: string,
  before: JsonValue | undefined,
  after: JsonValue | undefined,
): Generator<Difference> {
  if (Array.isArray(before) && Array.isArray(after)) {
    for (let index = 0; index < Math.max(before.length, after.length); index++) {
      yield* differences(`${path}[${index}]`, before[index], after[index]);
    }
  } else if (isObject(before) && isObject(after)) {
    for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const inner = path === '' ? key : `${path}.${key}`;
      yield* differences(inner, ownValue(before, key), ownValue(after, key));
    }
  } else if (before === undefined && after !== undefined) {
    yield { path, change: 'added', before, after };
  } else if (before !== undefined && after === undefined) {
    yield { path, change: 'lost', before, after };
  } else if (before !== after) {
    yield { path, change: 'changed', before, after };
  }
}

function ownValue(object: { [key: string]: JsonValue | undefined }, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Compares against a list of exclusions, and knows which of them were ever needed. */
export class WireDiff {
  readonly #rules: { exclusion: Exclusion; pattern: RegExp; isUsed: boolean }[];

  constructor(exclusions: readonly Exclusion[]) {
    this.#rules = exclusions.map((exclusion) => ({
      exclusion,
      pattern: pathPattern(exclusion.path),
      isUsed: false,
    }));
  }

  /** The differences that no exclusion covers, one readable line each. */
  compare(before: unknown, after: unknown): string[] {
    return listDifferences(before, after)
      .filter((difference) => !this.#isExcluded(difference))
      .map(describeDifference);
  }

  /** Paths of exclusions that covered nothing: they are out of date and should go. */
  unused(): string[] {
    return this.#rules.filter(({ isUsed }) => !isUsed).map(({ exclusion }) => exclusion.path);
  }

  #isExcluded(difference: Difference): boolean {
    const rule = this.#rules.find(
      ({ exclusion, pattern }) =>
        pattern.test(difference.path) &&
        (exclusion.change === undefined || exclusion.change === difference.change) &&
        (exclusion.before === undefined || isDeepStrictEqual(exclusion.before, difference.before)),
    );
    if (rule) rule.isUsed = true;
    return rule !== undefined;
  }
}

/** What a path of an exclusion covers. */
export function pathPattern(path: string): RegExp {
  const source = path
    .split(/(\[\]|\*\*|\*)/)
    .map((piece) => WILDCARDS.get(piece) ?? piece.replace(/[.[\]$()+?^{}|\\]/g, '\\$&'))
    .join('');
  return new RegExp(`^${source}$`);
}

const WILDCARDS = new Map([
  ['[]', '\\[\\d+\\]'],
  ['**', '.*'],
  ['*', '[^.[\\]]+'],
]);

export function describeDifference({ path, change, before, after }: Difference): string {
  const shown = [before, after].map((value) => JSON.stringify(value)?.slice(0, 120) ?? 'nothing');
  return `${path || '(whole)'} ${change}: ${shown[0]} → ${shown[1]}`;
}
