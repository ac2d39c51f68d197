import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer } from '../support/raw-upstream.ts';
import { type Act, failWith, startProvider } from '../support/scripted-provider.ts';

const limited = (seconds: number) => failWith(429, { 'retry-after': `${seconds}` });
const blocked: Act = (response) =>
  response
    .writeHead(200, { 'content-type': 'application/json' })
    .end(chatAnswer('').replace('"stop"', '"content_filter"'));

async function setUp(context: TestContext) {
  const [a, b] = [await startProvider(context), await startProvider(context)];
  const gateway = await startGateway({
    providers: { a: a.provider, b: b.provider },
    models: {
      two: { targets: ['b/y', 'a/x'] },
      onlyB: { targets: ['b/y'] },
      guarded: { targets: ['a/x'], fallbacks: { contentPolicy: ['b/y'] } },
    },
  });
  context.after(() => gateway.stop());
  const call = async (model: string) => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const response = await gateway.post('/v1/chat/completions', { model, messages });
    const text = await response.text();
    const retryAfter = Number(response.headers.get('retry-after'));
    return {
      status: response.status,
      attempts: response.headers.get('x-fairlead-attempts'),
      retryAfter,
      text,
    };
  };
  return { a, b, call };
}

function isAbout(seconds: number, told: { status: number; retryAfter: number }): void {
  assert.equal(told.status, 429);
  assert.ok(told.retryAfter > seconds - 3 && told.retryAfter <= seconds, `retry-after: ${told.retryAfter}`);
}

test('of two places that name a time in one call the client is told the first that passes', async (context) => {
  const { a, b, call } = await setUp(context);
  b.answers.push(limited(20));
  a.answers.push(limited(60));
  const told = await call('two');
  assert.equal(told.attempts, '2');
  isAbout(20, told);
});

test('so it is where the other is left alone since a call before', async (context) => {
  const { a, b, call } = await setUp(context);
  b.answers.push(limited(20));
  isAbout(20, await call('onlyB'));
  a.answers.push(limited(60));
  const told = await call('two');
  assert.equal(told.attempts, '1');
  isAbout(20, told);
});

test('where the last one that names a time passes first, that is told', async (context) => {
  const { a, b, call } = await setUp(context);
  b.answers.push(limited(60));
  a.answers.push(limited(20));
  isAbout(20, await call('two'));
});

for (const [what, act] of [
  ['is down', failWith(500)],
  ['is limited', limited(60)],
] as const) {
  test(`a refusal is told as such where the fallback for it ${what}`, async (context) => {
    const { a, b, call } = await setUp(context);
    a.otherwise = blocked;
    b.otherwise = act;
    for (let calls = 1; calls <= 2; calls++) {
      const { status, retryAfter, text } = await call('guarded');
      assert.deepEqual([status, retryAfter], [400, 0], text);
      assert.equal(a.requests(), calls);
    }
  });
}

test('a fallback that refuses the call itself has the last word', async (context) => {
  const { a, b, call } = await setUp(context);
  a.otherwise = blocked;
  b.otherwise = failWith(422);
  assert.equal((await call('guarded')).status, 422);
});
