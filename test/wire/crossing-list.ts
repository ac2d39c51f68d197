import { isDeepStrictEqual } from 'node:util';
import type { DialectName } from '../../src/conversation/conversation.ts';
import { type Difference, describeDifference, pathPattern } from '../support/wire-diff.ts';
import { CROSSING_RULES, type Crossed, type CrossingRule } from './crossing-rules.ts';

/** Reads the list of rules, and knows which of them were ever needed. */
export class CrossingList {
  readonly #rules = CROSSING_RULES.map((rule) => ({ rule, pattern: pathPattern(rule.path), isUsed: false }));

  /** The differences that no rule names, one readable line each. */
  unexplained(
    of: CrossingRule['of'],
    from: DialectName,
    via: DialectName,
    differences: readonly Difference[],
    crossed: Crossed = { dropped: [] },
  ): string[] {
    const open = differences.filter((difference) => {
      const found = this.#rules.find(
        ({ rule, pattern }) =>
          rule.of === of &&
          (rule.from ?? [from]).includes(from) &&
          (rule.via ?? [via]).includes(via) &&
          pattern.test(difference.path) &&
          (rule.change ?? difference.change) === difference.change &&
          (rule.before === undefined || isDeepStrictEqual(rule.before, difference.before)) &&
          (rule.when?.(difference, crossed) ?? true),
      );
      if (found) found.isUsed = true;
      return !found;
    });
    return open.map(describeDifference);
  }

  /** Rules that covered nothing: they are out of date and should go. */
  unused(of: CrossingRule['of']): string[] {
    return this.#rules
      .filter(({ rule, isUsed }) => rule.of === of && !isUsed)
      .map(({ rule }) => `${rule.path}: ${rule.reason}`);
  }
}
