import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Config } from '../../src/config/resolve.ts';
import { compileSharedLimits, compileTenantLimits } from '../../src/quotas/compile-limits.ts';
import { BudgetCounter, CounterBook } from '../../src/quotas/counters.ts';
import { isShared, type Limit } from '../../src/quotas/limit.ts';
import { PERIODS } from '../../src/quotas/period.ts';
import { type BeganMs, learnSpent } from '../../src/quotas/spent-budgets.ts';
import type { Store } from '../../src/store/store.ts';
import { toCallRow } from '../../src/usage/call-row.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { onEachDatabase } from '../support/databases.ts';
import { makeRecord } from '../support/usage-records.ts';

const NOW = Date.UTC(2026, 9, 20, 12, 34);
const MS_PER_DAY = 86_400_000;
const PERIOD_NAMES = ['hour', 'day', 'month', 'total'] as const;
const BUDGETS = { budgets: PERIOD_NAMES.map((per) => ({ usd: 1_000, per })) };

/** Every budget on every tenant, one of its keys, some of its models and prompts, one model, and one prompt. */
function compileBudgets(tenants: readonly string[]): Limit[] {
  const counters = new CounterBook();
  const config = {
    limits: BUDGETS,
    modelLimits: { 'small*': BUDGETS },
    promptLimits: { 'sum*': BUDGETS },
    keys: [{ name: 'app', limits: BUDGETS }],
  };
  const models = { big: { targets: [], limits: BUDGETS } } as unknown as Config['models'];
  const shared = compileSharedLimits({ models, prompts: { limits: { triage: BUDGETS } } }, counters);
  const own = tenants.flatMap((tenant) => compileTenantLimits(tenant, config, shared, counters).own);
  return [...own, ...(shared.ofModels.get('big') ?? []), ...(shared.ofPrompts.get('triage') ?? [])];
}

/** Whether a budget counts a call, said once more in other words. */
function isMeant({ scope }: Limit, { tenant, key, model, prompt }: UsageRecord): boolean {
  const called = prompt?.split('@')[0] ?? '';
  if (scope.kind === 'model') return model === scope.model;
  if (scope.kind === 'prompt') return called === scope.prompt;
  if (tenant !== scope.tenant) return false;
  if (scope.kind === 'key') return key === scope.key;
  if (scope.kind === 'tenant_prompt') return called.startsWith('sum');
  return scope.kind === 'tenant' || (model ?? '').startsWith('small');
}

/** `beganMs`: when the tenant did. */
function expectSpent(limit: Limit, records: readonly UsageRecord[], beganMs: BeganMs): number {
  const { startMs } = PERIODS[limit.period ?? 'total'](NOW);
  const from = isShared(limit.scope) ? startMs : Math.max(startMs, beganMs(limit.scope.tenant));
  const meant = records.filter((record) => record.startedAt >= from && isMeant(limit, record));
  return meant.reduce((sum, { costMicroUsd }) => sum + 1_000 * (costMicroUsd ?? 0), 0);
}

async function checkLearned(
  store: Store,
  limits: Limit[],
  records: readonly UsageRecord[],
  beganMs: BeganMs = () => 0,
): Promise<void> {
  await learnSpent(limits, store, NOW, beganMs);
  for (const limit of limits) {
    assert.ok(limit.counter instanceof BudgetCounter);
    assert.equal(limit.counter.spent(NOW), expectSpent(limit, records, beganMs), limit.id);
  }
}

onEachDatabase((database) => {
  test('budgets learn what was spent in their periods, of a few owners as of many', async (context) => {
    const store = await database.open(context, { mostUnsummed: 100 });
    const tenants = Array.from({ length: 30 }, (_, index) => `tenant-${index}`);
    const records = Array.from({ length: 350 }, (_, index) =>
      makeRecord({
        // From seventy days ago on; some in this day and this hour.
        startedAt: NOW - (index % 7 === 0 ? index * 20_000 : Math.floor((index * MS_PER_DAY) / 5)),
        tenant: tenants[index % 30] ?? null,
        key: ['app', 'other'][index % 2] ?? null,
        model: ['big', 'small-1', 'small-2'][index % 3] ?? null,
        ...(index % 5 > 1 && { prompt: ['sum', 'triage', 'triage@2', 'sum/all@1'][index % 4] ?? '' }),
        costMicroUsd: 1 + index,
      }),
    );
    for (const record of records) await store.insertCalls([toCallRow(record)]);
    await checkLearned(store, compileBudgets(tenants.slice(0, 3)), records);
    await checkLearned(store, compileBudgets(tenants), records);
    // Names that were another tenant's: of some in this hour, of others at any time, at the moment of a call or between two.
    const beganMs = (tenant: string) => {
      const index = tenants.indexOf(tenant);
      if (index % 3 === 0) return 0;
      const call = records[index]?.startedAt ?? 0;
      return index % 3 === 1 ? call + (index % 2) : NOW - index * 61_000;
    };
    await checkLearned(store, compileBudgets(tenants.slice(0, 3)), records, beganMs);
    await checkLearned(store, compileBudgets(tenants), records, beganMs);
  });
});
