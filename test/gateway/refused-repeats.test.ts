import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Act, failWith, type ScriptedProvider, startProvider } from '../support/scripted-provider.ts';

const closing: (() => Promise<unknown>)[] = [];
after(async () => {
  for (const close of closing.reverse()) await close();
});

let a: ScriptedProvider;
let b: ScriptedProvider;
let gateway: TestGateway;

before(async () => {
  const context = { after: (close: () => Promise<unknown>) => closing.push(close) };
  [a, b] = [await startProvider(context), await startProvider(context)];
  gateway = await startGateway({
    providers: { a: a.provider, b: b.provider },
    models: {
      two: { targets: ['a/of-two', 'b/of-two'] },
      long: { targets: ['a/short'], retries: 0, fallbacks: { contextLength: ['b/long'] } },
    },
  });
  closing.push(() => gateway.stop());
});

const NOT_AGAIN = { 'x-should-retry': 'false' };

let made = 0;

/** Gives what the client is told, and how many requests each provider got for it. */
async function call(model: string) {
  const [ofA, ofB] = [a.requests(), b.requests()];
  const body = { model, messages: [{ role: 'user', content: 'Hi' }] };
  const response = await gateway.post('/v1/chat/completions', body);
  const text = await response.text();
  made += 1;
  const { status, headers } = response;
  const of = (name: string) => headers.get(name);
  return {
    ...{ status, text, shouldRetry: of('x-should-retry'), retryAfter: of('retry-after') },
    ...{ target: of('x-fairlead-target'), requests: [a.requests() - ofA, b.requests() - ofB] },
  };
}

for (const [status, told] of [
  [500, 502],
  [429, 429],
  [409, 409],
] as const) {
  test(`a ${status} that is not to be sent again (x-should-retry) is not, and the client is told the same`, async () => {
    a.answers.push(failWith(status, NOT_AGAIN));
    const { status: answered, requests, shouldRetry } = await call(`a/told-${status}`);
    assert.deepEqual([answered, requests, shouldRetry], [told, [1, 0], 'false']);
  });
}

test('what one provider does not want again another may answer', async () => {
  a.answers.push(failWith(500, NOT_AGAIN));
  const { status, target, requests, shouldRetry } = await call('two');
  assert.deepEqual([status, target, requests, shouldRetry], [200, 'b/of-two', [1, 1], null]);
});

test('the last word of several counts: where another place fails in passing the call may be sent again', async () => {
  a.answers.push(failWith(500, NOT_AGAIN));
  b.otherwise = failWith(503);
  const { status, requests, shouldRetry } = await call('two');
  b.otherwise = a.otherwise;
  assert.deepEqual([status, requests, shouldRetry], [502, [1, 2], null]);
});

const TOO_LARGE =
  'Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 31538. The input or output tokens must be reduced in order to run successfully. Visit https://platform.openai.com/account/rate-limits to learn more.';
/** Groq's, which has another status for it, and had a time beside it once. */
const TOO_LARGE_AT_GROQ =
  'Request too large for model `x` in organization `org_x` service tier `on_demand` on tokens per minute (TPM): Limit 12000, Requested 30123, please reduce your message size and try again.';
const TOO_LARGE_WITH_TIME =
  'Rate limit reached for model `x` in organization `org_01` on tokens per minute (TPM): Limit 7000, Used 0, Requested ~12903. Please try again in 50.597142857s.';
const WITHIN_LIMIT =
  'Rate limit reached for gpt-4 on tokens per min (TPM): Limit 10000, Used 8554, Requested 3082. Visit https://platform.openai.com/account/rate-limits to learn more.';

const tooLarge =
  (status: number, message: string): Act =>
  (response) => {
    const error = { message, type: 'tokens', param: null, code: 'rate_limit_exceeded' };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }));
  };

for (const [status, message] of [
  [429, TOO_LARGE],
  [413, TOO_LARGE_AT_GROQ],
] as const) {
  const of = `of-${status}`;

  test(`a call that is larger than the limit of the account (${status}) is not sent there again, and its client is told that it never fits`, async () => {
    a.answers.push(tooLarge(status, message));
    const told = await call(`a/${of}`);
    assert.deepEqual(
      [told.status, told.requests, told.shouldRetry, told.retryAfter],
      [429, [1, 0], 'false', null],
    );
    const { error } = JSON.parse(told.text) as { error: { type: string; code: string } };
    assert.deepEqual([error.type, error.code], ['tokens', 'rate_limit_exceeded']);
    assert.equal((await gateway.calls(made))[0]?.attempts[0]?.reason, 'larger_than_limit');
  });

  test(`it says nothing of smaller calls (${status})`, async () => {
    a.answers.push(tooLarge(status, message));
    const [large, small] = [await call('two'), await call('two')];
    assert.deepEqual([large.target, large.requests, small.target], ['b/of-two', [1, 1], 'a/of-two']);
  });

  test(`the fallback for long calls has its turn, where no other place takes it (${status})`, async () => {
    a.answers.push(tooLarge(status, message));
    const { status: told, target, requests } = await call('long');
    assert.deepEqual([told, target, requests], [200, 'b/long', [1, 1]]);
  });
}

test('where a time is named beside it, the place is left alone for it', async () => {
  a.answers.push(tooLarge(429, TOO_LARGE_WITH_TIME));
  const [large, small] = [await call('a/timed'), await call('a/timed')];
  assert.deepEqual([large.status, large.requests, large.shouldRetry], [429, [1, 0], 'false']);
  assert.deepEqual([small.status, small.requests, small.retryAfter], [429, [0, 0], '51']);
});

test('a limit that is used up is one that passes', async () => {
  a.answers.push(tooLarge(429, WITHIN_LIMIT));
  const { status, requests } = await call('a/used-up');
  assert.deepEqual([status, requests], [200, [2, 0]]);
});
