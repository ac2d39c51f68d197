import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startSocketServer } from '../support/byte-server.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Act, failWith, say, startProvider } from '../support/scripted-provider.ts';

const GOOD = say('Hi');

async function setUp(context: TestContext, model: object = {}, more: object = {}, ofA: object = {}) {
  const [a, b, c] = [
    await startProvider(context),
    await startProvider(context),
    await startProvider(context),
  ];
  const gateway = await startGateway({
    providers: { a: { ...a.provider, ...ofA }, b: b.provider, c: c.provider },
    models: {
      one: { targets: ['a/x'], ...model },
      two: { targets: ['a/x', 'b/y'], ...model },
      three: { targets: ['a/x', 'b/y', 'c/z'], ...model },
      other: { targets: ['c/z'] },
      fastest: { targets: ['a/x', 'b/y'], strategy: 'fastest', ...model },
    },
    ...more,
  });
  context.after(() => gateway.stop());
  const call = async (name: string, init: RequestInit = {}) => {
    const body = { model: name, messages: [{ role: 'user', content: 'Hi' }] };
    const response = await gateway.post('/v1/chat/completions', body, init);
    const text = await response.text();
    const { status, headers } = response;
    const of = (header: string) => headers.get(header);
    return { status, attempts: of('x-fairlead-attempts'), target: of('x-fairlead-target'), headers, text };
  };
  return { a, b, c, gateway, call };
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

for (const [how, headers, reason] of [
  ['for the time that it named', { 'retry-after-ms': '300' }, 'rate_limited'],
  ['for a limit without a time', {}, 'rate_limited_no_time'],
] as const) {
  test(`that a provider is left alone ${how} is an event, and so is the end of that`, async (context) => {
    const { a, gateway, call } = await setUp(context);
    a.answers.push(failWith(429, headers));
    assert.equal((await call('two')).target, 'b/y');
    const told = async () => {
      const { body } = await adminClient(gateway.url).must('GET', '/events');
      const events = body['data'] as { kind: string; severity: string; details: unknown }[];
      return events
        .filter(({ kind }) => kind.startsWith('cooling_'))
        .map(({ kind, severity, details }) => [kind, severity, details])
        .toReversed();
    };
    const untilMs = performance.now() + 10_000;
    while ((await told()).length < 2 && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const place = { provider: 'a', account: 'main', target: 'a/x' };
    assert.deepEqual(await told(), [
      ['cooling_began', 'info', { ...place, forSeconds: 1, reason }],
      ['cooling_ended', 'info', place],
    ]);
  });
}

test('a provider that fails and says when it will be well again is not called before', async (context) => {
  const { a, b, call } = await setUp(context);
  a.answers.push(failWith(503, { 'retry-after': '60' }));
  const first = await call('two');
  assert.deepEqual([first.target, first.attempts], ['b/y', '2']);
  const second = await call('two');
  assert.deepEqual([second.target, second.attempts], ['b/y', '1']);
  const { status, headers, text } = await call('one');
  const retryAfter = Number(headers.get('retry-after'));
  assert.equal(status, 502, 'it failed, and limits nobody');
  assert.ok(retryAfter > 50 && retryAfter <= 60, `retry-after: ${retryAfter}`);
  assert.match(text, /The provider 'a' failed, and said when it may be called again. Try again in \d+ s\./);
  assert.match(text, /"upstream_unavailable"/);
  assert.deepEqual([a.requests(), b.requests()], [1, 2]);
});

test('where some limit calls and others fail the client is told so', async (context) => {
  const { a, b, call } = await setUp(context);
  a.answers.push(failWith(503, { 'retry-after': '60' }));
  b.answers.push(failWith(429, { 'retry-after': '40' }));
  await call('two');
  const { status, text, attempts } = await call('two');
  assert.deepEqual([status, attempts], [429, '0']);
  assert.match(text, /Each provider limits the rate of the gateway's own requests or failed, and said when/);
});

test('calls that all fail are tried again no more often than their lane has repeats', async (context) => {
  const { a, call } = await setUp(context, {}, {}, { health: { breaker: { minCalls: 1_000 } } });
  const calls = 20;
  // Never five in a row: that would open the breaker.
  for (let asked = 0; asked < calls; asked++)
    a.answers.push(failWith(503), failWith(503), failWith(503), GOOD);
  let attempts = 0;
  for (let asked = 0; asked < calls; asked++) attempts += Number((await call('one')).attempts);
  assert.ok(attempts > calls, 'none was tried again');
  assert.ok(attempts <= calls + 10 + 0.2 * calls, `${attempts} attempts of ${calls} calls`);
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

test('calls that wait for a place whose breaker opened with the time that it named are sent there when that is over', async (context) => {
  // No probe is due before the end.
  const { a, call } = await setUp(context, { retries: 0 }, {}, { health: { breaker: { openFor: '10m' } } });
  a.answers.push(...Array(4).fill(failWith(503)), failWith(503, { 'retry-after-ms': '400' }));
  for (let asked = 0; asked < 5; asked++) assert.equal((await call('one')).status, 502);
  const waited = await Promise.all(Array.from({ length: 3 }, () => call('one')));
  assert.deepEqual(
    waited.map(({ status, attempts }) => [status, attempts]),
    Array(3).fill([200, '1']),
  );
});

test('whoever is to try again is told to wait for a second at least, also where the provider says 0', async (context) => {
  const { a, call } = await setUp(context, { retries: 0 });
  a.answers.push(failWith(429, { 'retry-after': '0' }));
  assert.equal((await call('one')).headers.get('retry-after'), '1');
});

/** The kinds of events about breakers. */
async function breakerEvents(gateway: TestGateway): Promise<string[]> {
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  return (body['data'] as { kind: string }[])
    .map(({ kind }) => kind)
    .filter((kind) => kind.startsWith('breaker_'));
}

test('a provider that is gone costs a few calls one attempt more, and none when that is known', async (context) => {
  // Long enough that no probe is due before the end.
  const { a, b, call } = await setUp(context, {}, {}, { health: { breaker: { openFor: '10m' } } });
  await a.leave();
  const attempts: (string | null)[] = [];
  for (let asked = 0; asked < 10; asked++) attempts.push((await call('two')).attempts);
  assert.deepEqual(attempts, [...Array(5).fill('2'), ...Array(5).fill('1')]);
  assert.equal(b.requests(), 10);
});

test('an account whose TLS fails cannot be reached for any of its models', async (context) => {
  const plain = await startSocketServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  });
  context.after(() => plain.close());
  const baseUrl = plain.origin.replace('http:', 'https:');
  const { gateway, call } = await setUp(context, { retries: 0 }, {}, { baseUrl });
  for (let asked = 0; asked < 5; asked++) assert.equal((await call('one')).status, 502);
  while ((await breakerEvents(gateway)).length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  // Of the target, and of its account.
  assert.deepEqual(await breakerEvents(gateway), ['breaker_opened', 'breaker_opened']);
});

test('a provider that was gone is found again, and each change of its breakers is an event', async (context) => {
  const { a, gateway, call } = await setUp(context);
  await a.leave();
  const countOf = async (kind: string) => (await breakerEvents(gateway)).filter((one) => one === kind).length;
  while ((await countOf('breaker_opened')) < 2) await call('two');
  await a.comeBack();
  while ((await call('two')).target !== 'a/x') await new Promise((resolve) => setTimeout(resolve, 50));
  while ((await countOf('breaker_closed')) < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  // Of the target at its account, and of whether the account can be reached at all. A probe may have failed before.
  assert.deepEqual((await breakerEvents(gateway)).filter((kind) => kind !== 'breaker_reopened').toSorted(), [
    ...Array(2).fill('breaker_closed'),
    ...Array(2).fill('breaker_half_open'),
    ...Array(2).fill('breaker_opened'),
  ]);
});

test('an account that is out of credit is asked last, and of that the operator is told; a call that it answers ends it', async (context) => {
  const { a, b, gateway, call } = await setUp(context);
  const spent: Act = (response) => {
    response.writeHead(429, { 'content-type': 'application/json' });
    response.end('{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}');
  };
  a.answers.push(spent, spent);
  const first = await call('two');
  assert.deepEqual([first.target, first.attempts], ['b/y', '2']);
  const second = await call('two');
  assert.deepEqual([second.target, second.attempts], ['b/y', '1']);
  // Where there is no other place it is asked all the same.
  assert.equal((await call('one')).status, 502);
  assert.deepEqual([a.requests(), b.requests()], [2, 2]);
  assert.equal((await call('one')).status, 200);
  assert.equal((await call('two')).target, 'a/x');
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  const events = (body['data'] as { kind: string; severity: string; details: unknown }[])
    .filter(({ kind }) => kind.startsWith('credit_'))
    .map(({ kind, severity, details }) => [kind, severity, details]);
  const details = { provider: 'a', account: 'main' };
  assert.deepEqual(events.toReversed(), [
    ['credit_spent', 'alarm', details],
    ['credit_restored', 'info', details],
  ]);
});

test('an account that its provider shut is asked last, and of that the operator is told; a call that it answers ends it', async (context) => {
  const { a, b, gateway, call } = await setUp(context);
  const shut: Act = (response) => {
    response.writeHead(403, { 'content-type': 'application/json' });
    response.end('{"error":{"message":"This account was deactivated","code":"account_deactivated"}}');
  };
  a.answers.push(shut, shut);
  assert.equal((await call('two')).target, 'b/y');
  for (let asked = 0; asked < 5; asked++) assert.equal((await call('two')).attempts, '1');
  assert.equal((await call('one')).status, 502);
  assert.deepEqual([a.requests(), b.requests()], [2, 6]);
  assert.equal((await call('one')).status, 200);
  assert.equal((await call('two')).target, 'a/x');
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  const events = (body['data'] as { kind: string; severity: string; details: unknown }[])
    .filter(({ kind }) => kind.startsWith('account_') || kind.startsWith('credit_'))
    .map(({ kind, severity, details }) => [kind, severity, details]);
  const details = { provider: 'a', account: 'main' };
  assert.deepEqual(events.toReversed(), [
    ['account_shut', 'alarm', details],
    ['account_reopened', 'info', details],
  ]);
});

test('of an account that is out of credit a call hears once, whatever models it might go to there', async (context) => {
  const { a, gateway } = await setUp(context, {}, { models: { all: { targets: ['a/x', 'a/y', 'a/z'] } } });
  a.otherwise = (response) =>
    response
      .writeHead(429, { 'content-type': 'application/json' })
      .end('{"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}}');
  for (let calls = 1; calls <= 3; calls++) {
    const messages = [{ role: 'user', content: 'Hi' }];
    const response = await gateway.post('/v1/chat/completions', { model: 'all', messages });
    await response.text();
    assert.deepEqual([response.status, a.requests()], [502, calls]);
  }
});

test('an account whose credit is too short for one call goes on with others', async (context) => {
  const { a, gateway, call } = await setUp(context);
  const message =
    'This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 2000.';
  const tooCostly: Act = (response) => {
    response.writeHead(402, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ error: { message, code: 402 } }));
  };
  a.answers.push(tooCostly);
  const first = await call('two');
  assert.deepEqual([first.target, first.attempts], ['b/y', '2']);
  const second = await call('two');
  assert.deepEqual([second.target, second.attempts], ['a/x', '1']);
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  const kinds = (body['data'] as { kind: string }[]).map(({ kind }) => kind);
  assert.ok(!kinds.some((kind) => kind.startsWith('credit_')), kinds.join());
});

for (const busyMs of [0, 800]) {
  const where = busyMs > 0 ? ', though the gateway is late to end it' : '';
  test(`\`timeouts.total\` bounds all attempts of a call together, and blames none that had little of it${where}`, async (context) => {
    const { a, b, c, gateway, call } = await setUp(context, {
      timeouts: { firstByte: '800ms', total: '1s' },
    });
    const keepBusy = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, busyMs);
    for (let asked = 1; asked <= 5; asked++) {
      a.answers.push((response) => setTimeout(() => failWith(503)(response), 600));
      b.answers.push(() => setTimeout(keepBusy, 300));
      const { status } = await call('three');
      const [record] = await gateway.calls(asked);
      assert.deepEqual([status, record?.attempts.at(-1)?.reason], [504, 'total_timeout']);
    }
    assert.equal(c.requests(), 0);
    // Events are written a moment later.
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { body } = await adminClient(gateway.url).must('GET', '/events');
    const opened = (body['data'] as { kind: string; details: { provider: string } }[])
      .filter(({ kind }) => kind === 'breaker_opened')
      .map(({ details }) => details.provider);
    assert.ok(!opened.includes('b'), `opened: ${opened}`);
  });
}

test('nobody waits for what would come too late for `timeouts.total`', async (context) => {
  const { a, call } = await setUp(context, { timeouts: { total: '1s' } });
  a.answers.push(failWith(429, { 'retry-after-ms': '1500' }));
  const { status, attempts } = await call('one');
  assert.deepEqual([status, attempts, a.requests()], [429, '1', 1]);
});

test('a call whose `timeouts.total` is over when it has its place asks nobody', async (context) => {
  const overload = { maxConcurrentCalls: 1, maxQueuedCalls: 10, maxQueueTime: '10s' };
  const { a, c, call } = await setUp(
    context,
    { timeouts: { total: '300ms' } },
    { server: { port: 0, overload } },
  );
  let finish: () => void = () => assert.fail('it was not asked');
  const isAsked = new Promise<void>((resolve) => {
    c.answers.push((response) => {
      finish = () => GOOD(response, false);
      resolve();
    });
  });
  const running = call('other');
  await isAsked;
  const waiting = call('one');
  await new Promise((resolve) => setTimeout(resolve, 600));
  finish();
  assert.equal((await running).status, 200);
  assert.ok((await waiting).status >= 503);
  assert.equal(a.requests(), 0);
});

/** How many of so many calls of a model are answered by each target. */
async function targetsOf(call: (name: string) => Promise<{ target: string | null }>, calls: number) {
  const counts: Record<string, number> = {};
  for (let asked = 0; asked < calls; asked++) {
    const target = (await call('fastest')).target ?? 'none';
    counts[target] = (counts[target] ?? 0) + 1;
  }
  return counts;
}

test('`fastest` learns from what is answered which target that is', async (context) => {
  const { a, call } = await setUp(context);
  for (let asked = 0; asked < 60; asked++)
    a.answers.push((response) => setTimeout(() => GOOD(response, false), 300));
  // Both are to be known.
  while (a.requests() === 0) await call('fastest');
  const { 'b/y': fast = 0 } = await targetsOf(call, 40);
  assert.ok(fast >= 32, `${fast} of 40`);
});

test('`fastest` goes away from a target that fails after a while, though its breaker stays closed', async (context) => {
  const { a, b, call } = await setUp(context);
  while (a.requests() === 0 || b.requests() === 0) await call('fastest');
  b.answers.push(
    ...Array.from({ length: 200 }, (): Act => (response) => setTimeout(() => GOOD(response, false), 20)),
  );
  const before = await targetsOf(call, 20);
  assert.ok((before['a/x'] ?? 0) > 10, JSON.stringify(before));
  // Each failure takes longer than an answer of the other, and is far from the next.
  for (let failure = 0; failure < 4; failure++) {
    const requests = a.requests();
    a.answers.push((response) => setTimeout(() => failWith(503)(response), 600));
    while (a.requests() === requests) await call('fastest');
  }
  const { 'b/y': other = 0 } = await targetsOf(call, 40);
  assert.ok(other >= 32, `${other} of 40`);
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
