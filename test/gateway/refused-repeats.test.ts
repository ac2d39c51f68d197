import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { failWith, type ScriptedProvider, startProvider } from '../support/scripted-provider.ts';

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
    models: { two: { targets: ['a/of-two', 'b/of-two'] } },
  });
  closing.push(() => gateway.stop());
});

const NOT_AGAIN = { 'x-should-retry': 'false' };

/** Gives what the client is told, and how many requests each provider got for it. */
async function call(model: string) {
  const [ofA, ofB] = [a.requests(), b.requests()];
  const body = { model, messages: [{ role: 'user', content: 'Hi' }] };
  const response = await gateway.post('/v1/chat/completions', body);
  const text = await response.text();
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
