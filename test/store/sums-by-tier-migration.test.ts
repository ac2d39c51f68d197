import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import type { CallRow } from '../../src/store/schema.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { sumUsage } from '../../src/usage/queries.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';
import { makeRecord } from '../support/usage-records.ts';

const SUMS_BY_TIER = '0130_sums_by_tier';
const AT = Date.UTC(2026, 10, 20, 12, 30);

type Later = 'rollout' | 'prompt' | 'saved_tokens' | 'saved_micro_usd' | 'side';

/** A row as it was before there were rollouts and prompts. */
function withoutLater(record: UsageRecord): Omit<CallRow, Later> {
  const {
    rollout: _,
    prompt: _prompt,
    saved_tokens: _tokens,
    saved_micro_usd: _cost,
    side: _side,
    ...row
  } = toCallRow(record);
  return row;
}

onEachDatabase((database) => {
  test('what was summed before is summed by tier, as far as the calls are there', async (context) => {
    const store = await database.open(context);
    const { db } = store;
    await makeEarlier(db, SUMS_BY_TIER);
    const rows = [undefined, 'priority', 'priority', 'flex'].map((tier, index) =>
      withoutLater(
        makeRecord({
          startedAt: AT + index,
          costMicroUsd: 10 ** index,
          usage: { ...NO_USAGE, input: 1, ...(tier !== undefined && { tier }) },
        }),
      ),
    );
    await db
      .insertInto('calls')
      .values(rows as CallRow[])
      .execute();
    const [first] = rows;
    assert.ok(first);
    // And one call whose record is gone.
    for (const span of [3_600_000, 86_400_000]) {
      const table = span === 3_600_000 ? 'usage_by_hour' : 'usage_by_day';
      await sql`insert into ${sql.table(table)} (span, tenant, key, model, target, outcome, calls, priced_calls,
          unpriced_calls, cost_micro_usd, input_tokens, input_audio_tokens, cache_read_tokens, cache_write_tokens,
          cache_write_1h_tokens, output_tokens, output_audio_tokens, reasoning_tokens)
        values (${AT - (AT % span)}, ${`=${first.tenant}`}, ${`=${first.key}`}, ${`=${first.model}`},
          ${`=${first.target}`}, 'ok', 5, 5, 0, 21111, 5, 0, 0, 0, 0, 0, 0, 0)`.execute(db);
    }
    if (store.unsummedCalls !== null) await sql`update usage_summed set summed_to = 4`.execute(db);
    for (const [name, { up }] of Object.entries(MIGRATIONS)) if (name >= SUMS_BY_TIER) await up(db);
    for (const period of [{}, { from: AT - 60 * 60_000, to: AT - (AT % 3_600_000) + 3_600_000 }]) {
      const sums = await sumUsage(store, { groupBy: ['tier'], ...period });
      assert.deepEqual(
        sums.map(({ tier, calls, costMicroUsd, tokens }) => [tier, calls, costMicroUsd, tokens.input]),
        [
          [null, 2, 20_001, 2],
          ['flex', 1, 1000, 1],
          ['priority', 2, 110, 2],
        ],
      );
    }
  });
});
