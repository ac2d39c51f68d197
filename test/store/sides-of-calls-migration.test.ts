import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { sumUsage } from '../../src/usage/queries.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';
import { makeRecord } from '../support/usage-records.ts';

const SIDES_OF_CALLS = '0190_sides_of_calls';
const AT = Date.UTC(2026, 10, 20, 12, 30);
const MS_PER_DAY = 86_400_000;

onEachDatabase((database) => {
  test('sums of before sides were told apart stay, and calls of rollouts are summed beside them', async (context) => {
    const store = await database.open(context);
    const { db } = store;
    await makeEarlier(db, SIDES_OF_CALLS);
    for (const [table, span] of [
      ['usage_by_hour', AT - (AT % 3_600_000)],
      ['usage_by_day', AT - (AT % MS_PER_DAY)],
    ] as const)
      await sql`insert into ${sql.table(table)} (span, tenant, key, model, target, outcome, tier, prompt, calls,
          priced_calls, unpriced_calls, cost_micro_usd, input_tokens, input_audio_tokens, cache_read_tokens,
          cache_write_tokens, cache_write_1h_tokens, output_tokens, output_audio_tokens, reasoning_tokens,
          cached_calls, saved_micro_usd)
        values (${span}, '=acme', '=app', '=smart', '', 'ok', '', '=triage@1', 5, 5, 0, 10, 7, 0, 0, 0, 0, 3, 0, 0, 2, 4.5)`.execute(
        db,
      );
    for (const [name, { up }] of Object.entries(MIGRATIONS)) if (name >= SIDES_OF_CALLS) await up(db);
    const rollout = { name: 'better', side: 'candidate', flags: [], release: 2 } as const;
    await store.insertCalls([makeRecord({ startedAt: AT, rollout, prompt: 'triage@2' })].map(toCallRow));
    const from = AT - (AT % MS_PER_DAY);
    const sums = await sumUsage(store, { groupBy: ['side', 'prompt'], from, to: from + MS_PER_DAY });
    assert.deepEqual(
      sums.map(({ side, prompt, calls, savedMicroUsd }) => [side, prompt, calls, savedMicroUsd]),
      [
        [null, 'triage@1', 5, 4.5],
        ['better=candidate', 'triage@2', 1, undefined],
      ],
    );
  });
});
