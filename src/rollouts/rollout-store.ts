import type { InsertResult, Transaction, UpdateResult } from 'kysely';
import type { RolloutRow } from '../store/rollout-rows.ts';
import type { CallRow, Database } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { ApprovalRequest } from './approval.ts';
import { Evidence, type Failure, type GateEvidence } from './evidence.ts';
import type { GateLimits } from './gates.ts';
import { isWatched, type Phase, type Progress } from './progress.ts';
import type { Origin } from './release.ts';
import type { StepTally } from './step-tallies.ts';

/** What is known of a candidate: by gate, and by step and side. */
export interface StoredEvidence extends GateEvidence {
  steps: StepTally[];
}

/** A rollout as the store has it: the one truth about it, for all instances. What it knows of its candidate is long, and read by itself. */
export interface StoredRollout {
  name: string;
  release: string;
  progress: Progress;
  /** The candidate's calls that it has learned from. */
  candidates: number;
  reason: Reason | undefined;
  /** What it was when it began; absent where it never did. */
  origin: Origin | undefined;
  /** What it waits for somebody to agree to. */
  approval: ApprovalRequest | undefined;
  /** Grows with every change, also over another one of its name. */
  version: number;
}

/** What a change makes of one. */
export interface ChangedRollout extends Omit<StoredRollout, 'version' | 'candidates'> {
  evidence: StoredEvidence;
}

/** Why a rollout stands where it does. */
export interface Reason {
  /** Who did it by hand; absent where nobody did. */
  by?: string;
  /** Who agreed, where that was needed. */
  approvedBy?: string;
  /** The gate that it failed. */
  failure?: Failure;
  /** Its step lacks nothing but calls of the candidate, and has for long. */
  isShortOfCalls?: true;
  /** Its step would be done, but for errors that may be those of few users. */
  isShortOfUsers?: true;
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
    const rows = await this.#db.selectFrom('rollouts').select(STANDING).execute();
    return rows.map(readRow);
  }

  /** What one knows of its candidate by now; `undefined` where the store has another one of its name, or none. */
  readEvidence({
    name,
    release,
  }: Pick<StoredRollout, 'name' | 'release'>): Promise<StoredEvidence | undefined> {
    return readEvidence(this.#db, name, release);
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

  /**
   * Begins one anew: what was known of an earlier one of its name is forgotten. Gives `undefined` where another was faster.
   *
   * @param earlier that one
   * @param nowMs Unix milliseconds
   */
  async begin(
    rollout: Omit<StoredRollout, 'version' | 'candidates'>,
    earlier: Pick<StoredRollout, 'version'> | undefined,
    limits: GateLimits,
    nowMs: number,
  ): Promise<StoredRollout | undefined> {
    const { name } = rollout;
    // Not from 1: whoever knows one of the name that was forgotten is to see that this one is newer.
    const version = Math.max(nowMs, (earlier?.version ?? 0) + 1);
    const row = writeRow({ ...rollout, evidence: { ...new Evidence(limits).state, steps: [] } }, version);
    return this.#db.transaction().execute(async (db) => {
      const write = earlier
        ? db.updateTable('rollouts').set(row).where('name', '=', name).where('version', '=', earlier.version)
        : db
            .insertInto('rollouts')
            .values(row)
            .onConflict((conflict) => conflict.doNothing());
      if (countOf(await write.executeTakeFirst()) !== 1n) return undefined;
      await forgetNew(db, name);
      return readRow(row);
    });
  }

  async forget(name: string): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      await db.deleteFrom('rollouts').where('name', '=', name).execute();
      await forgetNew(db, name);
    });
  }

  /**
   * Changes one, as `change` says of it and of the calls and scores that it has not learned from yet; those are learned from with the change, once.
   * Gives `undefined` where another was faster.
   */
  async change(
    stored: StoredRollout,
    change: (
      evidence: StoredEvidence,
      calls: readonly CallRow[],
      scores: readonly ScoredCall[],
    ) => ChangedRollout,
  ): Promise<StoredRollout | undefined> {
    const { name, release, version } = stored;
    return this.#db.transaction().execute(async (db) => {
      // First of all, for it keeps others out.
      const [claimed] = await db
        .updateTable('rollouts')
        .set({ version: version + 1 })
        .where('name', '=', name)
        .where('version', '=', version)
        .execute();
      const evidence = claimed?.numUpdatedRows === 1n && (await readEvidence(db, name, release));
      if (!evidence) return undefined;
      const calls = await takeCalls(db, name);
      const row = writeRow(change(evidence, calls, await takeScores(db, name)), version + 1);
      await db.updateTable('rollouts').set(row).where('name', '=', name).execute();
      const changed = readRow(row);
      if (!isWatched(changed.progress)) await forgetNew(db, name);
      return changed;
    });
  }
}

/** All but what it knows of its candidate. */
const STANDING = [
  ...(['name', 'release', 'phase', 'step', 'since', 'held_ms', 'calls_before', 'candidate_calls'] as const),
  ...(['reason', 'origin', 'approval', 'version'] as const),
] as const satisfies readonly (keyof RolloutRow)[];

async function readEvidence(
  db: Store['db'] | Transaction<Database>,
  name: string,
  release: string,
): Promise<StoredEvidence | undefined> {
  const row = await db
    .selectFrom('rollouts')
    .select('evidence')
    .where('name', '=', name)
    .where('release', '=', release)
    .executeTakeFirst();
  // One that was begun before steps were told apart has none.
  return row && { steps: [], ...(JSON.parse(row.evidence) as GateEvidence) };
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
  const taken = spanOf(calls);
  if (!taken) return calls;
  await db
    .deleteFrom('rollout_calls')
    .where('rollout', '=', name)
    .where('started_at', '>=', taken.first)
    .where('started_at', '<=', taken.last)
    .where('call', 'in', taken.ids)
    .execute();
  return calls;
}

/**
 * What calls in the order of their time are told by in one statement: of a thousand each takes its way to the database. Others may be there by now
 * that began between them. `undefined` of none.
 */
function spanOf(
  calls: readonly Pick<CallRow, 'started_at' | 'id'>[],
): { first: number; last: number; ids: string[] } | undefined {
  const [first] = calls;
  const last = calls.at(-1);
  if (!first || !last) return undefined;
  return { first: first.started_at, last: last.started_at, ids: calls.map(({ id }) => id) };
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
  const taken = spanOf(scored);
  if (!taken) return scored;
  await db
    .updateTable('rollout_scores')
    .set({ learned: 1 })
    .where('rollout', '=', name)
    .where('started_at', '>=', taken.first)
    .where('started_at', '<=', taken.last)
    .where('call', 'in', taken.ids)
    .execute();
  return scored;
}

/** Of one that has ended, or begins anew, nobody learns any more. */
async function forgetNew(db: Transaction<Database>, rollout: string): Promise<void> {
  for (const table of ['rollout_calls', 'rollout_scores'] as const)
    await db.deleteFrom(table).where('rollout', '=', rollout).execute();
}

function countOf(result: InsertResult | UpdateResult | undefined): bigint | undefined {
  if (!result) return undefined;
  return 'numUpdatedRows' in result ? result.numUpdatedRows : result.numInsertedOrUpdatedRows;
}

function writeRow(rollout: ChangedRollout, version: number): RolloutRow {
  const { name, release, progress, evidence, reason, origin, approval } = rollout;
  const { phase, step, since, heldMs, callsBefore } = progress;
  return {
    ...{ name, release, phase, step, since, version },
    held_ms: heldMs,
    calls_before: callsBefore,
    evidence: JSON.stringify(evidence),
    candidate_calls: evidence.candidates,
    reason: writeText(reason),
    origin: writeText(origin),
    approval: writeText(approval),
  };
}

function writeText(value: object | undefined): string | null {
  return value ? JSON.stringify(value) : null;
}

function readText<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

function readRow(row: Pick<RolloutRow, (typeof STANDING)[number]>): StoredRollout {
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
    candidates: Number(row.candidate_calls),
    reason: readText<Reason>(row.reason),
    origin: readText<Origin>(row.origin),
    approval: readText<ApprovalRequest>(row.approval),
    version: Number(row.version),
  };
}
