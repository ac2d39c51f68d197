import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from 'kysely';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { MIGRATIONS } from '../../src/store/migrations.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import { listCalls } from '../../src/usage/list-calls.ts';
import { sumUsage } from '../../src/usage/queries.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeEarlier } from '../support/earlier-store.ts';
import { makeRecord } from '../support/usage-records.ts';

const PROMPTS_OF_CALLS = '0180_prompts_of_calls';
const AT = Date.UTC(2026, 10, 20, 12, 30);
const MS_PER_DAY = 86_400_000;

onEachDatabase((database) => {
  test('sums of before there were prompts stay, and calls of prompts are summed beside them', async (context) => {
    const store = await database.open(context);
    const { db } = store;
    await makeEarlier(db, PROMPTS_OF_CALLS);
    for (const [table, span] of [
      ['usage_by_hour', AT - (AT % 3_600_000)],
      ['usage_by_day', AT - (AT % MS_PER_DAY)],
    ] as const)
      await sql`insert into ${sql.table(table)} (span, tenant, key, model, target, outcome, tier, calls, priced_calls,
          unpriced_calls, cost_micro_usd, input_tokens, input_audio_tokens, cache_read_tokens, cache_write_tokens,
          cache_write_1h_tokens, output_tokens, output_audio_tokens, reasoning_tokens)
        values (${span}, '=acme', '=app', '=smart', '', 'ok', '=priority', 5, 5, 0, 10, 7, 0, 0, 0, 0, 3, 0, 0)`.execute(
        db,
      );
    for (const [name, { up }] of Object.entries(MIGRATIONS)) if (name >= PROMPTS_OF_CALLS) await up(db);
    const saved = { tokens: 9, costMicroUsd: 4.5 };
    const hit = makeRecord({
      ...{
        startedAt: AT,
        target: null,
        usage: null,
        costMicroUsd: 0,
        attempts: [],
        prompt: 'triage@2',
        saved,
      },
    });
    const asked = makeRecord({ startedAt: AT, usage: { ...NO_USAGE, input: 2 }, prompt: 'triage@1' });
    await store.insertCalls([asked, hit].map(toCallRow));
    const from = AT - (AT % MS_PER_DAY);
    const sums = await sumUsage(store, { groupBy: ['prompt'], from, to: from + MS_PER_DAY });
    assert.deepEqual(
      sums.map(({ prompt, calls, costMicroUsd, cachedCalls, savedMicroUsd }) => [
        ...[prompt, calls, costMicroUsd, cachedCalls, savedMicroUsd],
      ]),
      [
        [null, 5, 10, undefined, undefined],
        ['triage@1', 1, null, undefined, undefined],
        ['triage@2', 1, 0, 1, 4.5],
      ],
    );
    const tiers = await sumUsage(store, { groupBy: ['tier'], tier: 'priority' });
    assert.deepEqual(
      tiers.map(({ tier, calls }) => [tier, calls]),
      [['priority', 5]],
    );
    const { calls } = await listCalls(store, { limit: 9, prompt: 'triage' });
    assert.deepEqual(calls.map(({ id }) => id).toSorted(), [asked.id, hit.id].toSorted());
    const [one] = (await listCalls(store, { limit: 9, prompt: 'triage@2' })).calls;
    assert.deepEqual(one, hit);
  });
});
