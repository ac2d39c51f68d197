import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sql } from 'kysely';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import type { Store } from '../../src/store/store.ts';
import { mapTokens, toCallRow } from '../../src/usage/call-row.ts';
import type { CallCursor } from '../../src/usage/cursor.ts';
import type { CallFilters } from '../../src/usage/filters.ts';
import { Ledger } from '../../src/usage/ledger.ts';
import { type CallPage, listCalls, selectCalls } from '../../src/usage/list-calls.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import { GROUPINGS, sumUsage, type UsageSum } from '../../src/usage/queries.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { deleteCalls, onEachDatabase } from '../support/databases.ts';
import { openTempJournal } from '../support/temp-journal.ts';
import { openTempStore } from '../support/temp-store.ts';
import { anyRecord, anyRecords, makeRecord } from '../support/usage-records.ts';

const NO_TOKENS = mapTokens(() => 0);

function insertRecords(store: Store, records: readonly UsageRecord[]): Promise<void> {
  return store.insertCalls(records.map(toCallRow));
}

function addSums(sums: readonly UsageSum[]): UsageSum {
  const total: UsageSum = {
    calls: 0,
    failed: 0,
    tokens: { ...NO_TOKENS },
    costMicroUsd: null,
    unpricedCalls: 0,
  };
  for (const sum of sums) {
    total.calls += sum.calls;
    total.failed += sum.failed;
    total.tokens = mapTokens((kind) => total.tokens[kind] + sum.tokens[kind]);
    if (sum.costMicroUsd !== null) {
      total.costMicroUsd = roundMillionths((total.costMicroUsd ?? 0) + sum.costMicroUsd);
    }
    total.unpricedCalls += sum.unpricedCalls;
    if (sum.cachedCalls === undefined) continue;
    total.cachedCalls = (total.cachedCalls ?? 0) + sum.cachedCalls;
    total.savedMicroUsd = roundMillionths((total.savedMicroUsd ?? 0) + (sum.savedMicroUsd ?? 0));
  }
  return total;
}

/** Costs come in millionths of a micro-dollar; doubles add a trifle. */
function roundMillionths(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** The sum of some records, worked out plainly. */
function addRecords(records: readonly UsageRecord[]): UsageSum {
  return addSums(
    records.map((record) => ({
      calls: 1,
      failed: record.outcome === 'ok' ? 0 : 1,
      tokens: mapTokens((kind) => record.usage?.[kind] ?? 0),
      costMicroUsd: record.costMicroUsd,
      unpricedCalls: record.costMicroUsd === null && (record.outcome === 'ok' || record.usage) ? 1 : 0,
      ...(record.saved && { cachedCalls: 1, savedMicroUsd: record.saved.costMicroUsd ?? 0 }),
    })),
  );
}

async function readAllPages(
  store: Store,
  limit: number,
  betweenPages?: () => Promise<void>,
): Promise<UsageRecord[]> {
  const calls: UsageRecord[] = [];
  let cursor: CallCursor | undefined;
  for (;;) {
    const page: CallPage = await listCalls(store, { limit, cursor });
    calls.push(...page.calls);
    if (!page.nextCursor) return calls;
    cursor = page.nextCursor;
    await betweenPages?.();
  }
}

onEachDatabase((database) => {
  test('an empty store sums to one row of nothing, whose cost is not known', async (context) => {
    const store = await database.open(context);
    assert.deepEqual(await sumUsage(store, { groupBy: [] }), [
      { calls: 0, failed: 0, tokens: NO_TOKENS, costMicroUsd: null, unpricedCalls: 0 },
    ]);
    assert.deepEqual(await sumUsage(store, { groupBy: ['tenant'] }), []);
  });

  test('calls are summed by what they have in common, in order', async (context) => {
    const store = await database.open(context);
    await insertRecords(store, [
      makeRecord({ costMicroUsd: 600 }),
      makeRecord({ costMicroUsd: 400, startedAt: Date.UTC(2026, 10, 24) - 1 }),
      makeRecord({ costMicroUsd: null, startedAt: Date.UTC(2026, 10, 24) }),
      makeRecord({ tenant: 'beta', outcome: 'upstream_unavailable', usage: null }),
    ]);
    const tokens = { ...NO_TOKENS, input: 100, output: 50 };
    const twice = { ...NO_TOKENS, input: 200, output: 100 };
    assert.deepEqual(await sumUsage(store, { groupBy: ['tenant', 'day'] }), [
      {
        tenant: 'acme',
        day: '2026-11-23',
        calls: 2,
        failed: 0,
        tokens: twice,
        costMicroUsd: 1000,
        unpricedCalls: 0,
      },
      {
        tenant: 'acme',
        day: '2026-11-24',
        calls: 1,
        failed: 0,
        tokens,
        costMicroUsd: null,
        unpricedCalls: 1,
      },
      {
        tenant: 'beta',
        day: '2026-11-23',
        calls: 1,
        failed: 1,
        tokens: NO_TOKENS,
        costMicroUsd: null,
        unpricedCalls: 0,
      },
    ]);
  });

  test('many calls that cost less than a micro-dollar add up to what they cost', async (context) => {
    const store = await database.open(context);
    const ledger = new Ledger({
      store,
      prices: new PriceBook(),
      journal: openTempJournal(),
      onProblem: (problem) => assert.fail(problem.kind),
    });
    for (let call = 0; call < 1000; call++) {
      const usage = { ...NO_USAGE, input: 4 };
      ledger.append(makeRecord({ target: 'openai/text-embedding-3-small', operation: 'embed', usage }));
    }
    await ledger.close();
    const { calls } = await listCalls(store, { limit: 1 });
    assert.equal(calls[0]?.costMicroUsd, 0.08);
    assert.equal((await sumUsage(store, { groupBy: [] }))[0]?.costMicroUsd, 80);
  });

  test('keys of the same name are summed apart, each with its tenant', async (context) => {
    const store = await database.open(context);
    await insertRecords(store, [makeRecord({ tenant: 'acme' }), makeRecord({ tenant: 'beta' })]);
    const sums = await sumUsage(store, { groupBy: ['key'] });
    assert.deepEqual(
      sums.map(({ tenant, key, calls }) => [tenant, key, calls]),
      [
        ['acme', 'app', 1],
        ['beta', 'app', 1],
      ],
    );
  });

  test('every grouping splits the sum of all calls, and loses and adds nothing', async (context) => {
    const store = await database.open(context);
    await fc.assert(
      fc.asyncProperty(anyRecords(20), fc.subarray([...GROUPINGS]), async (records, groupBy) => {
        await deleteCalls(store);
        await insertRecords(store, records);
        const sums = await sumUsage(store, { groupBy });
        assert.deepEqual(addSums(sums), addRecords(records));
        const groups = sums.map(({ tenant, key, model, target, tier, prompt, side, day }) =>
          JSON.stringify([tenant, key, model, target, tier, prompt, side, day]),
        );
        assert.equal(new Set(groups).size, groups.length);
      }),
      { numRuns: 60 },
    );
  });

  const anyFilters: fc.Arbitrary<CallFilters> = fc.record(
    {
      from: fc.integer({ min: 0, max: 41 }).map((step) => Date.UTC(2026, 10, 20) + step * 3 * 3_600_000),
      to: fc.integer({ min: 0, max: 41 }).map((step) => Date.UTC(2026, 10, 20) + step * 3 * 3_600_000),
      tenant: fc.constantFrom('acme', 'beta', 'nobody'),
      key: fc.constantFrom('app', 'batch'),
      model: fc.constantFrom('smart', 'embed'),
      target: fc.constantFrom('openai/gpt-4.1', 'echo/echo'),
      tier: fc.constantFrom('standard', 'priority', 'fast+us'),
      prompt: fc.constantFrom('support/triage', 'support/triage@3', 'support', 'sum'),
      outcome: fc.constantFrom('ok', 'failed', 'cancelled', 'rate_limited'),
    },
    { requiredKeys: [], noNullPrototype: true },
  );

  function meets(record: UsageRecord, filters: CallFilters): boolean {
    const { from, to, outcome, tier, prompt } = filters;
    if (prompt !== undefined && record.prompt !== prompt && !record.prompt?.startsWith(`${prompt}@`))
      return false;
    if (tier !== undefined && (record.usage?.tier ?? 'standard') !== tier) return false;
    if (from !== undefined && record.startedAt < from) return false;
    if (to !== undefined && record.startedAt >= to) return false;
    if (outcome === 'failed' ? record.outcome === 'ok' : outcome !== undefined && record.outcome !== outcome)
      return false;
    return (['tenant', 'key', 'model', 'target'] as const).every(
      (field) => filters[field] === undefined || record[field] === filters[field],
    );
  }

  test('sums and lists are of the calls that meet every filter, newest first', async (context) => {
    const store = await database.open(context);
    await fc.assert(
      fc.asyncProperty(anyRecords(20), anyFilters, async (records, filters) => {
        await deleteCalls(store);
        await insertRecords(store, records);
        const meant = records.filter((record) => meets(record, filters));
        assert.deepEqual(await sumUsage(store, { groupBy: [], ...filters }), [addRecords(meant)]);
        const { calls, nextCursor } = await listCalls(store, { limit: 100, ...filters });
        const newestFirst = meant.toSorted((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1));
        assert.deepEqual(calls, newestFirst);
        assert.equal(nextCursor, null);
      }),
      { numRuns: 60 },
    );
  });

  test('the pages together hold every call once, also while calls are written', async (context) => {
    const store = await database.open(context);
    await fc.assert(
      fc.asyncProperty(
        anyRecords(25),
        fc.integer({ min: 1, max: 7 }),
        fc.array(anyRecord, { maxLength: 8 }),
        async (records, limit, later) => {
          await deleteCalls(store);
          await insertRecords(store, records);
          const arriving = later.map((record, index) => ({ ...record, id: `later-${index}` }));
          const calls = await readAllPages(store, limit, async () => {
            const next = arriving.pop();
            if (next) await insertRecords(store, [next]);
          });
          const seen = calls.map(({ id }) => id);
          assert.equal(new Set(seen).size, seen.length, 'no call comes twice');
          assert.deepEqual(
            seen.filter((id) => !id.startsWith('later-')).toSorted(),
            records.map(({ id }) => id).toSorted(),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a page that ends with the last call says that there is none after it', async (context) => {
    const store = await database.open(context);
    await insertRecords(store, [makeRecord(), makeRecord()]);
    assert.equal((await listCalls(store, { limit: 2 })).nextCursor, null);
    assert.notEqual((await listCalls(store, { limit: 1 })).nextCursor, null);
  });

  test('a call is listed with its usage and attempts', async (context) => {
    const store = await database.open(context);
    const record = makeRecord({ usage: { ...NO_USAGE, cacheRead: 5, reasoning: 7 }, costMicroUsd: 12 });
    await insertRecords(store, [record]);
    assert.deepEqual((await listCalls(store, { limit: 1 })).calls, [record]);
  });
});

test('a page is read from an index and not sorted', async (context) => {
  const store = await openTempStore(context);
  const cursor: CallCursor = { startedAt: 5, id: 'a' };
  const filters: [CallFilters, index: string][] = [
    [{}, 'sqlite_autoindex_calls_1'],
    [{ from: 1, to: 9 }, 'sqlite_autoindex_calls_1'],
    [{ tenant: 'acme' }, 'calls_by_tenant'],
    [{ tenant: 'acme', from: 1 }, 'calls_by_tenant'],
  ];
  for (const [filter, index] of filters) {
    const rows = await selectCalls(store, { ...filter, limit: 10, cursor }).explain<{ detail: string }>(
      undefined,
      sql`query plan`,
    );
    const plan = rows.map(({ detail }) => detail).join('; ');
    assert.match(plan, new RegExp(`USING INDEX ${index}`), JSON.stringify(filter));
    assert.doesNotMatch(plan, /TEMP B-TREE/, JSON.stringify(filter));
  }
});
