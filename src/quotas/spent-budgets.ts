import { setImmediate } from 'node:timers/promises';
import { appendAll } from '../conversation/append-all.ts';
import type { Store } from '../store/store.ts';
import { MS_PER_DAY } from '../store/usage-sums.ts';
import { firstCallMs, type Grouping, sumUsage } from '../usage/queries.ts';
import { amountOf, BudgetIndex, isBudget } from './budget-index.ts';
import { BudgetCounter } from './counters.ts';
import type { Limit } from './limit.ts';
import { PERIODS, type Period } from './period.ts';
import type { Quotas } from './reservation.ts';
import { keyOf } from './script-calls.ts';

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
export async function learnSpent(
  limits: readonly Limit[],
  store: Store,
  nowMs: number,
  beganMs: BeganMs = () => 0,
  quotas?: Pick<Quotas, 'sumUncounted'>,
): Promise<void> {
  const spent = new Map<Limit, number>();
  const budgets = Map.groupBy(limits.filter(isBudget), ({ period }) => period);
  for (const [period, ofPeriod] of budgets) {
    if (!period) continue;
    for (const reading of planReadings(ofPeriod, beganMs))
      await addSums(spent, reading, period, store, nowMs);
  }
  // After the records: what is noted is noted before they are stored.
  const uncounted = await quotas?.sumUncounted();
  for (const [limit, amount] of spent) {
    const { counter } = limit;
    if (amount > 0 && counter instanceof BudgetCounter)
      counter.raise(amount, nowMs, uncounted?.get(keyOf(limit, nowMs)));
  }
}

/** When the tenant of a name began, Unix milliseconds; 0 where the name was never another's. What was spent before it did not spend. */
export type BeganMs = (tenant: string) => number;

/** What is read of the sums, and the budgets that learn from it. */
interface Reading {
  budgets: Limit[];
  groupBy: readonly Grouping[];
  filter: { tenant?: string; model?: string };
  /** Unix milliseconds: nothing before counts. */
  since: number;
  /** At once: where SQLite sums for much longer than 20 ms, calls wait for it. 10,000 tenants a day take as long. */
  days: number;
}

/** Of whom more have new budgets at once, the sums of all are read. */
const MOST_READ_ALONE = 20;
const DAYS_OF_ONE = 31;
const DAYS_OF_ALL = 1;

function planReadings(budgets: readonly Limit[], beganMs: BeganMs): Reading[] {
  const byOwner = Map.groupBy(budgets, ({ scope }) =>
    scope.kind === 'model' ? `model ${scope.model}` : `tenant ${scope.tenant}`,
  );
  const readings: Reading[] = [];
  const together: Limit[] = [];
  for (const own of byOwner.values()) {
    const [first] = own;
    if (!first) continue;
    const { scope } = first;
    const since = scope.kind === 'model' ? 0 : beganMs(scope.tenant);
    if (since === 0 && byOwner.size > MOST_READ_ALONE) {
      appendAll(together, own);
      continue;
    }
    readings.push(
      scope.kind === 'model'
        ? { budgets: own, groupBy: ['model'], filter: { model: scope.model }, since, days: DAYS_OF_ONE }
        : {
            budgets: own,
            groupBy: ['key', 'model'],
            filter: { tenant: scope.tenant },
            since,
            days: DAYS_OF_ONE,
          },
    );
  }
  if (together.length > 0) {
    readings.push({ budgets: together, groupBy: ['key', 'model'], filter: {}, since: 0, days: DAYS_OF_ALL });
  }
  return readings;
}

async function addSums(
  spent: Map<Limit, number>,
  { budgets, groupBy, filter, since, days }: Reading,
  period: Period,
  store: Store,
  nowMs: number,
): Promise<void> {
  const index = new BudgetIndex(budgets);
  const { startMs } = PERIODS[period](nowMs);
  const from = Math.max(startMs, since);
  for (const span of await splitTime(from, days * MS_PER_DAY, store, nowMs)) {
    for (const sum of await sumUsage(store, { groupBy, ...filter, ...span })) {
      for (const limit of index.find(sum)) {
        spent.set(limit, (spent.get(limit) ?? 0) + amountOf(limit, sum.tokens, sum.costMicroUsd));
      }
    }
    // Everything else has its turn.
    await setImmediate();
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
