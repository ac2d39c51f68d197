import { setImmediate } from 'node:timers/promises';
import type { Store } from '../store/store.ts';
import { MS_PER_DAY } from '../store/usage-sums.ts';
import { firstCallMs, type Grouping, sumUsage } from '../usage/queries.ts';
import { amountOf, BudgetIndex, isBudget } from './budget-index.ts';
import { BudgetCounter } from './counters.ts';
import type { Limit } from './limit.ts';
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
  for (const [period, ofPeriod] of budgets) {
    if (!period) continue;
    for (const reading of planReadings(ofPeriod)) await learnFrom(reading, period, store, nowMs);
  }
}

/** What is read of the sums, and the budgets that learn from it. */
interface Reading {
  budgets: Limit[];
  groupBy: readonly Grouping[];
  filter: { tenant?: string; model?: string };
  /** At once: where SQLite sums for much longer than 20 ms, calls wait for it. 10,000 tenants a day take as long. */
  days: number;
}

/** Of whom more have new budgets at once, the sums of all are read. */
const MOST_READ_ALONE = 20;
const DAYS_OF_ONE = 31;
const DAYS_OF_ALL = 1;

function planReadings(budgets: readonly Limit[]): Reading[] {
  const byOwner = Map.groupBy(budgets, ({ scope }) =>
    scope.kind === 'model' ? `model ${scope.model}` : `tenant ${scope.tenant}`,
  );
  if (byOwner.size > MOST_READ_ALONE) {
    return [{ budgets: [...budgets], groupBy: ['key', 'model'], filter: {}, days: DAYS_OF_ALL }];
  }
  return [...byOwner.values()].flatMap((own): Reading[] => {
    const [first] = own;
    if (!first) return [];
    const { scope } = first;
    return scope.kind === 'model'
      ? [{ budgets: own, groupBy: ['model'], filter: { model: scope.model }, days: DAYS_OF_ONE }]
      : [{ budgets: own, groupBy: ['key', 'model'], filter: { tenant: scope.tenant }, days: DAYS_OF_ONE }];
  });
}

async function learnFrom(
  { budgets, groupBy, filter, days }: Reading,
  period: Period,
  store: Store,
  nowMs: number,
): Promise<void> {
  const index = new BudgetIndex(budgets);
  const spent = new Map<Limit, number>();
  const { startMs } = PERIODS[period](nowMs);
  for (const span of await splitTime(startMs, days * MS_PER_DAY, store, nowMs)) {
    for (const sum of await sumUsage(store, { groupBy, ...filter, ...span })) {
      for (const limit of index.find(sum)) {
        spent.set(limit, (spent.get(limit) ?? 0) + amountOf(limit, sum.tokens, sum.costMicroUsd));
      }
    }
    // Everything else has its turn.
    await setImmediate();
  }
  for (const [{ counter }, amount] of spent) {
    if (amount > 0 && counter instanceof BudgetCounter) counter.raise(amount, nowMs);
  }
}

/** From a moment on without end, in pieces; of what never began from the first call on. */
async function splitTime(
  startMs: number,
  pieceMs: number,
  store: Store,
  nowMs: number,
): Promise<{ from: number; to?: number }[]> {
  const pieces: { from: number; to?: number }[] = [];
  const first = startMs > 0 ? startMs : ((await firstCallMs(store)) ?? nowMs);
  let from = Math.max(startMs, first - (first % MS_PER_DAY));
  for (; from + pieceMs < nowMs; from += pieceMs) pieces.push({ from, to: from + pieceMs });
  pieces.push({ from });
  return pieces;
}
