import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const KEYS = { first: 'sk-of-first-account-0123456789', second: 'sk-of-second-account-012345678' };

/** A provider with two accounts; what each of them has left of its hundred requests a minute is said with each answer. */
async function setUp(
  context: TestContext,
  left: Record<keyof typeof KEYS, number>,
  weights: Partial<Record<string, number>> = {},
) {
  const counts = { first: 0, second: 0 };
  const limited = new Set<string>();
  const upstream = await startRawUpstream((response, _body, request) => {
    const isFirst = request.headers.authorization === `Bearer ${KEYS.first}`;
    const account = isFirst ? 'first' : 'second';
    counts[account] += 1;
    response.setHeader('content-type', 'application/json');
    response.statusCode = limited.has(account) ? 429 : 200;
    response.setHeader('x-ratelimit-limit-requests', '100');
    response.setHeader('x-ratelimit-remaining-requests', String(left[account]));
    response.setHeader('x-ratelimit-reset-requests', '60s');
    response.end(chatAnswer('Hi'));
  });
  const accounts = Object.entries(KEYS).map(([name, apiKey]) => ({
    name,
    apiKey,
    weight: weights[name] ?? 1,
  }));
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts } },
  });
  context.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const call = async () => {
    const body = { model: 'up/m', messages: [{ role: 'user', content: 'Hi' }] };
    const response = await gateway.post('/v1/chat/completions', body);
    await response.text();
    assert.equal(response.status, 200);
  };
  return { counts, limited, call };
}

test('an account without weight stands in for the others alone', async (context) => {
  const { counts, limited, call } = await setUp(context, { first: 100, second: 100 }, { second: 0 });
  for (let asked = 0; asked < 40; asked++) await call();
  assert.deepEqual(counts, { first: 40, second: 0 });
  limited.add('first');
  await call();
  assert.deepEqual(counts, { first: 41, second: 1 });
});

test('an account that says that its limit is used up gets hardly any more calls, as long as another has some left', async (context) => {
  const { counts, call } = await setUp(context, { first: 0, second: 100 });
  while (counts.first === 0) await call();
  const before = counts.first;
  for (let asked = 0; asked < 40; asked++) await call();
  assert.ok(counts.first - before <= 2, `${counts.first - before} of 40`);
});

test('accounts that have as much left share the calls', async (context) => {
  const { counts, call } = await setUp(context, { first: 50, second: 50 });
  for (let asked = 0; asked < 60; asked++) await call();
  assert.ok(counts.first > 8 && counts.second > 8, JSON.stringify(counts));
});
