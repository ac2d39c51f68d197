import { setImmediate } from 'node:timers/promises';
import type { Store } from '../store/store.ts';
import { MS_PER_DAY, MS_PER_HOUR } from '../store/usage-sums.ts';
import {
  firstCallMs,
  type Grouping,
  sumTenantsFrom,
  sumUsage,
  type TenantStart,
  type UsageSum,
} from '../usage/queries.ts';
import { amountOf, BudgetIndex, isBudget } from './budget-index.ts';
import { BudgetCounter } from './counters.ts';
import { isShared, type Limit, type Scope } from './limit.ts';
import { PERIODS, type Period } from './period.ts';
import type { Quotas, Spending } from './reservation.ts';
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
    await addSums(spent, ofPeriod, period, store, nowMs, beganMs);
  }
  // After the records: what is noted is noted before they are stored.
  const uncounted = await quotas?.sumUncounted();
  for (const [limit, amount] of spent) {
    const { counter } = limit;
    if (amount > 0 && counter instanceof BudgetCounter)
      counter.raise(amount, nowMs, uncounted?.get(keyOf(limit, nowMs)));
  }
}

/** What a process knows of its budgets while it is alone: what is counted elsewhere, where it cannot be told now. */
export function noteSpentElsewhere(spendings: readonly Spending[]): void {
  for (const { limit, amount, atMs } of spendings) {
    if (limit.counter instanceof BudgetCounter) limit.counter.settleElsewhere(0, amount, atMs);
  }
}

/** When the tenant of a name began, Unix milliseconds; 0 where the name was never another's. What was spent before it did not spend. */
export type BeganMs = (tenant: string) => number;

/** What is read of the sums, and the budgets that learn from it. */
interface Reading {
  budgets: Limit[];
  groupBy: readonly Grouping[];
  filter: { tenant?: string; model?: string; prompt?: string };
  /** Unix milliseconds: nothing before counts. */
  since: number;
}

/** Of whom more have new budgets at once, the sums of all are read. */
const MOST_READ_ALONE = 20;
/** At once: where SQLite sums for much longer than 20 ms, calls wait for it. 10,000 tenants a day take as long. */
const DAYS_OF_ONE = 31;
const DAYS_OF_ALL = 1;
/** As many conditions has one statement. */
const STARTS_AT_ONCE = 100;

async function addSums(
  spent: Map<Limit, number>,
  budgets: readonly Limit[],
  period: Period,
  store: Store,
  nowMs: number,
  beganMs: BeganMs,
): Promise<void> {
  const { startMs } = PERIODS[period](nowMs);
  const byOwner = Map.groupBy(budgets, ({ scope }) => nameOwner(scope));
  if (byOwner.size > MOST_READ_ALONE) {
    await addTogether(spent, budgets, startMs, store, nowMs, beganMs);
    return;
  }
  for (const own of byOwner.values()) {
    const [first] = own;
    if (first) await addAlone(spent, planReading(own, first, beganMs), startMs, store, nowMs);
  }
}

function nameOwner(scope: Scope): string {
  if (scope.kind === 'model') return `model ${scope.model}`;
  return scope.kind === 'prompt' ? `prompt ${scope.prompt}` : `tenant ${scope.tenant}`;
}

function planReading(budgets: Limit[], { scope }: Limit, beganMs: BeganMs): Reading {
  const groupBy = groupingsOf(budgets);
  if (scope.kind === 'model')
    return { budgets, groupBy: ['model'], filter: { model: scope.model }, since: 0 };
  if (scope.kind === 'prompt') return { budgets, groupBy, filter: { prompt: scope.prompt }, since: 0 };
  return { budgets, groupBy, filter: { tenant: scope.tenant }, since: beganMs(scope.tenant) };
}

/** By what sums tell in which of some budgets they count. */
function groupingsOf(budgets: readonly Limit[]): readonly Grouping[] {
  const isOfPrompts = budgets.some(({ scope }) => scope.kind === 'prompt' || scope.kind === 'tenant_prompt');
  return isOfPrompts ? ['key', 'model', 'prompt'] : ['key', 'model'];
}

async function addAlone(
  spent: Map<Limit, number>,
  { budgets, groupBy, filter, since }: Reading,
  startMs: number,
  store: Store,
  nowMs: number,
): Promise<void> {
  const index = new BudgetIndex(budgets);
  const from = Math.max(startMs, since);
  for (const span of await splitTime(from, DAYS_OF_ONE * MS_PER_DAY, store, nowMs)) {
    addUp(spent, index, await sumUsage(store, { groupBy, ...filter, ...span }));
    // Everything else has its turn.
    await setImmediate();
  }
}

/** A day in which tenants began is read by hours, and in the hour in which one began its own calls from then on. */
async function addTogether(
  spent: Map<Limit, number>,
  budgets: readonly Limit[],
  startMs: number,
  store: Store,
  nowMs: number,
  beganMs: BeganMs,
): Promise<void> {
  const begun = new Begun(budgets, beganMs);
  const groupBy = groupingsOf(budgets);
  for (const day of await splitTime(startMs, DAYS_OF_ALL * MS_PER_DAY, store, nowMs)) {
    const spans = begun.in(day).length > 0 ? splitSpan(day, MS_PER_HOUR, nowMs) : [day];
    for (const span of spans) {
      addUp(spent, begun.before(span), await sumUsage(store, { groupBy, ...span }));
      await setImmediate();
      const starts = begun.in(span);
      for (let at = 0; at < starts.length; at += STARTS_AT_ONCE) {
        const some = starts.slice(at, at + STARTS_AT_ONCE);
        const index = new BudgetIndex(some.flatMap(({ limits }) => limits));
        addUp(spent, index, await sumTenantsFrom(store, some, span.to));
        await setImmediate();
      }
    }
  }
}

interface Span {
  from: number;
  to?: number;
}

/** Budgets by when their tenants began; those that tenants share always were. */
class Begun {
  readonly #starts: (TenantStart & { limits: Limit[] })[];
  readonly #shared: Limit[];
  #indexed = -1;
  #index = new BudgetIndex([]);

  constructor(budgets: readonly Limit[], beganMs: BeganMs) {
    const byTenant = Map.groupBy(budgets, ({ scope }) => (isShared(scope) ? undefined : scope.tenant));
    this.#shared = byTenant.get(undefined) ?? [];
    this.#starts = [...byTenant]
      .flatMap(([tenant, limits]) => (tenant === undefined ? [] : { tenant, from: beganMs(tenant), limits }))
      .toSorted((one, other) => one.from - other.from);
  }

  /** After its start. */
  in({ from, to = Number.POSITIVE_INFINITY }: Span) {
    return this.#starts.filter((start) => start.from > from && start.from < to);
  }

  /** All that count in the whole of a span. */
  before({ from }: Span): BudgetIndex {
    const begun = this.#starts.filter((start) => start.from <= from);
    if (begun.length !== this.#indexed) {
      this.#indexed = begun.length;
      this.#index = new BudgetIndex([...this.#shared, ...begun.flatMap(({ limits }) => limits)]);
    }
    return this.#index;
  }
}

function addUp(spent: Map<Limit, number>, index: BudgetIndex, sums: readonly UsageSum[]): void {
  for (const sum of sums) {
    for (const limit of index.find(sum)) {
      spent.set(limit, (spent.get(limit) ?? 0) + amountOf(limit, sum.tokens, sum.costMicroUsd));
    }
  }
}

/** From a moment on without end, in pieces; of what never began from the first call on. */
async function splitTime(startMs: number, pieceMs: number, store: Store, nowMs: number): Promise<Span[]> {
  const first = startMs > 0 ? startMs : ((await firstCallMs(store)) ?? nowMs);
  return splitSpan({ from: Math.max(startMs, first - (first % MS_PER_DAY)) }, pieceMs, nowMs);
}

function splitSpan({ from, to }: Span, pieceMs: number, nowMs: number): Span[] {
  const pieces: Span[] = [];
  const endMs = to ?? nowMs;
  let start = from;
  for (; start + pieceMs < endMs; start += pieceMs) pieces.push({ from: start, to: start + pieceMs });
  pieces.push(to === undefined ? { from: start } : { from: start, to });
  return pieces;
}
