import type { UncountedSpendingRow } from '../store/schema.ts';
import { isBudget } from './budget-index.ts';
import { BudgetCounter } from './counters.ts';
import { type Demand, LIMIT_KINDS, type Limit, spareOf } from './limit.ts';
import { PERIODS } from './period.ts';
import { concerns, type Refusal, type Reservation, type Spending, type Used, usedOf } from './reservation.ts';
import type { ScriptCall } from './script-frame.ts';
import { SLICE_MS, SLICES } from './window.ts';

/*
 * What the scripts of `redis-scripts.ts` are given, and what their answers say.
 */

/** How long what a call took stays taken when its instance is not heard of any more. */
export const LEASE_MS = 60_000;
/** What was settled of a rate, or brought in, must not count twice where it is sent again. Rates are over by then. */
export const MARK_MS = 120_000;
const MS_PER_HOUR = 3_600_000;
/** What no period ends. Each call that counts there begins it anew. */
const TOTAL_TTL_MS = 400 * 24 * MS_PER_HOUR;

export const PREFIX = 'fairlead:';

export function keyOf({ id, period }: Limit, atMs: number): string {
  return period ? `${PREFIX}${id}@${PERIODS[period](atMs).startMs}` : `${PREFIX}${id}`;
}

/** How long a counter stays when nothing happens to it: what is over, and what nobody renews, goes by itself. */
export function ttlOf({ kind, period }: Limit, atMs: number, nowMs: number): number {
  const { counts } = LIMIT_KINDS[kind];
  if (counts === 'window') return SLICES * SLICE_MS;
  if (counts === 'slots' || !period) return 2 * LEASE_MS;
  if (period === 'total') return TOTAL_TTL_MS;
  return Math.max(0, PERIODS[period](atMs).endMs - nowMs) + MS_PER_HOUR;
}

export function describeReserve(
  limits: readonly Limit[],
  demand: Demand,
  callId: string,
  nowMs: number,
): ScriptCall {
  const keys: string[] = [];
  const args: (string | number)[] = [nowMs, callId, LEASE_MS];
  for (const limit of limits) {
    keys.push(keyOf(limit, nowMs));
    const { max, measure, kind } = limit;
    const spare = spareOf(limit, demand);
    args.push(LIMIT_KINDS[kind].counts, max, demand[measure], ttlOf(limit, nowMs, nowMs), spare);
  }
  return { keys, args };
}

/** What a call that runs takes, wherever it was counted when it began. */
export function describeMove({ limits, demand, atMs }: Reservation, id: string, nowMs: number): ScriptCall {
  const keys: string[] = [];
  const args: (string | number)[] = [nowMs, id, LEASE_MS, MARK_MS, atMs];
  for (const limit of limits) {
    if (!concerns(limit, demand)) continue;
    keys.push(keyOf(limit, atMs));
    args.push(LIMIT_KINDS[limit.kind].counts, demand[limit.measure], ttlOf(limit, atMs, nowMs));
  }
  keys.push(`${PREFIX}moved:${id}`);
  return { keys, args };
}

/** Whether the counter knows which call took what; a sum of a minute does not. */
export function isHeldByCall({ kind }: Limit): boolean {
  return LIMIT_KINDS[kind].counts !== 'window';
}

/** `undefined` where there is nothing to say: a request stays one. */
export function describeSettlement(
  { limits, demand, atMs }: Reservation,
  id: string,
  used: Used,
  nowMs: number,
  isMeant: (limit: Limit) => boolean = () => true,
): ScriptCall | undefined {
  const keys: string[] = [];
  const args: (string | number)[] = [nowMs, id, MARK_MS, 1];
  for (const limit of limits) {
    if (!concerns(limit, demand) || !isMeant(limit)) continue;
    const { counts } = LIMIT_KINDS[limit.kind];
    const taken = demand[limit.measure];
    const inTheEnd = usedOf(limit, used);
    if (counts === 'window' && taken === inTheEnd) continue;
    keys.push(keyOf(limit, atMs));
    args.push(counts, taken, inTheEnd, atMs, ttlOf(limit, atMs, nowMs));
  }
  if (keys.length === 0) return undefined;
  keys.push(`${PREFIX}settled:${id}`);
  return { keys, args };
}

const [UNSURE, SURE, NOTED] = [0, 1, 2];

/** The same settlement, to be sent again: whether it was counted is not known, or told by what was noted. */
export function resendOf(call: ScriptCall): ScriptCall {
  return isNoted(call) ? call : { keys: call.keys, args: call.args.with(3, UNSURE) };
}

/** The same settlement, of which others are told before it is sent for the first time. */
export function notedOf({ keys, args }: ScriptCall): ScriptCall {
  return { keys, args: args[3] === SURE ? args.with(3, NOTED) : args };
}

function isNoted({ args }: ScriptCall): boolean {
  return args[3] === NOTED;
}

/** Of calls that are counted there; `undefined` where there is nothing to renew. */
export function describeRenewals(running: readonly Reservation[], nowMs: number): ScriptCall | undefined {
  const keys: string[] = [];
  const args: (string | number)[] = [nowMs, '', LEASE_MS];
  for (const { limits, demand, atMs, sharedId, endedThere } of running) {
    if (sharedId === undefined) continue;
    const isHeld = (limit: Limit) => (endedThere ? isBudget(limit) : isHeldByCall(limit));
    const own = limits.filter((limit) => isHeld(limit) && concerns(limit, demand));
    if (own.length === 0) continue;
    args.push(sharedId, own.length);
    for (const limit of own) {
      keys.push(keyOf(limit, atMs));
      args.push(LIMIT_KINDS[limit.kind].counts, demand[limit.measure], ttlOf(limit, atMs, nowMs));
    }
  }
  return keys.length > 0 ? { keys, args } : undefined;
}

/** What was counted elsewhere, or (an amount of 0) is only known to be spent of a budget. */
export interface Counted {
  limit: Limit;
  amount: number;
  atMs: number;
  /** Names it, where it was counted elsewhere. */
  part: string;
}

/** Nothing is counted; it is only told what is known to be spent. */
export function knownBudgets(limits: readonly Limit[], atMs: number): Counted[] {
  const known: Counted[] = [];
  for (const limit of limits) {
    if (knownOf(limit, atMs) > 0) known.push({ limit, amount: 0, atMs, part: '' });
  }
  return known;
}

/** What is known here of what the shared counters have spent of a budget. */
export function knownOf({ knownCounter }: Limit, atMs: number): number {
  return knownCounter instanceof BudgetCounter ? knownCounter.learned(atMs) : 0;
}

/** `mark`: the key that says that it was brought in. `lost`: what was known, by the keys of counters, of data that are lost. */
export function describeBringIn(
  counted: readonly Counted[],
  nowMs: number,
  mark: string,
  lost?: ReadonlyMap<string, number>,
): ScriptCall {
  const keys: string[] = [];
  const args: (string | number)[] = [nowMs, '', MARK_MS];
  for (const { limit, amount, atMs, part } of counted) {
    const key = keyOf(limit, atMs);
    const ofLost = lost?.get(key);
    const known = ofLost ?? knownOf(limit, atMs);
    keys.push(key);
    args.push(LIMIT_KINDS[limit.kind].counts, amount, atMs, ttlOf(limit, atMs, nowMs), known, part);
    args.push(ofLost === undefined ? 0 : 1);
  }
  keys.push(mark);
  return { keys, args };
}

/**
 * What names a call among what is not in the counters yet: one that its instance settled, or one that a process left that is no more.
 */
const CALL = 'call:';
/** Of the same length. One that its instance noted before it sent it. */
const UNSENT = 'kept:';
/** Those that a process left. */
export const LEFT = 'left';
const LEFT_SHARED = `${LEFT}:`;
const LEFT_ALONE = `${LEFT}!`;

export interface OthersCall {
  name: 'bringIn' | 'recover';
  call: ScriptCall;
}

/** The same of what others noted that was spent. */
export function describeOthers(
  rows: readonly UncountedSpendingRow[],
  nowMs: number,
  nextMark: () => string,
): OthersCall[] {
  const calls: OthersCall[] = [];
  const [ofCalls, parts] = [rows.filter(isOfCall), rows.filter((row) => !isOfCall(row))];
  for (const batch of inBatches(parts)) {
    const args = batch.flatMap(({ amount, expires_at, source }) => [
      'budget',
      amount,
      nowMs,
      Math.max(1, expires_at - nowMs),
      0,
      source,
      0,
    ]);
    const keys = [...batch.map(({ counter }) => counter), nextMark()];
    calls.push({ name: 'bringIn', call: { keys, args: [nowMs, '', MARK_MS, ...args] } });
  }
  const ofBudgets = Map.groupBy(ofCalls, ({ counter, source }) => `${isOpenWhereUnknown(source)} ${counter}`);
  for (const ofBudget of ofBudgets.values()) {
    for (const part of inBatches(ofBudget)) {
      const [first] = part;
      if (!first) continue;
      const ttlMs = Math.max(1, first.expires_at - nowMs);
      const sure = isOpenWhereUnknown(first.source) ? 1 : 0;
      const args = part.flatMap(({ source, amount }) => [source.slice(CALL.length), amount]);
      calls.push({
        name: 'recover',
        call: { keys: [first.counter], args: [nowMs, sure, ttlMs, 'budget', ...args] },
      });
    }
  }
  return calls;
}

function isOfCall({ source }: UncountedSpendingRow): boolean {
  return [CALL, UNSENT, LEFT_SHARED, LEFT_ALONE].some((name) => source.startsWith(name));
}

/** One of which the counters know nothing is to be counted: they lost it, or never had it. */
function isOpenWhereUnknown(source: string): boolean {
  return source.startsWith(UNSENT) || source.startsWith(LEFT_ALONE);
}

/** What a settlement, or a recovery, says was spent of a budget. */
export interface ToldSpending {
  counter: string;
  source: string;
  amount: number;
  expiresAt: number;
}

export function spendingsOfSettlement(call: ScriptCall, nowMs: number): ToldSpending[] {
  const { keys, args } = call;
  const told: ToldSpending[] = [];
  for (const [index, counter] of keys.slice(0, -1).entries()) {
    const [counts, , used, , ttlMs] = args.slice(4 + 5 * index);
    if (counts !== 'budget' || !(Number(used) > 0)) continue;
    const source = `${isNoted(call) ? UNSENT : CALL}${args[1]}`;
    told.push({ counter, source, amount: Number(used), expiresAt: nowMs + Number(ttlMs) });
  }
  return told;
}

export function spendingsOfRecovery({ keys, args }: ScriptCall, nowMs: number): ToldSpending[] {
  const told: ToldSpending[] = [];
  const expiresAt = nowMs + Number(args[2]);
  const left = args[1] === 1 ? LEFT_ALONE : LEFT_SHARED;
  for (let at = 4; at < args.length; at += 2) {
    const amount = Number(args[at + 1]);
    if (amount > 0) told.push({ counter: keys[0] ?? '', source: `${left}${args[at]}`, amount, expiresAt });
  }
  return told;
}

/** A script for each limit, and for calls that were counted alone one of their own. */
export function describeRecoveries(spendings: readonly Spending[], nowMs: number): ScriptCall[] {
  const calls: ScriptCall[] = [];
  const alike = Map.groupBy(
    spendings,
    ({ limit, atMs, countedAlone }) => `${countedAlone} ${keyOf(limit, atMs)}`,
  );
  for (const ofLimit of alike.values()) {
    for (const part of inBatches(ofLimit)) {
      const [first] = part;
      if (!first) continue;
      // All of them are of one period.
      const ttlMs = ttlOf(first.limit, first.atMs, nowMs);
      const { counts } = LIMIT_KINDS[first.limit.kind];
      const args: (string | number)[] = [nowMs, first.countedAlone ? 1 : 0, ttlMs, counts];
      for (const { callId, amount } of part) args.push(callId, amount);
      calls.push({ keys: [keyOf(first.limit, first.atMs)], args });
    }
  }
  return calls;
}

export function readRefusal(
  [place = 0, left = 0, wait = -1, underWay = 0]: number[],
  asked: readonly Limit[],
  demand: Demand,
  atMs: number,
): Refusal {
  const limit = asked[place - 1];
  if (!limit) throw new Error(`the script refused limit ${place} of ${asked.length}`);
  const { measure, period } = limit;
  const waitMs = period ? PERIODS[period](atMs).endMs - atMs : wait;
  const isKnown = waitMs >= 0 && waitMs !== Number.POSITIVE_INFINITY;
  return {
    limit,
    amount: demand[measure],
    available: left,
    underWay,
    waitMs: isKnown ? waitMs : undefined,
    atMs,
  };
}

export function readNumbers(reply: unknown): number[] {
  if (!Array.isArray(reply)) throw new Error('a script gave no list');
  return reply.map(Number);
}

/** What one script changes, or how many are sent before their answers are waited for. */
const BATCH = 200;

export function* inBatches<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += BATCH) yield all.slice(from, from + BATCH);
}
