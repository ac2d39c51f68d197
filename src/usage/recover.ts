import { readFile, stat, unlink } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { NO_USAGE } from '../conversation/usage.ts';
import { listOwners, listSegments, OwnerLock } from './journal-directory.ts';
import { readJournal, type StartedCall } from './journal-lines.ts';
import type { Schedule } from './ledger.ts';
import type { UsageRecord } from './record.ts';

/** What the journals of processes that are no more had to tell. */
export interface Recovery {
  /** Processes that were killed. */
  processes: number;
  /** Records that were found; the store may have had some of them. */
  records: number;
  /** Calls that were cut off, recorded as `interrupted`. */
  interrupted: number;
  /** Lines that could not be read, those aside that a kill cut off: more than none is an alarm. */
  damagedLines: number;
  /** What could not be taken over, and is there still. */
  failures: RecoveryFailure[];
}

export interface RecoveryFailure {
  /** The start of a process that left the journal, as its files are called. */
  owner: string;
  error: unknown;
}

const BATCH_SIZE = 200;

/** What the records go to. */
export interface RecordTaker {
  /** `countedAlone`: the ids of those of calls that began so (`StartedCall`) and have not ended. */
  insertRecords(records: readonly UsageRecord[], countedAlone?: ReadonlySet<string>): Promise<void>;
}

/**
 * Takes over the journals of processes that are no more: every record that they hold goes to the store, every call that
 * started and has none is recorded as `interrupted`, and the segments are deleted. Whatever is done twice, because this
 * process is killed meanwhile, the store takes once.
 *
 * What fails of one process (it cannot be read, or the store fails) holds up no other, and is left for the next time.
 * Rejects only where the directory itself cannot be read.
 */
export async function recoverJournals(directory: string, ledger: RecordTaker): Promise<Recovery> {
  const recovery: Recovery = { processes: 0, records: 0, interrupted: 0, damagedLines: 0, failures: [] };
  for (const owner of listOwners(directory)) {
    let lock: OwnerLock | undefined;
    try {
      lock = OwnerLock.take(directory, owner);
      if (!lock) continue;
      await recoverOwner(directory, lock, ledger, recovery);
      lock.release();
    } catch (error) {
      lock?.abandon();
      recovery.failures.push({ owner, error });
    }
  }
  return recovery;
}

/** How long after a failure it is tried again. */
const RETRY_MS = 30_000;

export interface TakeoverOptions {
  directory: string;
  ledger: RecordTaker;
  schedule: Schedule;
  /** Something was taken over. Never rejects. */
  onRecovered(recovery: Recovery): Promise<void>;
  /** Told once of each owner, until it was taken over. */
  onFailed(failure: RecoveryFailure): void;
}

/** Takes over what killed processes left, and tries what fails again as long as the gateway runs. */
export class JournalTakeover {
  readonly #options: TakeoverOptions;
  readonly #failing = new Set<string>();
  #cancelRetry: (() => void) | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  run(): Promise<void> {
    this.#running = this.#takeOver();
    return this.#running;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry?.();
    await this.#running;
  }

  async #takeOver(): Promise<void> {
    const { directory, ledger, schedule, onRecovered } = this.#options;
    let failures: RecoveryFailure[];
    try {
      const recovery = await recoverJournals(directory, ledger);
      failures = recovery.failures;
      this.#noteFailures(failures);
      if (recovery.processes > 0) await onRecovered(recovery);
    } catch (error) {
      failures = [{ owner: 'all', error }];
      this.#noteFailures(failures);
    }
    if (failures.length > 0 && !this.#stopped) this.#cancelRetry = schedule(() => void this.run(), RETRY_MS);
  }

  #noteFailures(failures: readonly RecoveryFailure[]): void {
    const known = new Set(this.#failing);
    this.#failing.clear();
    for (const failure of failures) {
      this.#failing.add(failure.owner);
      if (!known.has(failure.owner)) this.#options.onFailed(failure);
    }
  }
}

async function recoverOwner(
  directory: string,
  lock: OwnerLock,
  ledger: RecordTaker,
  recovery: Recovery,
): Promise<void> {
  const paths = listSegments(directory, lock.owner);
  if (paths.length === 0) return;
  const own = { records: 0, damagedLines: 0 };
  const running = new Map<string, StartedCall>();
  let lastSignMs = 0;
  for (const path of paths) {
    const { started, records, damagedLines } = readJournal(await readFile(path));
    own.damagedLines += damagedLines;
    own.records += records.length;
    for (const call of started.values()) running.set(call.id, call);
    for (const { id } of records) running.delete(id);
    await insertAll(ledger, records);
    lastSignMs = Math.max(lastSignMs, (await stat(path)).mtimeMs);
  }
  const interrupted = [...running.values()].map((call) => recordInterrupted(call, lastSignMs));
  const alone = [...running.values()].filter(({ countedAlone }) => countedAlone).map(({ id }) => id);
  await insertAll(ledger, interrupted, new Set(alone));
  recovery.processes += 1;
  recovery.records += own.records;
  recovery.damagedLines += own.damagedLines;
  recovery.interrupted += interrupted.length;
  // Oldest first: a start whose record is gone already would look like a call that was cut off.
  for (const path of paths) await unlink(path);
}

async function insertAll(
  ledger: RecordTaker,
  records: readonly UsageRecord[],
  countedAlone?: ReadonlySet<string>,
): Promise<void> {
  for (let at = 0; at < records.length; at += BATCH_SIZE) {
    await ledger.insertRecords(records.slice(at, at + BATCH_SIZE), countedAlone);
    await setImmediate();
  }
}

/**
 * The record of a call that a kill cut off. What it used nobody will ever say: it is taken to have used what was set aside for it, and
 * to cost that. It lasted until its process last gave a sign of life, if not longer.
 */
export function recordInterrupted(call: StartedCall, lastSignMs: number): UsageRecord {
  const { id, startedAt, tenant, key, dialect, operation, model, target, account, stream } = call;
  const { reservedInput, reservedOutput, tier, prompt } = call;
  const latencyMs = Math.max(0, lastSignMs - startedAt);
  const outcome = 'interrupted';
  return {
    ...{ id, startedAt, tenant, key, dialect, operation, model, target, stream },
    usage:
      reservedInput === null
        ? null
        : {
            ...{ ...NO_USAGE, input: reservedInput, output: reservedOutput, estimated: true },
            ...(tier !== undefined && { tier }),
          },
    costMicroUsd: call.reservedCostMicroUsd,
    outcome,
    status: 0,
    latencyMs,
    firstTokenMs: null,
    attempts: [{ target, account, startedAfterMs: 0, durationMs: latencyMs, status: null, outcome }],
    ...(prompt !== undefined && { prompt }),
  };
}
