import type { Kysely } from 'kysely';
import { FIRST_SUM_NUMBERS } from './sums-by-tier.ts';
import { widenSums } from './widen-sums.ts';

/** Which side of a rollout calls were on, in calls and their sums. Calls and sums of before it are of none. */
export async function addSidesToCalls(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('calls').addColumn('side', 'text').execute();
  await widenSums(db, {
    names: ['tenant', 'key', 'model', 'target', 'outcome', 'tier', 'prompt'],
    numbers: [...FIRST_SUM_NUMBERS, 'cached_calls', 'saved_micro_usd'],
    newName: 'side',
  });
}
