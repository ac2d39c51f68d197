import assert from 'node:assert/strict';
import { test } from 'node:test';
import { saysLargerThanLimit } from '../../src/dialects/larger-than-limit.ts';
import { CounterBook } from '../../src/quotas/counters.ts';
import { Limit } from '../../src/quotas/limit.ts';
import { describeRefusal } from '../../src/quotas/refusals.ts';

test('a rate says to come again in a minute at most: the SDK of OpenAI takes a longer wait for none', () => {
  const rate = new Limit('requests', { kind: 'tenant', tenant: 'acme' }, 5, undefined, new CounterBook());
  const refuse = (waitMs: number) => {
    const { retryAfterMs, message } = describeRefusal({
      limit: rate,
      ...{ amount: 1, available: 0, underWay: 0, waitMs, atMs: 0 },
    });
    return { retryAfterMs, seconds: /in (\d+) s/.exec(message)?.[1] };
  };
  assert.deepEqual(refuse(61_500), { retryAfterMs: 60_000, seconds: '62' });
  assert.deepEqual(refuse(1_500), { retryAfterMs: 1_500, seconds: '2' });
});

test('a gateway that stands behind another is known to refuse what never fits, and what may fit later', () => {
  const tokens = new Limit('tokens', { kind: 'tenant', tenant: 'acme' }, 100, undefined, new CounterBook());
  const refuse = (amount: number) => {
    const state = { available: 0, underWay: 0, waitMs: 1_000, atMs: 0 };
    return saysLargerThanLimit(429, describeRefusal({ limit: tokens, amount, ...state }));
  };
  assert.deepEqual([refuse(101), refuse(100)], [true, false]);
});
