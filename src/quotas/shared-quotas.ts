import { appendAll } from '../conversation/append-all.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Schedule } from '../usage/ledger.ts';
import { BudgetCounter } from './counters.ts';
import { type Demand, LIMIT_KINDS, type Limit } from './limit.ts';
import type { LocalQuotas } from './local-quotas.ts';
import {
  concerns,
  type Quotas,
  type Refusal,
  Reservation,
  USED_NOTHING,
  type Used,
  usedOf,
  VOID,
} from './reservation.ts';
import {
  describeRenewal,
  describeReserve,
  describeSettlement,
  isHeldByCall,
  keyOf,
  LEASE_MS,
  MARK_MS,
  PREFIX,
  readNumbers,
  readRefusal,
  resendOf,
  ttlOf,
} from './script-calls.ts';
import { type ScriptCall, SharedCounters } from './shared-counters.ts';
import { sliceAt, sliceExpiry } from './window.ts';

const RENEW_MS = LEASE_MS / 3;
/** Settlements that wait for the counters to come back; some 50 MB. */
const MAX_UNSENT = 100_000;
/** Counters that are brought in with one script. */
const BRING_IN_BATCH = 200;

export interface SharedQuotasOptions {
  url: string;
  /** How long a call waits for the shared counters. */
  replyMs: number;
  /** When the shared counters are away: count in this process alone, or let no call through that has limits. */
  onStateLoss: 'local' | 'deny';
  local: LocalQuotas;
  /** All limits of the configuration in force. */
  limits: () => readonly Limit[];
  now: () => number;
  schedule: Schedule;
  log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
}

/** What was counted here while the shared counters were away. */
interface Uncounted {
  limit: Limit;
  amount: number;
  atMs: number;
}

/**
 * Counts calls in a Redis that instances share: one script for all limits of a call before it, one after it that nobody
 * waits for. While the Redis is away the calls are counted in this process or refused; what was counted is brought in
 * when it is back, and the calls that still run then are counted there from then on.
 */
export class SharedQuotas implements Quotas {
  readonly #options: SharedQuotasOptions;
  readonly #local: LocalQuotas;
  readonly #now: () => number;
  readonly #shared: SharedCounters;
  readonly #running = new Set<Reservation>();
  /** Used by calls that ran without the shared counters, by key and slice. */
  readonly #uncounted = new Map<string, Uncounted>();
  #unsent: ScriptCall[] = [];
  #lost = 0;
  #awayAtMs: number | undefined;
  readonly #sending = new Set<Promise<unknown>>();
  #cancelRenewal: (() => void) | undefined;
  /** Scripts that bring in, of which it is not known whether they ran. */
  readonly #unbrought: ScriptCall[] = [];
  #brought = 0;
  readonly #instance: string;

  constructor(options: SharedQuotasOptions, instance: string) {
    this.#options = options;
    this.#local = options.local;
    this.#now = options.now;
    this.#instance = instance;
    this.#shared = new SharedCounters({
      url: options.url,
      replyMs: options.replyMs,
      schedule: options.schedule,
      listener: {
        onAway: (reason) => this.#noteAway(reason),
        onBack: () => this.#bringIn(),
        onHere: () => this.#bringInLate(),
      },
    });
  }

  async open(): Promise<void> {
    await this.#shared.open();
    this.#renewLater();
  }

  /** Where the shared counters are away they are told when they are back, as all that is known here. */
  async learn(limits: readonly Limit[]): Promise<void> {
    const nowMs = this.#now();
    // It is in the records, which were read since.
    for (const limit of limits) this.#uncounted.delete(placeOf(limit, nowMs));
    if (!this.#shared.isHere) return;
    for (const batch of inBatches(knownBudgets(limits, nowMs))) {
      try {
        await this.#shared.run('bringIn', this.#describeBringIn(batch));
      } catch {
        return;
      }
    }
  }

  reserve(
    limits: readonly Limit[],
    demand: Demand,
    callId: string,
  ): Reservation | Refusal | Promise<Reservation | Refusal> {
    if (!this.#shared.isHere) return this.#reserveAlone(limits, demand);
    const nowMs = this.#now();
    const asked = limits.filter((limit) => concerns(limit, demand));
    const call = describeReserve(asked, demand, callId, nowMs, false);
    return this.#shared.run('reserve', call).then(
      (reply) => this.#read(reply, limits, asked, demand, callId, nowMs),
      () => {
        this.#releaseUnanswered(new Reservation(limits, demand, nowMs), callId);
        return this.#reserveAlone(limits, demand);
      },
    );
  }

  settle(reservation: Reservation, used: Used): void {
    if (reservation.settled) return;
    this.#running.delete(reservation);
    if (reservation.sharedId === undefined) {
      this.#local.settle(reservation, used);
      this.#noteUncounted(reservation, used);
      return;
    }
    reservation.settled = true;
    if (!this.#shared.isHere) this.#settleElsewhere(reservation, used);
    this.#sendSettlement(reservation, reservation.sharedId, used);
  }

  async close(): Promise<void> {
    this.#cancelRenewal?.();
    await Promise.all(this.#sending);
    const unsent = this.#unsent.length + this.#uncounted.size + this.#unbrought.length;
    if (unsent > 0) {
      this.#options.log.error(
        { event: 'quota_state_unsent', settlements: unsent },
        'the shared counters of limits are away: what was counted here is not brought in',
      );
    }
    this.#shared.close();
  }

  #reserveAlone(limits: readonly Limit[], demand: Demand): Reservation | Refusal {
    if (this.#options.onStateLoss === 'deny') {
      throw new GatewayError(
        'overloaded',
        'The gateway cannot count calls against their limits at the moment; try again.',
        { code: 'quota_state_lost', retryAfterMs: 1000 },
      );
    }
    const outcome = this.#local.reserve(limits, demand);
    if (outcome instanceof Reservation) this.#running.add(outcome);
    return outcome;
  }

  #read(
    reply: unknown,
    limits: readonly Limit[],
    asked: readonly Limit[],
    demand: Demand,
    callId: string,
    atMs: number,
  ): Reservation | Refusal {
    const [granted, ...numbers] = readNumbers(reply);
    if (granted !== 1) return readRefusal(numbers, asked, demand, atMs);
    const reservation = new Reservation(limits, demand, atMs);
    reservation.sharedId = callId;
    for (const [index, limit] of asked.entries()) {
      const [left = 0, spent = 0, reserved = 0] = numbers.slice(3 * index);
      reservation.noteLeft(limit, left);
      if (limit.counter instanceof BudgetCounter) limit.counter.learn(spent, reserved, atMs);
    }
    this.#running.add(reservation);
    return reservation;
  }

  /** It may have been taken there or not: what can be told by the call's id is given back when they are back. */
  #releaseUnanswered(reservation: Reservation, callId: string): void {
    const call = describeSettlement(reservation, callId, VOID, this.#now(), isHeldByCall);
    if (call) this.#keep(call);
  }

  /** What this process knows of a budget while it is alone. */
  #settleElsewhere({ limits, demand, atMs }: Reservation, used: Used): void {
    for (const limit of limits) {
      if (!concerns(limit, demand) || !(limit.counter instanceof BudgetCounter)) continue;
      limit.counter.settleElsewhere(demand[limit.measure], usedOf(limit, used), atMs);
    }
  }

  #sendSettlement(reservation: Reservation, sharedId: string, used: Used): void {
    const call = describeSettlement(reservation, sharedId, used, this.#now());
    if (call) this.#sendOrKeep(call);
  }

  #sendOrKeep(call: ScriptCall): void {
    if (!this.#shared.isHere) {
      this.#keep(call);
      return;
    }
    this.#track(this.#shared.run('settle', call).catch(() => this.#keep(resendOf(call))));
  }

  #keep(call: ScriptCall): void {
    if (this.#unsent.length < MAX_UNSENT) this.#unsent.push(call);
    else this.#lost += 1;
  }

  #noteUncounted({ limits, demand, atMs }: Reservation, used: Used): void {
    for (const limit of limits) {
      const amount = usedOf(limit, used);
      const isSlot = LIMIT_KINDS[limit.kind].counts === 'slots';
      if (!concerns(limit, demand) || isSlot || amount === 0) continue;
      const key = placeOf(limit, atMs);
      const known = this.#uncounted.get(key);
      if (known) known.amount += amount;
      else this.#uncounted.set(key, { limit, amount, atMs });
    }
    // It began while the counters were away, and they are back.
    if (this.#shared.isHere) this.#bringInLate();
  }

  /** What was counted alone by calls that ended when the counters were back. */
  #bringInLate(): void {
    if (this.#uncounted.size === 0 && this.#unsent.length === 0 && this.#unbrought.length === 0) return;
    // What does not get there stays for when they are back once more, which `run` has noted.
    this.#track(Promise.allSettled([this.#bringInUncounted(), this.#resendSettlements()]));
  }

  /** Waited for when the gateway stops. */
  #track(work: Promise<unknown>): void {
    this.#sending.add(work);
    void work.then(() => this.#sending.delete(work));
  }

  #noteAway(reason: string): void {
    this.#awayAtMs = this.#now();
    const { onStateLoss } = this.#options;
    this.#options.log.error(
      { event: 'quota_state_lost', reason, onStateLoss },
      onStateLoss === 'deny'
        ? 'the shared counters of limits are away: calls that have limits are refused'
        : 'the shared counters of limits are away: calls are counted in this process alone',
    );
  }

  /** Rejects where they are away again; what was not brought in yet stays for the next time. */
  async #bringIn(): Promise<void> {
    await this.#seedBudgets();
    await this.#bringInUncounted();
    await this.#resendSettlements();
    await this.#moveRunning();
    // Calls that ended meanwhile.
    await this.#bringInUncounted();
    if (this.#awayAtMs === undefined) return;
    const awayMs = this.#now() - this.#awayAtMs;
    this.#options.log.warn(
      { event: 'quota_state_back', awayMs, settlementsLost: this.#lost },
      'the shared counters of limits are back: what was counted alone was brought in',
    );
    this.#awayAtMs = undefined;
    this.#lost = 0;
  }

  /** What is known to be spent, where they do not know it (any more). */
  async #seedBudgets(): Promise<void> {
    const known = knownBudgets(this.#options.limits(), this.#now());
    // One at least: that the counters can be read does not mean that they can be written.
    const batches = known.length > 0 ? inBatches(known) : [known];
    for (const batch of batches) await this.#shared.run('bringIn', this.#describeBringIn(batch));
  }

  /** What was counted here up to now; what comes meanwhile is for the next time, or it might never end. */
  async #bringInUncounted(): Promise<void> {
    const calls = [...inBatches([...this.#uncounted.values()])].map((batch) => this.#describeBringIn(batch));
    this.#uncounted.clear();
    appendAll(this.#unbrought, calls);
    for (let left = this.#unbrought.length; left > 0; left--) {
      const call = this.#unbrought.shift();
      if (!call) return;
      try {
        await this.#shared.run('bringIn', call);
      } catch (error) {
        // Whether it was counted is not known: the same call is sent again, and counts once.
        this.#unbrought.push(call);
        throw error;
      }
    }
  }

  async #resendSettlements(): Promise<void> {
    const due = this.#unsent;
    this.#unsent = [];
    for (const batch of inBatches(due)) {
      const sent = await Promise.allSettled(batch.map((call) => this.#shared.run('settle', call)));
      for (const [index, { status }] of sent.entries()) {
        const call = batch[index];
        if (status === 'rejected' && call) this.#keep(resendOf(call));
      }
    }
    if (this.#unsent.length > 0) throw new Error('some calls could not be settled');
  }

  /** Calls that still run and were counted here are counted there from now on. */
  async #moveRunning(): Promise<void> {
    const alone = [...this.#running].filter(({ sharedId }) => sharedId === undefined);
    for (const batch of inBatches(alone))
      await Promise.all(batch.map((reservation) => this.#move(reservation)));
  }

  async #move(reservation: Reservation): Promise<void> {
    const { limits, demand } = reservation;
    const asked = limits.filter((limit) => concerns(limit, demand));
    const id = `moved:${this.#instance}:${++this.#brought}`;
    const atMs = this.#now();
    await this.#shared.run('reserve', describeReserve(asked, demand, id, atMs, true));
    if (reservation.settled) {
      // It ended meanwhile, and what it used is brought in beside this.
      this.#sendSettlement(new Reservation(limits, demand, atMs), id, VOID);
      return;
    }
    this.#local.settle(reservation, USED_NOTHING);
    reservation.moveTo(id, atMs);
  }

  #describeBringIn(counted: readonly Uncounted[]): ScriptCall {
    const nowMs = this.#now();
    const keys: string[] = [];
    const args: (string | number)[] = [nowMs, '', 0];
    let markMs = MARK_MS;
    for (const { limit, amount, atMs } of counted) {
      const { counter, kind } = limit;
      const known = counter instanceof BudgetCounter ? counter.learned(atMs) : 0;
      const ttlMs = ttlOf(limit, atMs, nowMs);
      keys.push(keyOf(limit, atMs));
      args.push(LIMIT_KINDS[kind].counts, amount, atMs, ttlMs, known);
      markMs = Math.max(markMs, ttlMs);
    }
    // As long as what it changes: it is sent again until there is an answer, however long that takes.
    args[2] = markMs;
    keys.push(`${PREFIX}brought:${this.#instance}:${++this.#brought}`);
    return { keys, args };
  }

  #renewLater(): void {
    this.#cancelRenewal = this.#options.schedule(() => {
      this.#renew();
      this.#renewLater();
    }, RENEW_MS);
  }

  #renew(): void {
    const nowMs = this.#now();
    this.#forgetExpired(nowMs);
    if (!this.#shared.isHere) return;
    this.#bringInLate();
    for (const reservation of this.#running) {
      const call = describeRenewal(reservation, nowMs);
      // Where it is away, that is noted; the lease is long enough for the next time.
      if (call) this.#shared.run('renew', call).catch(() => {});
    }
  }

  /** Rates of more than a minute ago count nowhere: they need not be kept for when the counters are back. */
  #forgetExpired(nowMs: number): void {
    for (const [key, { limit, atMs }] of this.#uncounted) {
      const isRate = LIMIT_KINDS[limit.kind].counts === 'window';
      if (isRate && sliceExpiry(sliceAt(atMs)) <= nowMs) this.#uncounted.delete(key);
    }
  }
}

/** Nothing is counted; it is only told what is known to be spent. */
function knownBudgets(limits: readonly Limit[], atMs: number): Uncounted[] {
  const known: Uncounted[] = [];
  for (const limit of limits) {
    const counter = limit.knownCounter;
    if (counter instanceof BudgetCounter && counter.learned(atMs) > 0) known.push({ limit, amount: 0, atMs });
  }
  return known;
}

/** Names what a limit counts at a moment: its counter, and of a minute the slice. */
function placeOf(limit: Limit, atMs: number): string {
  const isWindow = LIMIT_KINDS[limit.kind].counts === 'window';
  return `${keyOf(limit, atMs)}#${isWindow ? sliceAt(atMs) : ''}`;
}

function* inBatches<T>(all: readonly T[]): Generator<T[]> {
  for (let from = 0; from < all.length; from += BRING_IN_BATCH) yield all.slice(from, from + BRING_IN_BATCH);
}
