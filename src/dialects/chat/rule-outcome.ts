import type { JsonValue } from '../../conversation/json.ts';
import type { Beside, FieldOutcome, FieldRule, OccasionalRule, Renaming } from './quirks.ts';

/** What becomes of a field. Null says what absence says, and servers that do not know a field refuse it as null too. */
export function outcomeOf(rule: FieldRule, value: JsonValue, model: string, beside: Beside): FieldOutcome {
  if (value === null) return 'omit';
  if (typeof rule === 'function') return rule(value, model, beside);
  if (typeof rule !== 'object') return rule;
  if (isOccasional(rule)) return rule.isCalledFor(model, beside) ? rule.decide(value, model, beside) : 'keep';
  return isFor(rule, model) ? { [rule.as]: value } : 'keep';
}

export function isOccasional(rule: FieldRule): rule is OccasionalRule {
  return typeof rule === 'object' && 'decide' in rule;
}

export function isRenaming(rule: FieldRule): rule is Renaming {
  return typeof rule === 'object' && 'as' in rule;
}

export function isFor({ models }: Renaming, model: string): boolean {
  return models === undefined || models.test(model);
}
