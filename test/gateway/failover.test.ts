import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { failWith, startProvider } from '../support/scripted-provider.ts';

async function setUp(context: TestContext, model: object = {}) {
  const [a, b] = [await startProvider(context), await startProvider(context)];
  const gateway = await startGateway({
    providers: { a: a.provider, b: b.provider },
    models: { one: { targets: ['a/x'], ...model }, two: { targets: ['a/x', 'b/y'], ...model } },
  });
  context.after(() => gateway.stop());
  const call = async (name: string, init: RequestInit = {}) => {
    const body = { model: name, messages: [{ role: 'user', content: 'Hi' }] };
    const response = await gateway.post('/v1/chat/completions', body, init);
    await response.text();
    const { status, headers } = response;
    const of = (header: string) => headers.get(header);
    return { status, attempts: of('x-fairlead-attempts'), target: of('x-fairlead-target'), headers };
  };
  return { a, b, gateway, call };
}

test('what fails in passing is tried again where there is no other place', async (context) => {
  const { a, call } = await setUp(context);
  a.answers.push(failWith(503), (response) => response.destroy());
  const { status, attempts } = await call('one');
  assert.deepEqual([status, attempts], [200, '3']);
});

test('`retries` bounds how often, and 0 forbids it', async (context) => {
  const { a, call } = await setUp(context, { retries: 0 });
  a.answers.push(failWith(503));
  const { status, attempts } = await call('two');
  assert.deepEqual([status, attempts, a.requests()], [502, '1', 1]);
});

test('what a provider refuses is tried nowhere else', async (context) => {
  const { a, b, call } = await setUp(context);
  a.answers.push(failWith(400));
  assert.equal((await call('two')).status, 400);
  assert.deepEqual([a.requests(), b.requests()], [1, 0]);
});

test('a provider that says when it may be called again is not called before', async (context) => {
  const { a, b, call } = await setUp(context);
  a.answers.push(failWith(429, { 'retry-after': '60' }));
  assert.deepEqual((await call('two')).target, 'b/y');
  const { status, headers, attempts } = await call('one');
  const retryAfter = Number(headers.get('retry-after'));
  assert.deepEqual([status, attempts], [429, '0']);
  assert.ok(retryAfter > 50 && retryAfter <= 60, `retry-after: ${retryAfter}`);
  assert.equal((await call('two')).attempts, '1');
  assert.deepEqual([a.requests(), b.requests()], [1, 2]);
});

test('what is refused before any attempt says that there was none', async (context) => {
  const { a, gateway, call } = await setUp(context);
  const { status, attempts } = await call('nothing');
  assert.deepEqual([status, attempts, a.requests()], [404, '0', 0]);
  const unreadable = await gateway.post('/v1/chat/completions', '{"model":"one"');
  await unreadable.text();
  assert.deepEqual([unreadable.status, unreadable.headers.get('x-fairlead-attempts')], [400, '0']);
});

test('one that will be well again soon is waited for', async (context) => {
  const { a, call } = await setUp(context);
  a.answers.push(failWith(429, { 'retry-after-ms': '300' }));
  const { status, attempts } = await call('one');
  assert.deepEqual([status, attempts], [200, '2']);
});

test('a provider that is gone costs a few calls one attempt more, and none when that is known; it is found again', async (context) => {
  const { a, b, gateway, call } = await setUp(context);
  const admin = adminClient(gateway.url);
  const events = async () => {
    const { body } = await admin.must('GET', '/events');
    return (body['data'] as { kind: string }[])
      .map(({ kind }) => kind)
      .filter((kind) => /breaker/.test(kind));
  };
  await a.leave();
  const attempts: (string | null)[] = [];
  for (let asked = 0; asked < 10; asked++) attempts.push((await call('two')).attempts);
  assert.deepEqual(attempts, [...Array(5).fill('2'), ...Array(5).fill('1')]);
  assert.equal(b.requests(), 10);
  await a.comeBack();
  while ((await call('two')).target !== 'a/x') await new Promise((resolve) => setTimeout(resolve, 50));
  while ((await events()).length < 4) await new Promise((resolve) => setTimeout(resolve, 50));
  assert.deepEqual((await events()).toSorted(), [
    ...Array(2).fill('breaker_closed'),
    ...Array(2).fill('breaker_opened'),
  ]);
});

test('a client that leaves while its call waits is not called for', async (context) => {
  const { a, gateway, call } = await setUp(context);
  a.answers.push(failWith(429, { 'retry-after': '1' }));
  const leaving = new AbortController();
  const asked = call('one', { signal: leaving.signal });
  while (a.requests() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  leaving.abort();
  await assert.rejects(asked);
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'cancelled');
  assert.equal(a.requests(), 1);
});

test('what was generated, and cannot be read, is not bought again at the same place', async (context) => {
  const { a, gateway } = await setUp(context);
  a.answers.push((response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"id":"c","choices":[],"usage":{"prompt_tokens":31,"completion_tokens":4}}');
  });
  const body = { model: 'one', max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] };
  assert.equal((await gateway.post('/v1/messages', body)).status, 502);
  assert.equal(a.requests(), 1);
});
