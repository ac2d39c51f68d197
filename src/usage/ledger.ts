import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import type { Usage } from '../conversation/usage.ts';
import { RefusedRows, type Store } from '../store/store.ts';
import { boundUsage, toCallRow } from './call-row.ts';
import type { Journal, Segment, StartNote, Waiting } from './journal.ts';
import { readJournal, type StartedCall } from './journal-lines.ts';
import type { PriceBook } from './prices.ts';
import { isPricedByAttempt, OPERATIONS, type UsageRecord } from './record.ts';

/** Runs a task once after a delay; the function given back calls it off. */
export type Schedule = (task: () => void, delayMs: number) => () => void;

export const scheduleTimeout: Schedule = (task, delayMs) => {
  const timer = setTimeout(task, delayMs);
  return () => clearTimeout(timer);
};

/** What an operator has to know. Each deserves a line in the log at the level of errors. */
export type LedgerProblem =
  /** The records are kept and tried again; `null` where it was the last time. */
  | { kind: 'write_failed'; error: unknown; pendingRecords: number; retryInMs: number | null }
  /** There is no room in memory: the records are in the journal alone and read from it when the store works again. */
  | { kind: 'memory_full'; pendingRecords: number }
  /** Records stay in the journal and are stored at the next start. */
  | { kind: 'records_left'; pendingRecords: number }
  /** The store takes all others: this one it refuses, whenever it is asked. The log is the place that holds it. */
  | { kind: 'record_refused'; record: UsageRecord; error: unknown }
  /** The journal cannot be written and there was no room (`full`) or no time (`closed`). The log is the last place that can hold it. */
  | { kind: 'record_lost'; reason: 'full' | 'closed'; record: UsageRecord };

/** Finds out later what a call used, where nobody said. One of the two is called, once. */
export interface Recount {
  /** When the record is about to be written. Gives `undefined` where it stays as it is; never rejects. */
  count(): Promise<Usage | undefined>;
  /** The record was not taken. */
  drop(): void;
}

export interface LedgerOptions {
  store: Pick<Store, 'insertCalls'>;
  prices: Pick<PriceBook, 'costMicroUsd'>;
  /** Where records are before they are in the store. */
  journal: Journal;
  onProblem: (problem: LedgerProblem) => void;
  /** Told of each record that is taken, once, when what it used is counted and priced; also where the store fails. Never throws. */
  observe?: (records: readonly UsageRecord[]) => void;
  schedule?: Schedule;
  /** The longest that a record waits for company. */
  intervalMs?: number;
  /** As many records are written without waiting longer, and at most as many at a time. */
  batchSize?: number;
  /** How many records are kept while the store fails. */
  maxPendingRecords?: number;
}

const INTERVAL_MS = 100;
/** SQLite writes on the thread that serves the calls, at 5 to 10 µs a record: a batch holds them up for 2 to 4 ms. */
const BATCH_SIZE = 400;
/** About 100 MB. */
const MAX_PENDING_RECORDS = 100_000;
/** Some milliseconds of work. */
const OBSERVED_AT_ONCE = 2_000;
const LONGEST_RETRY_MS = 30_000;
const CLOSE_ATTEMPTS = 3;

/**
 * The way of the usage records into the store: noted in the journal at once, priced and written in batches later.
 * A store that fails is tried again, with growing pauses; the records wait for it, in order, up to a bound.
 * A record that was written before (same start and id) is not written again.
 */
export class Ledger {
  readonly #store: Pick<Store, 'insertCalls'>;
  readonly #prices: Pick<PriceBook, 'costMicroUsd'>;
  readonly #journal: Journal;
  readonly #onProblem: (problem: LedgerProblem) => void;
  readonly #observe: ((records: readonly UsageRecord[]) => void) | undefined;
  readonly #schedule: Schedule;
  readonly #intervalMs: number;
  readonly #batchSize: number;
  readonly #maxPendingRecords: number;

  readonly #pending: UsageRecord[] = [];
  readonly #recounts = new Map<UsageRecord, Recount>();
  /** Since the start; the difference is what is pending. */
  #appended = 0;
  #written = 0;
  #observed = 0;
  #writing: Promise<void> | undefined;
  #storing: Promise<void> | undefined;
  /** Set whenever records are pending, unless `#wake` is under way and will set it. */
  #cancelTimer: (() => void) | undefined;
  #failuresInARow = 0;
  #closed = false;
  /** Records are in the journal that are not pending. */
  #hasOverflow = false;

  constructor(options: LedgerOptions) {
    this.#store = options.store;
    this.#prices = options.prices;
    this.#journal = options.journal;
    this.#journal.rewriteFrom(() => ({ records: this.#pending, newest: this.#appended }));
    this.#onProblem = options.onProblem;
    this.#observe = options.observe;
    this.#schedule = options.schedule ?? scheduleTimeout;
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
    this.#batchSize = options.batchSize ?? BATCH_SIZE;
    this.#maxPendingRecords = options.maxPendingRecords ?? MAX_PENDING_RECORDS;
  }

  /** How many records are not in the store yet. */
  get pendingRecords(): number {
    return this.#pending.length;
  }

  /** Notes that a call starts, before its first upstream request. */
  noteStart(call: StartedCall): StartNote {
    return this.#journal.noteStart(call);
  }

  /** Lets `waiting` go on when all that was noted and taken up to now is in the journal: at the end of this turn. */
  wait(waiting: Waiting): void {
    this.#journal.wait(waiting);
  }

  /**
   * Takes a record. On the hot path: it only pushes, and once a batch sets a timer.
   * `started`: the call's note, where its start was noted.
   */
  append(record: UsageRecord, recount?: Recount, started?: StartNote): void {
    if (this.#closed || this.#pending.length >= this.#maxPendingRecords)
      this.#overflow(record, recount, started);
    else this.#take(record, recount, started);
    if (started) this.#journal.settle(started);
  }

  #take(record: UsageRecord, recount: Recount | undefined, started: StartNote | undefined): void {
    if (recount) this.#recounts.set(record, recount);
    this.#appended += 1;
    this.#journal.noteRecord(record, this.#appended, false, started);
    const pending = this.#pending.push(record);
    if (pending === this.#batchSize && this.#failuresInARow === 0) this.#wakeAfter(0);
    else if (!this.#cancelTimer) this.#wakeAfter(this.#intervalMs);
  }

  #overflow(record: UsageRecord, recount: Recount | undefined, started: StartNote | undefined): void {
    recount?.drop();
    if (!this.#journal.isWritable) {
      this.#onProblem({ kind: 'record_lost', reason: this.#closed ? 'closed' : 'full', record });
      return;
    }
    this.#journal.noteRecord(record, this.#appended, true, started);
    if (this.#observe) {
      this.#complete(record);
      this.#observe([record]);
    }
    if (this.#hasOverflow) return;
    this.#hasOverflow = true;
    if (!this.#closed) this.#onProblem({ kind: 'memory_full', pendingRecords: this.#pending.length });
  }

  /** Resolves when every record taken so far is in the store. Rejects, keeping the records, when the store fails. */
  async flush(): Promise<void> {
    const upTo = this.#appended;
    while (this.#written < upTo) {
      await this.#writeBatch();
      // Everything else has its turn between two batches.
      await setImmediate();
    }
  }

  /** Takes no more records and writes what is left. What the store refuses even then is reported, one by one. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelTimer?.();
    await this.#writeAll();
    if (this.#pending.length > 0) this.#giveUp();
    await this.#journal.close();
  }

  async #writeAll(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.flush();
        // What is under way already may have begun before the last of them came.
        while (this.#hasOverflow || this.#storing) await this.#storeOverflow();
        return;
      } catch (error) {
        const retryInMs = attempt === CLOSE_ATTEMPTS ? null : this.#retryDelayMs();
        this.#reportFailure(error, retryInMs);
        if (retryInMs === null) return;
        await new Promise<void>((resolve) => this.#schedule(resolve, retryInMs));
      }
    }
  }

  #wakeAfter(delayMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#schedule(() => {
      this.#cancelTimer = undefined;
      void this.#wake();
    }, delayMs);
  }

  /** Writes a batch and sets the timer for what is left. Never rejects. */
  async #wake(): Promise<void> {
    let delayMs = this.#intervalMs;
    try {
      await this.#writeBatch();
      if (this.#pending.length >= this.#batchSize) delayMs = 0;
      else await this.#storeOverflow();
    } catch (error) {
      delayMs = this.#retryDelayMs();
      this.#reportFailure(error, delayMs);
    }
    const isLeft = this.#pending.length > 0 || this.#hasOverflow;
    if (isLeft && !this.#closed) this.#wakeAfter(delayMs);
  }

  /** Only one batch is under way at a time; who comes meanwhile shares its fate. */
  #writeBatch(): Promise<void> {
    this.#writing ??= this.#insertOldest().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  async #insertOldest(): Promise<void> {
    const batch = this.#pending.slice(0, this.#batchSize);
    if (batch.length === 0) return;
    await this.#observeUpTo(batch.length);
    try {
      await this.#insert(batch);
    } catch (error) {
      // What waits behind the batch would be seen by nobody until the store works again.
      await this.#observeUpTo(this.#pending.length);
      throw error;
    }
    this.#pending.splice(0, batch.length);
    this.#written += batch.length;
    this.#journal.noteStored(this.#written);
  }

  /** Completes the oldest `count` records that are pending, and tells of those of which it was not told yet. */
  async #observeUpTo(count: number): Promise<void> {
    while (this.#observed < this.#written + count) {
      const from = this.#observed - this.#written;
      const records = this.#pending.slice(from, Math.min(from + OBSERVED_AT_ONCE, count));
      this.#observed += records.length;
      if (this.#recounts.size > 0) await Promise.all(records.map((record) => this.#recount(record)));
      for (const record of records) this.#complete(record);
      this.#observe?.(records);
      if (records.length === OBSERVED_AT_ONCE) await setImmediate();
    }
  }

  /** What such records cost that have no price yet, as they are written. */
  priceRecords(records: readonly UsageRecord[]): void {
    for (const record of records) this.#complete(record);
  }

  /** Writes records that were in the journal alone: of processes that are no more, or for which there was no room. */
  insertRecords(records: readonly UsageRecord[]): Promise<void> {
    this.priceRecords(records);
    return this.#insert(records);
  }

  async #insert(records: readonly UsageRecord[]): Promise<void> {
    try {
      await this.#store.insertCalls(records.map(toCallRow));
    } catch (error) {
      if (error instanceof RefusedRows) return this.#setAsideRefused(records, error);
      this.#failuresInARow += 1;
      throw error;
    }
    this.#failuresInARow = 0;
  }

  /** One record must not hold up all others for ever: it is looked for by halves. */
  async #setAsideRefused(records: readonly UsageRecord[], error: RefusedRows): Promise<void> {
    const [record] = records;
    if (record && records.length === 1) {
      this.#onProblem({ kind: 'record_refused', record, error });
      return;
    }
    const half = records.length >> 1;
    await this.#insert(records.slice(0, half));
    await this.#insert(records.slice(half));
  }

  /** Only once at a time, as `#writeBatch`. */
  #storeOverflow(): Promise<void> {
    this.#storing ??= this.#storeSegments().finally(() => {
      this.#storing = undefined;
    });
    return this.#storing;
  }

  async #storeSegments(): Promise<void> {
    if (!this.#hasOverflow) return;
    // What comes from here on finds room, or sets it again.
    this.#hasOverflow = false;
    for (const segment of this.#journal.sealOverflow()) {
      try {
        await this.#storeSegment(segment);
      } catch (error) {
        this.#hasOverflow = true;
        throw error;
      }
      this.#journal.drop(segment);
    }
  }

  async #storeSegment({ path }: Segment): Promise<void> {
    const { records } = readJournal(await readFile(path));
    for (let at = 0; at < records.length; at += this.#batchSize) {
      await this.insertRecords(records.slice(at, at + this.#batchSize));
      await setImmediate();
    }
  }

  async #recount(record: UsageRecord): Promise<void> {
    const recount = this.#recounts.get(record);
    if (!recount) return;
    this.#recounts.delete(record);
    const counted = await recount.count();
    if (!counted) return;
    const tier = record.usage?.tier;
    record.usage = tier === undefined ? counted : { ...counted, tier };
  }

  /** Bounds what a record says that was used, and prices it. Done again it changes nothing. */
  #complete(record: UsageRecord): void {
    const { target, startedAt } = record;
    const usage = record.usage && boundUsage(record.usage);
    record.usage = usage;
    const isOwnKind = 'unpublished' in OPERATIONS[record.operation];
    const isUnpriced = record.costMicroUsd === null && !isPricedByAttempt(record);
    if (isUnpriced && target !== null && usage !== null) {
      record.costMicroUsd = this.#prices.costMicroUsd(target, usage, startedAt, isOwnKind);
    }
  }

  #giveUp(): void {
    if (this.#journal.isWritable) {
      this.#onProblem({ kind: 'records_left', pendingRecords: this.#pending.length });
      return;
    }
    for (const record of this.#pending.splice(0)) {
      this.#onProblem({ kind: 'record_lost', reason: 'closed', record });
    }
  }

  #reportFailure(error: unknown, retryInMs: number | null): void {
    this.#onProblem({ kind: 'write_failed', error, pendingRecords: this.#pending.length, retryInMs });
  }

  #retryDelayMs(): number {
    return Math.min(this.#intervalMs * 2 ** this.#failuresInARow, LONGEST_RETRY_MS);
  }
}
