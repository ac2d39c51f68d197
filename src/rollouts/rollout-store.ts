import type { Transaction } from 'kysely';
import type { CallRow, Database, RolloutRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { Evidence, type EvidenceState, type Failure, type GateLimits } from './gates.ts';
import { isWatched, type Phase, type Progress } from './progress.ts';

/** A rollout as the store has it: the one truth about it, for all instances. */
export interface StoredRollout {
  name: string;
  release: string;
  progress: Progress;
  evidence: { candidates: number; gates: EvidenceState; unreadScores?: number };
  reason: Reason | undefined;
  version: number;
}

/** Why a rollout stands where it does. */
export interface Reason {
  /** Who did it by hand; absent where nobody did. */
  by?: string;
  /** The gate that it failed. */
  failure?: Failure;
}

/** As many calls are learned from at a time. */
const CALLS_AT_ONCE = 1_000;

/** What the store knows of rollouts. Changes are made one after another: who changes what another has changed meanwhile changes nothing. */
export class RolloutStore {
  readonly #db: Store['db'];

  constructor({ db }: Pick<Store, 'db'>) {
    this.#db = db;
  }

  async readAll(): Promise<StoredRollout[]> {
    const rows = await this.#db.selectFrom('rollouts').selectAll().execute();
    return rows.map(readRow);
  }

  async hasNewCalls(name: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom('rollout_calls')
      .select('call')
      .where('rollout', '=', name)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** Begins one anew: what was known of an earlier one of its name is forgotten. */
  async begin(rollout: Omit<StoredRollout, 'version' | 'evidence'>, limits: GateLimits): Promise<void> {
    const row = writeRow({ ...rollout, evidence: new Evidence(limits).state, version: 1 });
    await this.#db.transaction().execute(async (db) => {
      await db.deleteFrom('rollout_calls').where('rollout', '=', rollout.name).execute();
      await db.deleteFrom('rollouts').where('name', '=', rollout.name).execute();
      await db.insertInto('rollouts').values(row).execute();
    });
  }

  /**
   * Changes one, as `change` says of it and of the calls that it has not learned from yet; those are learned from with the change, once.
   * Gives `undefined` where another was faster, or `change` wants nothing.
   */
  async change(
    stored: StoredRollout,
    change: (calls: readonly CallRow[]) => Omit<StoredRollout, 'version'> | undefined,
  ): Promise<StoredRollout | undefined> {
    const { name, version } = stored;
    return this.#db.transaction().execute(async (db) => {
      // First of all, for it keeps others out.
      const [claimed] = await db
        .updateTable('rollouts')
        .set({ version: version + 1 })
        .where('name', '=', name)
        .where('version', '=', version)
        .execute();
      if (claimed?.numUpdatedRows !== 1n) return undefined;
      const calls = await takeCalls(db, name);
      const next = change(calls) ?? stored;
      const changed = { ...next, version: version + 1 };
      await db.updateTable('rollouts').set(writeRow(changed)).where('name', '=', name).execute();
      if (!isWatched(changed.progress))
        await db.deleteFrom('rollout_calls').where('rollout', '=', name).execute();
      return changed;
    });
  }
}

async function takeCalls(db: Transaction<Database>, name: string): Promise<CallRow[]> {
  const calls = await db
    .selectFrom('rollout_calls')
    .innerJoin('calls', (join) =>
      join
        .onRef('calls.started_at', '=', 'rollout_calls.started_at')
        .onRef('calls.id', '=', 'rollout_calls.call'),
    )
    .selectAll('calls')
    .where('rollout_calls.rollout', '=', name)
    .orderBy('rollout_calls.started_at')
    .orderBy('rollout_calls.call')
    .limit(CALLS_AT_ONCE)
    .execute();
  const [first] = calls;
  const last = calls.at(-1);
  if (!first || !last) return calls;
  // In one statement: of a thousand each takes its way to the database. Others may be there by now that began between them.
  await db
    .deleteFrom('rollout_calls')
    .where('rollout', '=', name)
    .where('started_at', '>=', first.started_at)
    .where('started_at', '<=', last.started_at)
    .where(
      'call',
      'in',
      calls.map(({ id }) => id),
    )
    .execute();
  return calls;
}

function writeRow({ name, release, progress, evidence, reason, version }: StoredRollout): RolloutRow {
  const { phase, step, since, heldMs, callsBefore } = progress;
  return {
    ...{ name, release, phase, step, since, version },
    held_ms: heldMs,
    calls_before: callsBefore,
    evidence: JSON.stringify(evidence),
    reason: reason ? JSON.stringify(reason) : null,
  };
}

function readRow(row: RolloutRow): StoredRollout {
  return {
    name: row.name,
    release: row.release,
    progress: {
      phase: row.phase as Phase,
      step: Number(row.step),
      since: Number(row.since),
      heldMs: Number(row.held_ms),
      callsBefore: Number(row.calls_before),
    },
    evidence: JSON.parse(row.evidence) as StoredRollout['evidence'],
    reason: row.reason === null ? undefined : (JSON.parse(row.reason) as Reason),
    version: Number(row.version),
  };
}
