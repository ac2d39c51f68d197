import { readFile, stat, unlink } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { NO_USAGE } from '../conversation/usage.ts';
import { listSegments, type OwnerLock, takeDeadOwners } from './journal-directory.ts';
import { readJournal, type StartedCall } from './journal-lines.ts';
import type { Ledger } from './ledger.ts';
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
}

const BATCH_SIZE = 200;

/**
 * Takes over the journals of processes that are no more: every record that they hold goes to the store, every call that
 * started and has none is recorded as `interrupted`, and the segments are deleted. Whatever is done twice, because this
 * process is killed meanwhile, the store takes once.
 *
 * Rejects where the store or the directory fails; what was not stored stays for the next start.
 */
export async function recoverJournals(
  directory: string,
  ledger: Pick<Ledger, 'insertRecords'>,
): Promise<Recovery> {
  const recovery: Recovery = { processes: 0, records: 0, interrupted: 0, damagedLines: 0 };
  for (const lock of takeDeadOwners(directory)) {
    try {
      await recoverOwner(directory, lock, ledger, recovery);
      lock.release();
    } catch (error) {
      lock.abandon();
      throw error;
    }
  }
  return recovery;
}

async function recoverOwner(
  directory: string,
  lock: OwnerLock,
  ledger: Pick<Ledger, 'insertRecords'>,
  recovery: Recovery,
): Promise<void> {
  const paths = listSegments(directory, lock.owner);
  if (paths.length === 0) return;
  recovery.processes += 1;
  const running = new Map<string, StartedCall>();
  let lastSignMs = 0;
  for (const path of paths) {
    const { started, records, damagedLines } = readJournal(await readFile(path));
    recovery.damagedLines += damagedLines;
    recovery.records += records.length;
    for (const call of started.values()) running.set(call.id, call);
    for (const { id } of records) running.delete(id);
    await insertAll(ledger, records);
    lastSignMs = Math.max(lastSignMs, (await stat(path)).mtimeMs);
  }
  const interrupted = [...running.values()].map((call) => recordInterrupted(call, lastSignMs));
  recovery.interrupted += interrupted.length;
  await insertAll(ledger, interrupted);
  // Oldest first: a start whose record is gone already would look like a call that was cut off.
  for (const path of paths) await unlink(path);
}

async function insertAll(
  ledger: Pick<Ledger, 'insertRecords'>,
  records: readonly UsageRecord[],
): Promise<void> {
  for (let at = 0; at < records.length; at += BATCH_SIZE) {
    await ledger.insertRecords(records.slice(at, at + BATCH_SIZE));
    await setImmediate();
  }
}

/**
 * The record of a call that a kill cut off. What it used nobody will ever say: its input is estimated, and it costs what
 * was set aside for it. It lasted until its process last gave a sign of life, if not longer.
 */
export function recordInterrupted(call: StartedCall, lastSignMs: number): UsageRecord {
  const { id, startedAt, tenant, key, dialect, operation, model, target, account, stream } = call;
  const latencyMs = Math.max(0, lastSignMs - startedAt);
  const outcome = 'interrupted';
  return {
    ...{ id, startedAt, tenant, key, dialect, operation, model, target, stream },
    usage: call.estimatedInput === null ? null : { ...NO_USAGE, input: call.estimatedInput, estimated: true },
    costMicroUsd: call.reservedCostMicroUsd,
    outcome,
    status: 0,
    latencyMs,
    firstTokenMs: null,
    attempts: [{ target, account, startedAfterMs: 0, durationMs: latencyMs, status: null, outcome }],
  };
}
