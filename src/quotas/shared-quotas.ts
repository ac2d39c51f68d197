import { GatewayError } from '../conversation/gateway-error.ts';
import type { Schedule } from '../usage/ledger.ts';
import { Backlog } from './backlog.ts';
import { isBudget } from './budget-index.ts';
import { BudgetCounter } from './counters.ts';
import type { Demand, Limit } from './limit.ts';
import type { LocalQuotas } from './local-quotas.ts';
import {
  concerns,
  type Quotas,
  type Refusal,
  Reservation,
  type Spending,
  type Used,
  usedOf,
  VOID,
} from './reservation.ts';
import { RunningCalls } from './running-calls.ts';
import {
  describeReserve,
  describeSettlement,
  isHeldByCall,
  keyOf,
  LEASE_MS,
  notedOf,
  readNumbers,
  readRefusal,
} from './script-calls.ts';
import type { ScriptCall } from './script-frame.ts';
import { SharedCounters } from './shared-counters.ts';
import { noteSpentElsewhere } from './spent-budgets.ts';
import { StateNews, type StateNewsOptions } from './state-news.ts';
import type { Uncounted } from './uncounted.ts';

const RENEW_MS = LEASE_MS / 3;

export interface SharedQuotasOptions extends StateNewsOptions {
  url: string;
  /** How long a call waits for the shared counters. */
  replyMs: number;
  local: LocalQuotas;
  /** All limits of the configuration in force. */
  limits: () => readonly Limit[];
  uncounted: Uncounted;
  schedule: Schedule;
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
  readonly #running: RunningCalls;
  readonly #uncounted: Uncounted;
  readonly #backlog: Backlog;
  readonly #news: StateNews;
  readonly #settling = new Set<Promise<unknown>>();
  readonly #sending = new Set<Promise<unknown>>();
  #cancelRenewal: (() => void) | undefined;
  #renewing = false;

  constructor(options: SharedQuotasOptions, instance: string) {
    this.#options = options;
    this.#local = options.local;
    this.#now = options.now;
    this.#news = new StateNews(options);
    this.#uncounted = options.uncounted;
    this.#shared = new SharedCounters({
      url: options.url,
      instance,
      replyMs: options.replyMs,
      schedule: options.schedule,
      listener: {
        onAway: (reason) => this.#news.tellAway(reason),
        onLost: () => this.#backlog.noteLost(),
        onBack: (lost) => this.#bringIn(lost),
        onHere: () => this.#bringInLate(),
      },
    });
    this.#running = new RunningCalls({
      now: options.now,
      local: options.local,
      run: (name, call) => this.#shared.run(name, call),
    });
    this.#backlog = new Backlog({
      uncounted: options.uncounted,
      instance,
      now: options.now,
      limits: options.limits,
      run: (name, call) => this.#shared.run(name, call),
    });
  }

  async open(): Promise<void> {
    await this.#shared.open();
    this.#renewLater();
  }

  /** Where the shared counters are away they are told when they are back, as all that is known here. */
  async learn(limits: readonly Limit[]): Promise<void> {
    if (!this.#shared.isHere) return;
    try {
      // What the records say they say of these calls, too.
      await this.#backlog.sendRecovered();
      await this.#backlog.tellKnown(limits);
    } catch {
      // Which is noted.
    }
  }

  async noteRecovered(spendings: readonly Spending[]): Promise<void> {
    this.#backlog.keepRecovered(spendings);
    await this.#uncounted.save();
  }

  async recover(spendings: readonly Spending[]): Promise<void> {
    this.#backlog.keepRecovered(spendings);
    try {
      if (this.#shared.isHere) await this.#backlog.sendRecovered();
      await this.#uncounted.save();
    } catch {
      // Sent again when they are back, which is noted; and saved again.
    }
  }

  /** There it is once what a call is that began alone and never ended. */
  async charge(spendings: readonly Spending[]): Promise<void> {
    if (!this.#shared.isHere) noteSpentElsewhere(spendings);
    await this.recover(spendings);
  }

  /** What is settled there at the moment is waited for: where it does not get there, it is to be noted. */
  async noteUncounted(): Promise<void> {
    await Promise.all(this.#settling);
    await this.#uncounted.save();
  }

  sumUncounted(): Promise<ReadonlyMap<string, number>> {
    return this.#uncounted.sum();
  }

  reserve(
    limits: readonly Limit[],
    demand: Demand,
    callId: string,
  ): Reservation | Refusal | Promise<Reservation | Refusal> {
    if (!this.#shared.isHere) return this.#reserveAlone(limits, demand, callId);
    const nowMs = this.#now();
    const asked = limits.filter((limit) => concerns(limit, demand));
    const call = describeReserve(asked, demand, callId, nowMs);
    return this.#shared.run('reserve', call).then(
      (reply) => this.#read(reply, limits, asked, demand, callId, nowMs),
      () => {
        this.#releaseUnanswered(new Reservation(limits, demand, nowMs), callId);
        return this.#reserveAlone(limits, demand, callId);
      },
    );
  }

  settle(reservation: Reservation, used: Used): void {
    if (reservation.settled) return;
    if (reservation.sharedId === undefined) {
      this.#settleAlone(reservation, used);
      return;
    }
    this.#running.remove(reservation);
    reservation.settled = true;
    if (!this.#shared.isHere) this.#settleElsewhere(reservation, used);
    this.#sendSettlement(
      reservation,
      reservation.sharedId,
      used,
      reservation.endedThere ? isBudget : undefined,
    );
  }

  end(reservation: Reservation, used: Used): void {
    const { sharedId } = reservation;
    if (sharedId === undefined) this.#local.end(reservation, used);
    else if (!reservation.settled && !reservation.endedThere) {
      reservation.endedThere = true;
      this.#sendSettlement(reservation, sharedId, used, (limit) => !isBudget(limit));
    }
  }

  async close(): Promise<void> {
    this.#cancelRenewal?.();
    await Promise.all([...this.#settling, ...this.#sending]);
    const unsent = this.#backlog.size;
    try {
      await this.#uncounted.save();
      if (unsent > 0)
        this.#news.tellUnsent('info', 'others bring in what was spent here when they are back', unsent);
    } catch {
      this.#news.tellUnsent('alarm', 'what was counted here is not brought in', unsent);
    }
    await this.#shared.close();
    // What a look for them began that was under way.
    await Promise.all([...this.#settling, ...this.#sending]);
  }

  #reserveAlone(limits: readonly Limit[], demand: Demand, callId: string): Reservation | Refusal {
    if (this.#options.onStateLoss === 'deny') {
      throw new GatewayError(
        'overloaded',
        'The gateway cannot count calls against their limits at the moment; try again.',
        { code: 'quota_state_lost', retryAfterMs: 1000 },
      );
    }
    const outcome = this.#local.reserve(limits, demand);
    if (outcome instanceof Reservation) this.#running.add(outcome, callId);
    return outcome;
  }

  #settleAlone(reservation: Reservation, used: Used): void {
    const callId = this.#running.remove(reservation);
    this.#local.settle(reservation, used);
    // What it used is brought in.
    if (callId !== undefined && this.#running.isMoving(reservation))
      this.#releaseUnanswered(reservation, callId);
    this.#noteUncounted(reservation, used);
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
    let isLess = false;
    for (const [index, limit] of asked.entries()) {
      const [left = 0, spent = 0, reserved = 0] = numbers.slice(3 * index);
      reservation.noteLeft(limit, left);
      if (!(limit.counter instanceof BudgetCounter)) continue;
      if (!limit.counter.learn(spent, reserved, atMs)) isLess = true;
    }
    if (isLess) {
      // What they allowed, they did by less than was spent.
      this.#shared.noteLoss();
      this.#releaseUnanswered(reservation, callId);
      return this.#reserveAlone(limits, demand, callId);
    }
    reservation.sharedId = callId;
    this.#running.add(reservation, callId);
    return reservation;
  }

  /** It may have been taken there or not: what can be told by the call's id is given back when they are back. */
  #releaseUnanswered(reservation: Reservation, callId: string): void {
    const call = describeSettlement(reservation, callId, VOID, this.#now(), isHeldByCall);
    if (call) this.#backlog.keep(call);
  }

  /** What this process knows of a budget while it is alone. */
  #settleElsewhere({ limits, demand, atMs }: Reservation, used: Used): void {
    for (const limit of limits) {
      if (!concerns(limit, demand) || !(limit.counter instanceof BudgetCounter)) continue;
      limit.counter.settleElsewhere(demand[limit.measure], usedOf(limit, used), atMs);
    }
  }

  #sendSettlement(
    reservation: Reservation,
    sharedId: string,
    used: Used,
    isMeant?: (limit: Limit) => boolean,
  ): void {
    const described = describeSettlement(reservation, sharedId, used, this.#now(), isMeant);
    if (!described) return;
    // Should a kill come before its record is written, the journal says that it was counted alone: by what is noted it counts once.
    const call = reservation.wasAlone ? notedOf(described) : described;
    if (!this.#shared.isHere) {
      this.#backlog.keep(call);
      return;
    }
    const settled = this.#shared.run('settle', call).then(
      (reply) => this.#learnSpent(reply, call, reservation, used),
      (error: unknown) => this.#backlog.keepFailed(call, error),
    );
    this.#settling.add(settled);
    void settled.then(() => this.#settling.delete(settled));
  }

  /** What calls spent since the last one began is known, too, should the shared counters lose it. */
  #learnSpent(reply: unknown, { keys }: ScriptCall, { limits, demand, atMs }: Reservation, used: Used): void {
    const numbers = readNumbers(reply);
    for (const limit of limits) {
      const { counter, measure } = limit;
      if (!(counter instanceof BudgetCounter)) continue;
      const spent = numbers[keys.indexOf(keyOf(limit, atMs))] ?? -1;
      if (spent < 0) continue;
      if (!counter.learnSettled(demand[measure], usedOf(limit, used), spent, atMs)) this.#shared.noteLoss();
    }
  }

  #noteUncounted(reservation: Reservation, used: Used): void {
    this.#backlog.noteAlone(reservation, used);
    // It began while the counters were away, and they are back.
    if (this.#shared.isHere) this.#bringInLate();
  }

  /** What was counted alone by calls that ended when the counters were back. */
  #bringInLate(): void {
    if (this.#backlog.size === 0) return;
    // What does not get there stays for when they are back once more, which `run` has noted.
    const brought = Promise.allSettled([this.#backlog.bringInAlone(), this.#backlog.sendSettlements()]);
    this.#track(brought.then(() => this.#saveUncounted()));
  }

  /** Where the store fails it is saved with the next records. */
  #saveUncounted(): void {
    this.#track(this.#uncounted.save().catch(() => {}));
  }

  /** Waited for when the gateway stops. */
  #track(work: Promise<unknown>): void {
    this.#sending.add(work);
    void work.then(() => this.#sending.delete(work));
  }

  /** Rejects where they are away again; what was not brought in yet stays for the next time. */
  async #bringIn(lost: boolean): Promise<void> {
    // Before anything is told of what the records say, for they say it of these calls, too.
    await this.#backlog.sendRecovered();
    await this.#backlog.tellKnown(this.#options.limits());
    await this.#backlog.bringInAlone();
    await this.#backlog.sendSettlements();
    await this.#backlog.bringInOthers();
    await this.#running.move(lost);
    // Calls that ended meanwhile.
    await this.#backlog.bringInAlone();
    this.#saveUncounted();
    this.#news.tellBack(() => this.#backlog.takeLost());
  }

  #renewLater(): void {
    this.#cancelRenewal = this.#options.schedule(() => {
      this.#renew();
      this.#renewLater();
    }, RENEW_MS);
  }

  #renew(): void {
    this.#backlog.forgetExpired();
    if (!this.#shared.isHere) return;
    this.#bringInLate();
    // Where it is away, that is noted; the lease is long enough for the next time.
    if (this.#renewing) return;
    this.#renewing = true;
    void this.#running
      .renew((call) => this.#shared.runLate('renew', call))
      .then(() => this.#backlog.bringInOthers())
      .catch(() => {})
      .finally(() => {
        this.#renewing = false;
      });
  }
}
