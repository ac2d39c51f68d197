import type { Kysely } from 'kysely';
import { FIRST_SUM_NUMBERS } from './sums-by-tier.ts';
import { widenSums } from './widen-sums.ts';

/** Which prompt calls were of, and what earlier answers saved: in calls and their sums. Calls and sums of before it are of none. */
export async function addPromptsToCalls(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('calls').addColumn('prompt', 'text').execute();
  await db.schema.alterTable('calls').addColumn('saved_tokens', 'bigint').execute();
  await db.schema.alterTable('calls').addColumn('saved_micro_usd', 'double precision').execute();
  await widenSums(db, {
    names: ['tenant', 'key', 'model', 'target', 'outcome', 'tier'],
    numbers: FIRST_SUM_NUMBERS,
    newName: 'prompt',
    newNumbers: ['cached_calls', 'saved_micro_usd'],
  });
}
