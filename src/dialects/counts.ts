import type { JsonValue } from '../conversation/json.ts';

/**
 * Whether a provider said what it counted: one of the counts that its sums are made of, at least, and none that no count
 * can be. A usage with a negative count is none: nobody knows what the others in it are worth.
 */
export function saysCounts(counts: readonly (JsonValue | undefined)[]): boolean {
  let says = false;
  for (const value of counts) {
    if (value === undefined || value === null) continue;
    if (!isCount(value)) return false;
    says = true;
  }
  return says;
}

/** A count; 0 where there is none. */
export function count(value: JsonValue | undefined): number {
  return isCount(value) ? Math.trunc(value) : 0;
}

export function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}
