import type { Kysely, Transaction } from 'kysely';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { FeedbackRow } from '../store/rollout-rows.ts';
import { rolloutOf } from '../store/rollouts.ts';
import type { CallRow, Database } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { findCallRow, madeAtOf } from './find-call.ts';

/** What somebody says of the answer to a call. */
export interface Feedback {
  /** What is scored: a call has one score of a name. */
  name: string;
  /** From 0, the worst, to 1. */
  score: number;
  comment: string | null;
  /** The name of the key that said it. */
  key: string;
  /** Unix milliseconds. */
  createdAt: number;
  /** When it last took the place of an earlier one; as `createdAt` where it never did. */
  updatedAt: number;
}

/** Whose feedback it is, and what of. */
export interface GivenFeedback extends Pick<Feedback, 'name' | 'score' | 'comment' | 'key'> {
  call: string;
  tenant: string;
}

export interface FeedbackOptions {
  store: Pick<Store, 'db'>;
  tenantEnds: {
    /** When the last tenant of a name was taken away, Unix milliseconds: what began by then is not the present one's. */
    find(tenant: string): { endedAt: number } | undefined;
  };
  /** Unix milliseconds. */
  now(): number;
  wait(delayMs: number): Promise<unknown>;
}

/** A call has so many scores at the most. */
const MOST_NAMES = 20;

/** A call is in the store a moment after its answer, on whichever instance it was: it is looked for again after so many milliseconds each. */
const LOOK_AGAIN_MS = [50, 100, 200, 400, 800];
/** Of what began longer ago everything is there. */
const LONGEST_CALL_MS = 60 * 60_000;

/** What callers say of answers. It is kept as long as calls are. */
export class FeedbackBook {
  readonly #options: FeedbackOptions;

  constructor(options: FeedbackOptions) {
    this.#options = options;
  }

  /**
   * Takes what a tenant says of a call of its own; of the same name it takes the place of what was said before.
   *
   * @throws GatewayError `not_found` where the tenant has no such call, `invalid_request` where the call has too many scores
   */
  async give(given: GivenFeedback): Promise<{ feedback: Feedback; isNew: boolean }> {
    const call = await this.#findCall(given);
    if (!call) {
      const message = `There is no call '${given.call}' of this tenant. The id of a call is in the header 'x-request-id' of its answer.`;
      throw new GatewayError('not_found', message, { code: 'call_not_found', param: 'call' });
    }
    const { store, now } = this.#options;
    return store.db.transaction().execute((db) => write(db, call, given, now()));
  }

  async #findCall({ call: id, tenant }: GivenFeedback): Promise<CallRow | undefined> {
    const { store, tenantEnds, now, wait } = this.#options;
    const madeAt = madeAtOf(id);
    if (madeAt === undefined) return undefined;
    let row = await findCallRow(store, id);
    const isRecent = now() - madeAt < LONGEST_CALL_MS;
    for (const delayMs of isRecent ? LOOK_AGAIN_MS : []) {
      if (row) break;
      await wait(delayMs);
      row = await findCallRow(store, id);
    }
    if (!row || row.tenant !== tenant) return undefined;
    return row.started_at > (tenantEnds.find(tenant)?.endedAt ?? 0) ? row : undefined;
  }
}

async function write(
  db: Transaction<Database>,
  call: CallRow,
  { name, score, comment, key }: GivenFeedback,
  now: number,
): Promise<{ feedback: Feedback; isNew: boolean }> {
  const said = await readRows(db, call.id);
  const earlier = said.find((row) => row.name === name);
  if (!earlier && said.length >= MOST_NAMES) {
    const message = `The call has ${MOST_NAMES} scores, which is the most. Replace one of them.`;
    throw new GatewayError('invalid_request', message, { code: 'too_many_scores', param: 'name' });
  }
  const created_at = Number(earlier?.created_at ?? now);
  const row: FeedbackRow = { ...{ call: call.id, name, key, score, comment }, created_at, updated_at: now };
  await db
    .insertInto('feedback')
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(['call', 'name']).doUpdateSet({ key, score, comment, updated_at: now }),
    )
    .execute();
  if (call.rollout !== null) await haveLearned(db, call, rolloutOf(call.rollout));
  return { feedback: readRow(row), isNew: earlier === undefined };
}

/** Has the rollout of a call learn from it, once, whatever is said of the call later. One that has ended learns nothing more. */
async function haveLearned(db: Transaction<Database>, call: CallRow, rollout: string): Promise<void> {
  await db
    .insertInto('rollout_scores')
    .columns(['rollout', 'started_at', 'call', 'learned'])
    .expression((from) =>
      from
        .selectFrom('rollouts')
        .select((of) => [
          of.ref('rollouts.name').as('rollout'),
          of.cast<number>(of.val(call.started_at), 'bigint').as('started_at'),
          of.cast<string>(of.val(call.id), 'text').as('call'),
          of.lit(0).as('learned'),
        ])
        .where('rollouts.name', '=', rollout)
        .where('rollouts.phase', 'in', ['canary', 'stepping', 'paused']),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** What was said of a call, in the order in which it was said first. */
export async function listFeedback({ db }: Pick<Store, 'db'>, call: string): Promise<Feedback[]> {
  return (await readRows(db, call)).map(readRow);
}

function readRows(db: Kysely<Database>, call: string): Promise<FeedbackRow[]> {
  return db
    .selectFrom('feedback')
    .selectAll()
    .where('call', '=', call)
    .orderBy('created_at')
    .orderBy('name')
    .execute();
}

function readRow({ name, score, comment, key, created_at, updated_at }: FeedbackRow): Feedback {
  return {
    ...{ name, score, comment, key },
    ...{ createdAt: Number(created_at), updatedAt: Number(updated_at) },
  };
}
