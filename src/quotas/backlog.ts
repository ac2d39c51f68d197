import type { UncountedSpendingRow } from '../store/schema.ts';
import { isBudget } from './budget-index.ts';
import { CountedAlone } from './counted-alone.ts';
import { BudgetCounter } from './counters.ts';
import type { Limit } from './limit.ts';
import type { Reservation, Spending, Used } from './reservation.ts';
import {
  describeBringIn,
  describeOthers,
  describeRecoveries,
  inBatches,
  keyOf,
  knownBudgets,
  knownOf,
  notedOf,
  PREFIX,
  readNumbers,
  resendOf,
  spendingsOfRecovery,
  spendingsOfSettlement,
  type ToldSpending,
} from './script-calls.ts';
import type { ScriptCall } from './script-frame.ts';
import { DataLost, type ScriptName, Unanswered } from './shared-counters.ts';
import type { Uncounted } from './uncounted.ts';

/** Settlements that wait for the counters to come back; some 50 MB. */
const MAX_UNSENT = 100_000;

export interface BacklogOptions {
  uncounted: Uncounted;
  instance: string;
  now: () => number;
  /** All of the configuration in force. */
  limits: () => readonly Limit[];
  /** Rejects where the counters are away. */
  run: (name: ScriptName, call: ScriptCall) => Promise<unknown>;
}

/**
 * What the shared counters are to be told when they are there: what calls used without them, settlements that did not get there, calls of
 * processes that are no more, and what is known to be spent. Each is kept until they have it, and noted for others (`uncounted.ts`).
 */
export class Backlog {
  readonly #uncounted: Uncounted;
  readonly #instance: string;
  readonly #now: () => number;
  readonly #limits: BacklogOptions['limits'];
  readonly #run: BacklogOptions['run'];
  readonly #alone: CountedAlone;
  #unsent: ScriptCall[] = [];
  /** By counter and call. */
  readonly #unrecovered = new Map<string, Spending>();
  /** What the counters say is spent, by their keys, until the counters of this process know it. */
  readonly #spentThere = new Map<string, number>();
  /** What was known to be spent, by their keys, of data that they lost: until they are told. */
  #knownOfLost: ReadonlyMap<string, number> | undefined;
  #lost = 0;
  #marks = 0;

  constructor({ uncounted, instance, now, limits, run }: BacklogOptions) {
    this.#uncounted = uncounted;
    this.#instance = instance;
    this.#now = now;
    this.#limits = limits;
    this.#run = run;
    this.#alone = new CountedAlone(uncounted, instance);
  }

  /** How much of this process waits. */
  get size(): number {
    return this.#unsent.length + this.#alone.size;
  }

  /** How many settlements there was no room for, since this was asked last. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  /** A settlement that is to be sent. */
  keep(call: ScriptCall): void {
    this.#keep(call);
  }

  #keep(call: ScriptCall): ScriptCall | undefined {
    if (this.#unsent.length >= MAX_UNSENT) {
      this.#lost += 1;
      return undefined;
    }
    const noted = notedOf(call);
    this.#unsent.push(noted);
    this.#note(spendingsOfSettlement(noted, this.#now()));
    return noted;
  }

  /** One that was sent: whether it did anything is not known, or that it did nothing. */
  keepFailed(call: ScriptCall, error: unknown): void {
    const kept = this.#keep(error instanceof DataLost ? call : resendOf(call));
    if (!kept || !(error instanceof Unanswered)) return;
    // Should they lose their data, only that tells whether it was counted in what is lost.
    void error.late.then(
      (reply) => {
        if (!this.#takeBack(kept)) return;
        this.#noteSpent(call, reply);
        this.#learnCounted();
      },
      (late: unknown) => {
        if (late instanceof DataLost && this.#takeBack(kept)) this.keep(call);
      },
    );
  }

  /** False where it was sent again. */
  #takeBack(call: ScriptCall): boolean {
    const at = this.#unsent.indexOf(call);
    if (at < 0) return false;
    this.#unsent.splice(at, 1);
    this.#drop(spendingsOfSettlement(call, this.#now()));
    return true;
  }

  /** A call ended that was counted in this process. */
  noteAlone(reservation: Reservation, used: Used): void {
    this.#alone.note(reservation, used, this.#now());
  }

  forgetExpired(): void {
    this.#alone.forgetExpired(this.#now());
  }

  /** However often it is told the same. */
  keepRecovered(spendings: readonly Spending[]): void {
    const nowMs = this.#now();
    for (const spending of spendings) {
      this.#unrecovered.set(`${keyOf(spending.limit, spending.atMs)} ${spending.callId}`, spending);
    }
    for (const call of describeRecoveries(spendings, nowMs)) this.#note(spendingsOfRecovery(call, nowMs));
  }

  async sendRecovered(): Promise<void> {
    const due = [...this.#unrecovered];
    const calls = describeRecoveries(
      due.map(([, spending]) => spending),
      this.#now(),
    );
    for (const batch of inBatches(calls)) {
      await Promise.all(batch.map((call) => this.#count('recover', call)));
      for (const call of batch) this.#drop(spendingsOfRecovery(call, this.#now()));
    }
    this.#learnCounted();
    for (const [place, spending] of due) {
      if (this.#unrecovered.get(place) === spending) this.#unrecovered.delete(place);
    }
  }

  /** Before their answers tell of new data, which may have been spent of already. */
  noteLost(): void {
    const nowMs = this.#now();
    const known = knownBudgets(this.#limits(), nowMs);
    this.#knownOfLost = new Map(known.map(({ limit }) => [keyOf(limit, nowMs), knownOf(limit, nowMs)]));
  }

  /** What is known to be spent of budgets, where they do not know it (any more). */
  async tellKnown(limits: readonly Limit[]): Promise<void> {
    const known = knownBudgets(limits, this.#now());
    // One at least: that the counters can be read does not mean that they can be written.
    const batches = known.length > 0 ? inBatches(known) : [known];
    const lost = this.#knownOfLost;
    for (const batch of batches) {
      await this.#run('bringIn', describeBringIn(batch, this.#now(), this.#nextMark(), lost));
    }
    // From now on what is known is known of these data.
    if (this.#knownOfLost === lost) this.#knownOfLost = undefined;
  }

  bringInAlone(): Promise<void> {
    const brought = this.#alone.bringIn(
      (call) => this.#count('bringIn', call),
      this.#now(),
      () => this.#nextMark(),
    );
    return brought.finally(() => this.#learnCounted());
  }

  async sendSettlements(): Promise<void> {
    const due = this.#unsent;
    this.#unsent = [];
    for (const batch of inBatches(due)) {
      const sent = await Promise.allSettled(batch.map((call) => this.#count('settle', call)));
      for (const [index, outcome] of sent.entries()) {
        const call = batch[index];
        if (!call) continue;
        if (outcome.status === 'rejected') this.keepFailed(call, outcome.reason);
        else this.#drop(spendingsOfSettlement(call, this.#now()));
      }
    }
    this.#learnCounted();
    if (this.#unsent.length > 0) throw new Error('some calls could not be settled');
  }

  /** What others spent who are away themselves, or no more. */
  async bringInOthers(): Promise<void> {
    const nowMs = this.#now();
    let rows: UncountedSpendingRow[];
    try {
      rows = await this.#uncounted.readOthers(nowMs);
    } catch {
      // A store that fails has its own alarm; this is done again.
      return;
    }
    for (const { name, call } of describeOthers(rows, nowMs, () => this.#nextMark())) {
      await this.#count(name, call);
    }
    this.#learnCounted();
    // Where that fails they are brought in again, which does nothing.
    await this.#uncounted.remove(rows).catch(() => {});
  }

  async #count(name: 'bringIn' | 'settle' | 'recover', call: ScriptCall): Promise<void> {
    this.#noteSpent(call, await this.#run(name, call));
  }

  #noteSpent({ keys }: ScriptCall, reply: unknown): void {
    const spent = readNumbers(reply);
    for (const [index, key] of keys.entries()) {
      const there = spent[index] ?? -1;
      if (there > 0) this.#spentThere.set(key, Math.max(there, this.#spentThere.get(key) ?? 0));
    }
  }

  /** They are told it where they lose it, before anybody counts in them again. */
  #learnCounted(): void {
    if (this.#spentThere.size === 0) return;
    const nowMs = this.#now();
    for (const limit of this.#limits()) {
      const spent = isBudget(limit) ? this.#spentThere.get(keyOf(limit, nowMs)) : undefined;
      if (spent !== undefined && limit.counter instanceof BudgetCounter)
        limit.counter.learnBrought(spent, nowMs);
    }
    this.#spentThere.clear();
  }

  #note(spendings: readonly ToldSpending[]): void {
    for (const { counter, source, amount, expiresAt } of spendings)
      this.#uncounted.note(counter, source, amount, expiresAt);
  }

  #drop(spendings: readonly ToldSpending[]): void {
    for (const { counter, source } of spendings) this.#uncounted.drop(counter, source);
  }

  #nextMark(): string {
    return `${PREFIX}brought:${this.#instance}:${++this.#marks}`;
  }
}
