import { compileGlob } from '../config/glob.ts';
import { inputTokens, outputTokens } from '../conversation/usage.ts';
import type { Store } from '../store/store.ts';
import { sumUsage, type UsageSum } from '../usage/queries.ts';
import { BudgetCounter } from './counters.ts';
import { LIMIT_KINDS, type Limit, spentNanoUsd } from './limit.ts';
import { PERIODS, type Period } from './period.ts';

/**
 * The budgets of which an earlier configuration had none of the same id, whatever it was set to. They may have been configured before
 * that, so what their counters know is not all that was spent.
 */
export function findNewBudgets(limits: readonly Limit[], earlier: readonly Limit[]): Limit[] {
  // What did not change is the same object: of a hundred thousand limits few need be named.
  const [now, before] = [new Set(limits), new Set(earlier)];
  const changed = limits.filter((limit) => isBudget(limit) && !before.has(limit));
  if (changed.length === 0) return changed;
  const known = new Set(earlier.filter((limit) => isBudget(limit) && !now.has(limit)).map(({ id }) => id));
  return changed.filter(({ id }) => !known.has(id));
}

/**
 * Tells the counters of budgets what the records say was spent in the periods that run: a budget that was spent before
 * a restart is spent after it. To be called before calls meet the limits.
 */
export async function learnSpent(limits: readonly Limit[], store: Store, nowMs: number): Promise<void> {
  const budgets = Map.groupBy(limits.filter(isBudget), ({ period }) => period);
  for (const [period, ofPeriod] of budgets) if (period) await learnPeriod(period, ofPeriod, store, nowMs);
}

function isBudget({ kind }: Limit): boolean {
  return LIMIT_KINDS[kind].counts === 'budget';
}

async function learnPeriod(
  period: Period,
  limits: readonly Limit[],
  store: Store,
  nowMs: number,
): Promise<void> {
  const from = PERIODS[period](nowMs).startMs;
  const sums = await sumUsage(store, { groupBy: ['key', 'model'], from });
  const byTenant = Map.groupBy(sums, ({ tenant }) => tenant);
  const byModel = Map.groupBy(sums, ({ model }) => model);
  for (const limit of limits) {
    const { scope } = limit;
    const found = scope.kind === 'model' ? byModel.get(scope.model) : byTenant.get(scope.tenant);
    let spent = 0;
    for (const sum of (found ?? []).filter(chooseSums(limit))) spent += amountOf(limit, sum);
    if (spent > 0 && limit.counter instanceof BudgetCounter) limit.counter.raise(spent, nowMs);
  }
}

function chooseSums({ scope }: Limit): (sum: UsageSum) => boolean {
  if (scope.kind === 'key') return ({ key }) => key === scope.key;
  if (scope.kind !== 'tenant_model') return () => true;
  const matches = compileGlob(scope.models);
  return ({ model }) => typeof model === 'string' && matches(model);
}

function amountOf({ measure }: Limit, { tokens, costMicroUsd }: UsageSum): number {
  return measure === 'tokens' ? inputTokens(tokens) + outputTokens(tokens) : spentNanoUsd(costMicroUsd ?? 0);
}
