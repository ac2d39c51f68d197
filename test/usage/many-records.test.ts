import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { sql } from 'kysely';
import { compileTenantLimits, NO_SHARED_LIMITS } from '../../src/quotas/compile-limits.ts';
import { BudgetCounter, CounterBook } from '../../src/quotas/counters.ts';
import { spentNanoUsd } from '../../src/quotas/limit.ts';
import { PERIODS } from '../../src/quotas/period.ts';
import { learnSpent } from '../../src/quotas/spent-budgets.ts';
import { openStore } from '../../src/store/open.ts';
import { CALL_COLUMNS } from '../../src/store/schema.ts';
import type { Store } from '../../src/store/store.ts';
import { SUM_COLUMNS } from '../../src/store/usage-sums.ts';
import type { CallFilters } from '../../src/usage/filters.ts';
import { listCalls } from '../../src/usage/list-calls.ts';
import { type Grouping, sumUsage } from '../../src/usage/queries.ts';
import { scale } from '../support/scale.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/** What the usage page may take for any of its questions. Only measured where the machine is ours: in the heavy suite. */
const LIMIT_MS = 300;
const RECORDS = scale({ sample: 6_000, heavy: 10_000_000 });
/** More in one transaction would be written twice, to the log and to the file. */
const FILLED_AT_ONCE = 200_000;
const DAYS = 90;
const START = Date.UTC(2026, 7, 1);
const MS_PER_DAY = 86_400_000;
const END = START + DAYS * MS_PER_DAY;

/** Ninety days of fifty tenants with two keys and four models each, of which a thirtieth failed in one of three ways. */
async function fill(store: Store): Promise<void> {
  for (let start = 0; start < RECORDS; start += FILLED_AT_ONCE) {
    await fillPart(store, start, Math.min(RECORDS, start + FILLED_AT_ONCE));
  }
}

async function fillPart(store: Store, start: number, end: number): Promise<void> {
  await sql`
    insert into calls (${sql.raw(CALL_COLUMNS.map((column) => `"${column}"`).join(', '))})
    with recursive
      number (n) as (select ${start} union all select n + 1 from number where n + 1 < ${end}),
      call (n, random) as (select n, n * 2654435761 % 4294967296 / 2 from number)
    select
      'req_' || substr('00000000' || n, -8), ${START} + n * ${DAYS * MS_PER_DAY} / ${RECORDS},
      'tenant-' || (random / 64 % 50), 'key-' || (random / 4096 % 2), 'chat', 'generate',
      'model-' || (random / 8192 % 4), 'openai/gpt-' || (random / 8192 % 4), n % 2,
      100 + random / 16 % 900, 0, random / 32 % 3 * 100, 0, 0, 50 + random / 128 % 500, 0, 0, 0,
      case random / 2048 % 50 when 0 then 'priority' when 1 then 'flex' else null end,
      case when random / 64 % 100 = 0 then null else random / 16 % 10000 / 7.0 end,
      case random / 256 % 90 when 0 then 'rate_limited' when 1 then 'upstream_timeout' when 2 then 'cancelled' else 'ok' end,
      200, 812.25, 201.5,
      '[["main",500,811000,200,"ok"]]', null,
      case random / 4096 % 20 when 0 then 'support/triage@' || (random / 64 % 3) else null end, null, null, null
    from call`.execute(store.db);
}

const NOON = END - 30.5 * MS_PER_DAY + 123_456;
const SUMS: [groupBy: Grouping[], filters: CallFilters][] = [
  [[], {}],
  [['tenant'], {}],
  [['tenant', 'model', 'day'], { from: END - 30 * MS_PER_DAY }],
  [['key'], { from: NOON, to: NOON + 17.25 * MS_PER_DAY }],
  [['tenant', 'key', 'model', 'target', 'day'], { tenant: 'tenant-7' }],
  [['target'], { outcome: 'failed' }],
  [['day'], { model: 'model-1', from: NOON }],
  [['tier'], {}],
  [['tenant', 'tier', 'day'], { from: END - 30 * MS_PER_DAY }],
  [['prompt'], {}],
  [['day'], { prompt: 'support/triage' }],
  [['model'], { tier: 'priority' }],
  [['tenant'], { tier: 'standard' }],
  [['model'], { from: NOON, to: NOON + 3_000_000 }],
];
const PAGES: CallFilters[] = [
  {},
  { tenant: 'tenant-7' },
  { tenant: 'tenant-7', outcome: 'rate_limited', key: 'key-1' },
  { model: 'model-1', outcome: 'failed' },
  { from: NOON, to: NOON + MS_PER_DAY, target: 'openai/gpt-2' },
  { model: 'no-such-model' },
  { tier: 'priority' },
  { tenant: 'tenant-7', tier: 'flex', outcome: 'failed' },
  { tier: 'no-such-tier' },
  { tenant: 'tenant-7', model: 'no-such-model' },
  { key: 'key-1', outcome: 'internal', from: START },
];

test(`the usage page's questions over ${RECORDS} records`, { timeout: 600_000 }, async (context) => {
  const url = `sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`;
  const filling = await openStore(url);
  const started = performance.now();
  await fill(filling);
  const filled = performance.now();
  await filling.close();
  // As after a crash: what is not summed is summed when the store is opened.
  const store = await openStore(url);
  const summed = performance.now();
  context.diagnostic(
    `made in ${Math.round(filled - started)} ms, summed in ${Math.round(summed - filled)} ms`,
  );
  const slow: string[] = [];
  const measure = async (name: string, ask: () => Promise<unknown>) => {
    const [before, cpuBefore] = [performance.now(), process.cpuUsage()];
    await ask();
    const tookMs = Math.round(performance.now() - before);
    const cpu = process.cpuUsage(cpuBefore);
    context.diagnostic(`${tookMs} ms (CPU ${Math.round((cpu.user + cpu.system) / 1000)}): ${name}`);
    if (tookMs > LIMIT_MS) slow.push(`${name}: ${tookMs} ms`);
  };
  for (const [groupBy, filters] of SUMS) {
    await measure(`sums by ${groupBy.join(',')} ${JSON.stringify(filters)}`, () =>
      sumUsage(store, { groupBy, ...filters }),
    );
  }
  for (const filters of PAGES) {
    await measure(`calls ${JSON.stringify(filters)}`, () => listCalls(store, { limit: 100, ...filters }));
  }
  assert.equal((await sumUsage(store, { groupBy: [] }))[0]?.calls, RECORDS);
  if (scale({ sample: false, heavy: true })) assert.deepEqual(slow, []);
  await store.close();
});

const TENANTS = scale({ sample: 200, heavy: 10_000 });
const MONTH_DAYS = 30;
const MONTH = END - MONTH_DAYS * MS_PER_DAY;
/** What calls under way may wait for, where budgets are set while they run: of one tenant, or of all at once. */
const MOST_BLOCKED_MS = { one: 100, all: 300 };

/** The sums of a month in which every tenant calls every day. */
async function fillMonth(store: Store): Promise<void> {
  await sql`
    insert into usage_by_day (${sql.raw(SUM_COLUMNS.map((column) => `"${column}"`).join(', '))})
    with recursive
      day (n) as (select 0 union all select n + 1 from day where n + 1 < ${MONTH_DAYS}),
      tenant (n) as (select 0 union all select n + 1 from tenant where n + 1 < ${TENANTS})
    select
      ${MONTH} + day.n * ${MS_PER_DAY}, '=tenant-' || tenant.n, '=app', '=model-' || (tenant.n % 4),
      '=openai/gpt-' || (tenant.n % 4), 'ok', '', '', '', 33, 33, 0, 1000, 3300 + tenant.n, 0, 100, 0, 0, 550, 0, 0, 0, 0
    from day, tenant`.execute(store.db);
}

/** How long at most nothing else had its turn, in CPU time: other processes may have the machine meanwhile. */
async function measureBlocking(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let before = process.threadCpuUsage();
  let done = false;
  const watch = () => {
    const { user, system } = process.threadCpuUsage(before);
    longest = Math.max(longest, user + system);
    before = process.threadCpuUsage();
    if (!done) setImmediate(watch);
  };
  setImmediate(watch);
  await work();
  done = true;
  watch();
  return Math.round(longest / 1000);
}

test(`sums of ${TENANTS} tenants, and the budgets that learn from them`, {
  timeout: 120_000,
}, async (context) => {
  const store = await openStore(`sqlite:${join(makeTempDirectory(context), 'fairlead.db')}`);
  await fillMonth(store);
  for (const groupBy of [[], ['day'], ['model'], ['tenant']] as Grouping[][]) {
    const before = process.cpuUsage();
    await sumUsage(store, { groupBy, from: MONTH });
    const { user, system } = process.cpuUsage(before);
    const tookMs = Math.round((user + system) / 1000);
    context.diagnostic(`${tookMs} ms of CPU: sums of a month by ${groupBy}`);
    // By tenant and by model all rows are sorted: what that takes is told, and depends on the machine more than on us.
    const isOnePass = groupBy.length === 0 || groupBy[0] === 'day';
    if (scale({ sample: false, heavy: isOnePass }))
      assert.ok(tookMs < LIMIT_MS, `by ${groupBy}: ${tookMs} ms`);
  }
  const limits = { budgets: [{ usd: 1_000_000, per: 'month' as const }] };
  for (const [owners, mostMs] of [
    [1, MOST_BLOCKED_MS.one],
    [TENANTS, MOST_BLOCKED_MS.all],
  ] as const) {
    const counters = new CounterBook();
    const budgets = Array.from(
      { length: owners },
      (_, tenant) =>
        compileTenantLimits(`tenant-${tenant}`, { limits, keys: [] }, NO_SHARED_LIMITS, counters).own,
    ).flat();
    const blockedMs = await measureBlocking(() => learnSpent(budgets, store, END - 1));
    context.diagnostic(`${blockedMs} ms at most: ${owners} new budgets`);
    for (const { counter, id } of budgets) {
      assert.ok(counter instanceof BudgetCounter);
      // From the first of the month on.
      assert.equal(counter.spent(END - 1), spentNanoUsd(1000 * DAYS_OF_LAST_MONTH), id);
    }
    if (scale({ sample: false, heavy: true })) assert.ok(blockedMs < mostMs, `${blockedMs} ms`);
  }
  await store.close();
});

const DAYS_OF_LAST_MONTH = (END - PERIODS.month(END - 1).startMs) / MS_PER_DAY;
