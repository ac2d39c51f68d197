import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_USAGE, type Usage } from '../../src/conversation/usage.ts';
import { settleQuotaLate } from '../../src/gateway/reserve-quota.ts';
import { CounterBook } from '../../src/quotas/counters.ts';
import { Limit } from '../../src/quotas/limit.ts';
import { LocalQuotas } from '../../src/quotas/local-quotas.ts';
import { Reservation } from '../../src/quotas/reservation.ts';
import { PriceBook } from '../../src/usage/prices.ts';
import { makeRecord } from '../support/usage-records.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const MAX = 1_000_000;
const USAGE: Usage = { ...NO_USAGE, input: 10, output: 5, estimated: true };

/** A call of a target without a price, that reserved 700 billionths of a dollar, where to tell of that fails as it is told to. */
function setUp(onUnknownPrice: () => void) {
  const quotas = new LocalQuotas(new CounterBook(), () => NOW);
  const budget = new Limit('usdBudget', { kind: 'tenant', tenant: 'acme' }, MAX, 'day', new CounterBook());
  const demand = { calls: 1, tokens: 100, nanoUsd: 700, costs: true, spare: 0 } as const;
  const reservation = quotas.reserve([budget], demand);
  assert.ok(reservation instanceof Reservation);
  const logged: string[] = [];
  const log = { info: () => {}, warn: () => {}, error: (_: object, message: string) => logged.push(message) };
  const gateway = { quotas, prices: new PriceBook({ onUnknownPrice }), log };
  return { gateway, reservation, logged, left: () => budget.counter.available(MAX, NOW) };
}

/** Its record has an estimate; the target is one that the price list does not have. */
const record = () => makeRecord({ startedAt: NOW, target: 'openai/no-such-model', usage: null });

test('what fails while a late count is settled ends no process: the record has its count, the budget what was reserved', async () => {
  const { gateway, reservation, logged, left } = setUp(() => {
    throw new Error('the log is full');
  });
  const late = settleQuotaLate(gateway, reservation, record(), {
    count: () => Promise.resolve(USAGE),
    drop: () => {},
  });
  late.begin();
  assert.deepEqual(await late.count(), USAGE);
  assert.equal(left(), MAX - 700);
  assert.match(logged.join(), /could not be settled/);
});

test('a count that fails leaves the record as it is, and holds up no batch of records', async () => {
  const { gateway, reservation, logged, left } = setUp(() => {});
  const late = settleQuotaLate(gateway, reservation, record(), {
    count: () => Promise.reject(new Error('no counter')),
    drop: () => {},
  });
  late.begin();
  assert.equal(await late.count(), undefined);
  assert.equal(left(), MAX - 700);
  assert.match(logged.join(), /could not be settled/);
});
