import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { type Act, failWith, startProvider } from '../support/scripted-provider.ts';

const count =
  (tokens: number): Act =>
  (response) =>
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ input_tokens: tokens }));

async function setUp(context: TestContext, otherwise: Act) {
  const [a, b] = [await startProvider(context, otherwise), await startProvider(context, count(7))];
  const claude = ({ provider, baseUrl }: typeof a) => ({
    ...{ ...provider, adapter: 'anthropic', baseUrl: baseUrl.replace('/v1', '') },
  });
  const gateway = await startGateway({
    providers: { a: claude(a), b: claude(b) },
    models: { one: { targets: ['a/claude'] }, two: { targets: ['a/claude', 'b/claude'] } },
  });
  context.after(() => gateway.stop());
  const ask = async (path: string, model: string) => {
    const body = { model, max_tokens: 5, messages: [{ role: 'user', content: 'Hi' }] };
    const response = await gateway.post(path, body);
    await response.text();
    return response;
  };
  return { a, b, ask, countAt: (model: string) => ask('/v1/messages/count_tokens', model) };
}

test('a count is not asked for before the time that its provider named', async (context) => {
  const { a, b, countAt } = await setUp(context, failWith(429, { 'retry-after': '30' }));
  for (let call = 0; call < 3; call++) {
    const { status, headers } = await countAt('one');
    assert.equal(status, 429);
    assert.ok(Number(headers.get('retry-after')) > 20);
  }
  assert.equal((await countAt('two')).status, 200);
  assert.deepEqual([a.requests(), b.requests()], [1, 1]);
});

test('counts that fail are asked for again within their retry budget, and elsewhere', async (context) => {
  const { a, b, countAt } = await setUp(context, failWith(500));
  for (let call = 0; call < 20; call++) await countAt('one');
  assert.ok(a.requests() <= 20 * 1.2 + 10, `${a.requests()} requests`);
  const before = a.requests();
  assert.equal((await countAt('two')).status, 200);
  assert.deepEqual([a.requests(), b.requests()], [before, 1]);
});

test('what counting meets says nothing of generating, nor the other way round', async (context) => {
  const { a, ask, countAt } = await setUp(context, failWith(429, { 'retry-after': '30' }));
  assert.equal((await countAt('one')).status, 429);
  assert.equal((await ask('/v1/messages', 'one')).headers.get('x-fairlead-attempts'), '1');
  assert.equal(a.requests(), 2);
  const { ask: askAnew, a: fresh, countAt: countAnew } = await setUp(context, count(5));
  fresh.answers.push(failWith(429, { 'retry-after': '30' }));
  assert.equal((await askAnew('/v1/messages', 'one')).status, 429);
  assert.equal((await countAnew('one')).status, 200);
});
