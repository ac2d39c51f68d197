import type { JsonValue } from '../../conversation/json.ts';
import type { Beside, FieldOutcome, FieldRule, Renaming } from './quirks.ts';

/** What becomes of a field. Null says what absence says, and servers that do not know a field refuse it as null too. */
export function outcomeOf(rule: FieldRule, value: JsonValue, model: string, beside: Beside): FieldOutcome {
  if (value === null) return 'omit';
  if (typeof rule === 'function') return rule(value, model, beside);
  if (typeof rule !== 'object') return rule;
  return isFor(rule, model) ? { [rule.as]: value } : 'keep';
}

export function isFor({ models }: Renaming, model: string): boolean {
  return models === undefined || models.test(model);
}
