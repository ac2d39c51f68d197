import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

/** What an answer says of the limits of its account, of whose hundred requests so many are left. */
type SayLeft = (left: number) => Record<string, string>;

const ofOpenAi: SayLeft = (left) => ({
  'x-ratelimit-limit-requests': '100',
  'x-ratelimit-remaining-requests': String(left),
  'x-ratelimit-reset-requests': '60s',
});
/** As its API answers (mistralai/client-ts#169). */
const ofMistral: SayLeft = (left) => ({
  'x-ratelimit-limit-tokens-minute': '5000000',
  'x-ratelimit-remaining-tokens-minute': '4999911',
  'x-ratelimit-limit-req-minute': '100',
  'x-ratelimit-remaining-req-minute': String(left),
});
/** It does not say of how many (Azure/azure-rest-api-specs#26884). */
const ofAzure: SayLeft = (left) => ({
  'x-ratelimit-remaining-requests': String(left),
  'x-ratelimit-remaining-tokens': '61353',
});

const KEYS = { first: 'sk-of-first-account-0123456789', second: 'sk-of-second-account-012345678' };

/** A provider with two accounts; what each of them has left of its hundred requests a minute is said with each answer. */
async function setUp(
  context: TestContext,
  left: Record<keyof typeof KEYS, number>,
  weights: Partial<Record<string, number>> = {},
  sayLeft: SayLeft = ofOpenAi,
) {
  const counts = { first: 0, second: 0 };
  const limited = new Set<string>();
  const upstream = await startRawUpstream((response, _body, request) => {
    const isFirst = request.headers.authorization === `Bearer ${KEYS.first}`;
    const account = isFirst ? 'first' : 'second';
    counts[account] += 1;
    response.setHeader('content-type', 'application/json');
    response.statusCode = limited.has(account) ? 429 : 200;
    for (const [name, value] of Object.entries(sayLeft(left[account]))) response.setHeader(name, value);
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

for (const [whose, sayLeft] of Object.entries({ ofOpenAi, ofMistral, ofAzure })) {
  test(`an account that says that its limit is used up gets hardly any more calls, as long as another has some left (${whose})`, async (context) => {
    const left = { first: 100, second: 100 };
    const { counts, call } = await setUp(context, left, {}, sayLeft);
    while (counts.first === 0) await call();
    left.first = 0;
    for (const known = counts.first; counts.first === known; ) await call();
    const before = counts.first;
    for (let asked = 0; asked < 40; asked++) await call();
    assert.ok(counts.first - before <= 2, `${counts.first - before} of 40`);
  });
}

test('accounts that have as much left share the calls', async (context) => {
  const { counts, call } = await setUp(context, { first: 50, second: 50 });
  for (let asked = 0; asked < 60; asked++) await call();
  assert.ok(counts.first > 8 && counts.second > 8, JSON.stringify(counts));
});
