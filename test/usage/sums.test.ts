import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { sql } from 'kysely';
import type { Store } from '../../src/store/store.ts';
import { mapTokens, toCallRow } from '../../src/usage/call-row.ts';
import type { CallFilters } from '../../src/usage/filters.ts';
import { type CallsQuery, listCalls } from '../../src/usage/list-calls.ts';
import { GROUPINGS, type Grouping, selectSums, sumUsage, type UsageSum } from '../../src/usage/queries.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { splitPeriod } from '../../src/usage/spans.ts';
import { onEachDatabase } from '../support/databases.ts';
import { scale } from '../support/scale.ts';
import { openTempStore } from '../support/temp-store.ts';
import { anyRecord, anyRollout } from '../support/usage-records.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 10, 20);
const END = START + 4 * 24 * HOUR;

/** Moments at the edges of hours and days, next to them, and anywhere. */
const anyMoment = fc.oneof(
  fc
    .tuple(fc.integer({ min: 0, max: 96 }), fc.constantFrom(-1, 0, 1))
    .map(([hours, off]) => START + hours * HOUR + off),
  fc.integer({ min: START, max: END }),
);

const anyCall = fc
  .tuple(anyRecord, anyMoment, fc.option(anyRollout, { nil: undefined }))
  .map(
    ([record, startedAt, rollout]): UsageRecord => ({ ...record, startedAt, ...(rollout && { rollout }) }),
  );

const anyFilters: fc.Arbitrary<CallFilters> = fc.record(
  {
    from: anyMoment,
    to: anyMoment,
    tenant: fc.constantFrom('acme', 'beta', ''),
    key: fc.constantFrom('app', 'batch'),
    model: fc.constantFrom('smart', 'embed', ''),
    target: fc.constantFrom('openai/gpt-4.1', 'echo/echo'),
    tier: fc.constantFrom('standard', 'priority', 'fast+us'),
    prompt: fc.constantFrom('support/triage', 'support/triage@3', 'support', 'sum'),
    outcome: fc.constantFrom('ok', 'failed', 'cancelled', 'rate_limited'),
  },
  { requiredKeys: [], noNullPrototype: true },
);

function meets(
  record: UsageRecord,
  { from = -Infinity, to = Infinity, outcome, tier, prompt, ...names }: CallFilters,
): boolean {
  if (record.startedAt < from || record.startedAt >= to) return false;
  if (outcome === 'failed' ? record.outcome === 'ok' : outcome !== undefined && record.outcome !== outcome) {
    return false;
  }
  if (prompt !== undefined && record.prompt !== prompt && !record.prompt?.startsWith(`${prompt}@`))
    return false;
  if (tier !== undefined && tierOf(record) !== (tier === 'standard' ? null : tier)) return false;
  return Object.entries(names).every(([name, wanted]) => record[name as keyof typeof names] === wanted);
}

function sideNamed({ rollout }: UsageRecord): string | null {
  if (!rollout) return null;
  const { name, side, flags } = rollout;
  return `${name}=${flags.includes('judged') ? 'judge' : flags.includes('copied') ? 'copy' : side}`;
}

const tierOf = ({ usage }: UsageRecord) => usage?.tier ?? null;

function roundMillionths(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}

/** The sums as a reader of the records would make them. By the names of their groups. */
function sumPlainly(records: readonly UsageRecord[], groupBy: readonly Grouping[]): Map<string, UsageSum> {
  const groups = new Map<string, UsageSum>();
  const names = new Set(
    groupBy.flatMap((grouping): Grouping[] => (grouping === 'key' ? ['tenant', 'key'] : [grouping])),
  );
  for (const record of records) {
    const group: Partial<UsageSum> = {};
    for (const name of names) {
      if (name === 'day') group.day = new Date(record.startedAt).toISOString().slice(0, 10);
      else if (name === 'tier') group.tier = tierOf(record);
      else if (name === 'prompt') group.prompt = record.prompt ?? null;
      else if (name === 'side') group.side = sideNamed(record);
      else group[name] = record[name];
    }
    const id = nameGroup(group);
    const sum = groups.get(id) ?? {
      ...group,
      calls: 0,
      failed: 0,
      tokens: mapTokens(() => 0),
      costMicroUsd: null,
      unpricedCalls: 0,
    };
    const { costMicroUsd, usage, outcome, saved } = record;
    groups.set(id, {
      ...sum,
      calls: sum.calls + 1,
      failed: sum.failed + (outcome === 'ok' ? 0 : 1),
      tokens: mapTokens((kind) => sum.tokens[kind] + (usage?.[kind] ?? 0)),
      costMicroUsd: costMicroUsd === null ? sum.costMicroUsd : (sum.costMicroUsd ?? 0) + costMicroUsd,
      unpricedCalls: sum.unpricedCalls + (costMicroUsd === null && (outcome === 'ok' || usage) ? 1 : 0),
      ...(saved && {
        cachedCalls: (sum.cachedCalls ?? 0) + 1,
        savedMicroUsd: (sum.savedMicroUsd ?? 0) + (saved.costMicroUsd ?? 0),
      }),
    });
  }
  return groups;
}

function nameGroup({ tenant, key, model, target, tier, prompt, side, day }: Partial<UsageSum>): string {
  return JSON.stringify([tenant, key, model, target, tier, prompt, side, day]);
}

function rounded(sum: UsageSum): UsageSum {
  const { costMicroUsd, savedMicroUsd } = sum;
  return {
    ...sum,
    costMicroUsd: costMicroUsd === null ? null : roundMillionths(costMicroUsd),
    ...(savedMicroUsd !== undefined && { savedMicroUsd: roundMillionths(savedMicroUsd) }),
  };
}

async function checkSums(
  store: Store,
  records: readonly UsageRecord[],
  filters: CallFilters,
  groupBy: readonly Grouping[],
): Promise<void> {
  const expected = sumPlainly(
    records.filter((record) => meets(record, filters)),
    groupBy,
  );
  const sums = await sumUsage(store, { groupBy, ...filters });
  const actual = new Map(sums.map((sum) => [nameGroup(sum), rounded(sum)]));
  // One sum of everything is there also where there is nothing.
  if (groupBy.length === 0 && expected.size === 0) {
    assert.equal(sums[0]?.calls, 0);
    return;
  }
  assert.equal(sums.length, expected.size);
  for (const [group, sum] of expected) assert.deepEqual(actual.get(group), rounded(sum), group);
}

onEachDatabase((database) => {
  test('sums are those of the records themselves, whatever the filters, the period and the batches', async (context) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyCall, { selector: ({ id }) => id, minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 15 }),
        fc.array(fc.tuple(anyFilters, fc.subarray([...GROUPINGS])), { minLength: 8, maxLength: 8 }),
        async (records, batchSize, mostUnsummed, queries) => {
          const store = await database.open(context, { mostUnsummed });
          const rows = records.map(toCallRow);
          for (let index = 0; index < rows.length; index += batchSize) {
            // Some come again, as after a commit that was not confirmed.
            await store.insertCalls(rows.slice(Math.max(0, index - 3), index + batchSize));
          }
          for (const [filters, groupBy] of queries) await checkSums(store, records, filters, groupBy);
        },
      ),
      { numRuns: scale({ sample: 5, heavy: 150 }) },
    );
  });
});

onEachDatabase((database) => {
  test('pages of calls that meet filters hold each once, newest first, however rare they are', async (context) => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyCall, { selector: ({ id }) => id, minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.tuple(anyFilters, fc.integer({ min: 1, max: 9 })), { minLength: 6, maxLength: 6 }),
        async (records, mostUnsummed, queries) => {
          const store = await database.open(context, { mostUnsummed });
          for (const record of records) await store.insertCalls([toCallRow(record)]);
          for (const [filters, limit] of queries) {
            const expected = records
              .filter((record) => meets(record, filters))
              .toSorted((a, b) => b.startedAt - a.startedAt || (a.id < b.id ? 1 : -1));
            assert.deepEqual(await readPages(store, { ...filters, limit }), expected);
          }
        },
      ),
      { numRuns: scale({ sample: 5, heavy: 100 }) },
    );
  });
});

async function readPages(store: Store, query: CallsQuery): Promise<UsageRecord[]> {
  const { calls, nextCursor } = await listCalls(store, query);
  if (nextCursor === null) return calls;
  return [...calls, ...(await readPages(store, { ...query, cursor: nextCursor }))];
}

test('what two processes write into one SQLite file is summed once, whoever sums it', async (context) => {
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(anyCall, fc.nat({ max: 2 })), { selector: ([{ id }]) => id, maxLength: 60 }),
      async (written) => {
        const store = await openTempStore(context, { mostUnsummed: 5 });
        const url = `sqlite:${await fileOf(store)}`;
        const { openStore } = await import('../../src/store/open.ts');
        let other = await openStore(url, { mostUnsummed: 3 });
        for (const [record, writer] of written) {
          if (writer === 2) {
            // One is killed and started again: what it had not summed is summed then.
            await other.close();
            other = await openStore(url, { mostUnsummed: 3 });
          }
          await (writer === 0 ? store : other).insertCalls([toCallRow(record)]);
        }
        const records = written.map(([record]) => record);
        for (const reader of [store, other]) await checkSums(reader, records, {}, ['tenant', 'model', 'day']);
        await other.close();
      },
    ),
    { numRuns: scale({ sample: 5, heavy: 200 }) },
  );
});

async function fileOf(store: Store): Promise<string> {
  const { rows } = await sql<{ file: string }>`pragma database_list`.execute(store.db);
  return rows[0]?.file ?? '';
}

test('a period is split into days, hours and a rest that are together all of it', () => {
  fc.assert(
    fc.property(
      fc.option(anyMoment, { nil: undefined }),
      fc.option(anyMoment, { nil: undefined }),
      (from, to) => {
        fc.pre(from === undefined || to === undefined || from < to);
        const { days, hours, rest } = splitPeriod({ from, to });
        const parts = [...days, ...hours, ...rest].toSorted((a, b) => (a.from ?? -1) - (b.from ?? -1));
        assert.equal(parts[0]?.from, from);
        assert.equal(parts.at(-1)?.to, to);
        for (const [index, part] of parts.entries()) {
          if (index > 0) assert.equal(part.from, parts[index - 1]?.to, 'no gap and no overlap');
        }
        for (const { from: first = 0, to: last = 0 } of days)
          assert.equal((first % (24 * HOUR)) + (last % (24 * HOUR)), 0);
        for (const { from: first = 0, to: last = 0 } of hours)
          assert.equal((first % HOUR) + (last % HOUR), 0);
        for (const { from: first = 0, to: last = END * 2 } of rest) {
          if (from !== undefined && to !== undefined && hours.length + days.length > 0)
            assert.ok(last - first < HOUR);
        }
      },
    ),
  );
});

test('sums of whole days read no call but those that are not summed yet', async (context) => {
  const store = await openTempStore(context);
  const query = { groupBy: ['tenant' as const], from: START, to: START + 48 * HOUR, tenant: 'acme' };
  const rows = await selectSums(store, query, ['tenant']).explain<{ detail: string }>(
    undefined,
    sql`query plan`,
  );
  const plan = rows.map(({ detail }) => detail).filter((detail) => /SCAN|SEARCH/.test(detail));
  const scans = plan.filter(
    (detail) => detail.startsWith('SCAN') && !/usage_summed|parts|subquery/i.test(detail),
  );
  assert.deepEqual(scans, [], plan.join('; '));
  assert.ok(
    plan.some((detail) => /SEARCH usage_by_day USING PRIMARY KEY \(span>\? AND span<\?\)/.test(detail)),
  );
  assert.ok(
    plan.some((detail) => /SEARCH calls USING INTEGER PRIMARY KEY \(rowid>\?\)/.test(detail)),
    plan.join('; '),
  );
});
