import type { Transaction } from 'kysely';
import type { CallRow, Database, RolloutRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { Evidence, type EvidenceState, type Failure, type GateLimits } from './gates.ts';
import { isWatched, type Phase, type Progress } from './progress.ts';
import type { StepTally } from './step-tallies.ts';

/** A rollout as the store has it: the one truth about it, for all instances. */
export interface StoredRollout {
  name: string;
  release: string;
  progress: Progress;
  evidence: { candidates: number; gates: EvidenceState; steps: StepTally[] };
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

/** A call that somebody scored, and what it was scored on average. */
export interface ScoredCall extends Pick<CallRow, 'started_at' | 'rollout'> {
  score: number;
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

  /** Whether there are calls, or scores of calls, that it has not learned from yet. */
  async hasNewCalls(name: string): Promise<boolean> {
    const calls = this.#db.selectFrom('rollout_calls').select('call').where('rollout', '=', name).limit(1);
    if (await calls.executeTakeFirst()) return true;
    const scores = this.#db
      .selectFrom('rollout_scores')
      .select('call')
      .where('rollout', '=', name)
      .where('learned', '=', 0)
      .limit(1);
    return (await scores.executeTakeFirst()) !== undefined;
  }

  /** Begins one anew: what was known of an earlier one of its name is forgotten. */
  async begin(rollout: Omit<StoredRollout, 'version' | 'evidence'>, limits: GateLimits): Promise<void> {
    const evidence = { ...new Evidence(limits).state, steps: [] };
    const row = writeRow({ ...rollout, evidence, version: 1 });
    await this.#db.transaction().execute(async (db) => {
      await forgetNew(db, rollout.name);
      await db.deleteFrom('rollouts').where('name', '=', rollout.name).execute();
      await db.insertInto('rollouts').values(row).execute();
    });
  }

  /**
   * Changes one, as `change` says of it and of the calls and scores that it has not learned from yet; those are learned from with the change, once.
   * Gives `undefined` where another was faster, or `change` wants nothing.
   */
  async change(
    stored: StoredRollout,
    change: (
      calls: readonly CallRow[],
      scores: readonly ScoredCall[],
    ) => Omit<StoredRollout, 'version'> | undefined,
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
      const next = change(calls, await takeScores(db, name)) ?? stored;
      const changed = { ...next, version: version + 1 };
      await db.updateTable('rollouts').set(writeRow(changed)).where('name', '=', name).execute();
      if (!isWatched(changed.progress)) await forgetNew(db, name);
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
  for (const { started_at, id } of calls) {
    await db
      .deleteFrom('rollout_calls')
      .where('rollout', '=', name)
      .where('started_at', '=', started_at)
      .where('call', '=', id)
      .execute();
  }
  return calls;
}

/** A call is one observation, whatever is said of it under how many names: what is said of one call is not said independently. */
async function takeScores(db: Transaction<Database>, name: string): Promise<ScoredCall[]> {
  const scored = await db
    .selectFrom('rollout_scores')
    .innerJoin('calls', (join) =>
      join
        .onRef('calls.started_at', '=', 'rollout_scores.started_at')
        .onRef('calls.id', '=', 'rollout_scores.call'),
    )
    .innerJoin('feedback', 'feedback.call', 'rollout_scores.call')
    .select((of) => ['calls.started_at', 'calls.id', 'calls.rollout', of.fn.avg<number>('score').as('score')])
    .where('rollout_scores.rollout', '=', name)
    .where('rollout_scores.learned', '=', 0)
    .groupBy(['calls.started_at', 'calls.id', 'calls.rollout'])
    .orderBy('calls.started_at')
    .orderBy('calls.id')
    .limit(CALLS_AT_ONCE)
    .execute();
  for (const { started_at, id } of scored) {
    await db
      .updateTable('rollout_scores')
      .set({ learned: 1 })
      .where('rollout', '=', name)
      .where('started_at', '=', started_at)
      .where('call', '=', id)
      .execute();
  }
  return scored;
}

/** Of one that has ended, or begins anew, nobody learns any more. */
async function forgetNew(db: Transaction<Database>, rollout: string): Promise<void> {
  for (const table of ['rollout_calls', 'rollout_scores'] as const)
    await db.deleteFrom(table).where('rollout', '=', rollout).execute();
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
    // One that was begun before steps were told apart has none.
    evidence: { steps: [], ...(JSON.parse(row.evidence) as Omit<StoredRollout['evidence'], 'steps'>) },
    reason: row.reason === null ? undefined : (JSON.parse(row.reason) as Reason),
    version: Number(row.version),
  };
}
