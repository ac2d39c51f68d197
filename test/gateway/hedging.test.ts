import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';
import {
  type Act,
  beginStream,
  endStream,
  failWith,
  say,
  startProvider,
} from '../support/scripted-provider.ts';

const later =
  (act: Act, afterMs: number): Act =>
  (response, stream) =>
    setTimeout(() => act(response, stream), afterMs);
const HANG: Act = () => undefined;
const REFUSE: Act = (response) => response.writeHead(400).end('{"error":{"message":"Not so"}}');
const FAIL: Act = failWith(503);

/** A provider that answers with its name unless it is told to act otherwise. */
async function startNamed(context: TestContext, name: string) {
  const provider = await startProvider(context, say(name));
  return { ...provider, acts: provider.answers };
}

const messages = [{ role: 'user', content: 'Hi' }];

/** How each door is asked. */
const DOORS: Record<string, (stream: boolean) => { path: string; body: object }> = {
  chat: (stream) => ({ path: '/v1/chat/completions', body: { model: 'two', stream, messages } }),
  responses: (stream) => ({ path: '/v1/responses', body: { model: 'two', stream, input: 'Hi' } }),
  messages: (stream) => ({
    path: '/v1/messages',
    body: { model: 'two', stream, messages, max_tokens: 100 },
  }),
  gemini: (stream) => ({
    path: `/v1beta/models/two:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
  }),
};

/** Longer than any test machine takes to hand on the first output of a stream. */
const DELAY_MS = 1_000;

/** So many calls tell what is slow. */
const LEAST_SEEN = 20;

async function setUp(context: TestContext, model: object = {}, more: object = {}, health?: object) {
  const a = await startNamed(context, 'Words of A');
  const b = await startNamed(context, 'Words of B');
  const c = await startNamed(context, 'Words of C');
  const gateway = await startGateway({
    providers: { a: { ...a.provider, ...(health && { health }) }, b: b.provider, c: c.provider },
    models: {
      two: { targets: ['a/x', 'b/y'], hedging: { percentile: 50, maxShare: 1 }, ...model },
    },
    ...more,
  });
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) {
      isStopped = true;
      await gateway.stop();
    }
  };
  context.after(stop);
  const call = async (stream: boolean, door = 'chat', init: RequestInit = {}) => {
    const { path, body } = DOORS[door]?.(stream) ?? assert.fail();
    const response = await gateway.post(path, body, init);
    const text = await response.text();
    const of = (header: string) => response.headers.get(header);
    return {
      status: response.status,
      text,
      attempts: of('x-fairlead-attempts'),
      target: of('x-fairlead-target'),
    };
  };
  /** The first target answers, each time after so long, until that is known. Gives how many calls that were. */
  const learn = async (stream: boolean, afterMs = 0) => {
    for (let seen = 0; seen < LEAST_SEEN; seen++) {
      a.acts.push((response) => setTimeout(() => say('Words of A')(response, stream), afterMs));
    }
    await Promise.all(Array.from({ length: LEAST_SEEN }, () => call(stream)));
    return LEAST_SEEN;
  };
  return { a, b, c, gateway, call, learn, stop };
}

for (const door of Object.keys(DOORS)) {
  for (const stream of [false, true]) {
    test(`${door}, ${stream ? 'streamed' : 'whole'}: the second attempt answers where the first is slow, and that is cancelled`, async (context) => {
      const { a, b, gateway, call, learn } = await setUp(context);
      const before = await learn(stream);
      a.acts.push(HANG);
      const left = a.next('left');
      const { status, text, attempts, target } = await call(stream, door);
      await left;
      assert.deepEqual([status, attempts, target], [200, '2', 'b/y']);
      assert.equal(text.split('Words of B').length > 1 && !text.includes('Words of A'), true, text);
      assert.deepEqual([a.requests(), b.requests()], [before + 1, 1]);
      const records = await gateway.calls(before + 1);
      const [record] = records;
      assert.equal(records.length, before + 1);
      assert.deepEqual([record?.target, record?.outcome, record?.status], ['b/y', 'ok', 200]);
      assert.deepEqual(
        record?.attempts.map(({ target, outcome }) => [target, outcome]),
        [
          ['a/x', 'lost'],
          ['b/y', 'ok'],
        ],
      );
      const [lost] = record?.attempts ?? [];
      const ofLost = lost?.usage ?? assert.fail('what the lost attempt used is not accounted');
      assert.equal(ofLost.estimated, true);
      assert.ok(ofLost.input > 0);
      assert.deepEqual([record?.usage?.input, record?.usage?.output], [ofLost.input + 3, ofLost.output + 2]);
    });
  }
}

for (const stream of [false, true]) {
  test(`${stream ? 'streamed' : 'whole'}: the first attempt may still win, and the second is cancelled`, async (context) => {
    const { a, b, gateway, call, learn } = await setUp(context);
    const before = await learn(stream);
    const begun = b.next('begun');
    a.acts.push((response) => void begun.then(() => say('Words of A')(response, stream)));
    b.acts.push(HANG);
    const left = b.next('left');
    const { text, attempts, target } = await call(stream);
    await left;
    assert.deepEqual([attempts, target], ['2', 'a/x']);
    assert.ok(text.includes('Words of A'));
    const [record] = await gateway.calls(before + 1);
    assert.equal(record?.target, 'a/x');
    assert.deepEqual(
      record.attempts.map(({ outcome }) => outcome),
      ['ok', 'lost'],
    );
    const [won, lost] = record.attempts;
    assert.ok(won && lost?.usage);
    // Each goes by its own time: the first had begun when the second did, and ended after it.
    assert.ok(lost.startedAfterMs > won.startedAfterMs);
    assert.ok(won.startedAfterMs + won.durationMs >= lost.startedAfterMs + lost.durationMs);
  });
}

test('a stream that has begun without output is raced, and nothing of it is in the answer', async (context) => {
  const { a, call, learn } = await setUp(context);
  await learn(true);
  a.acts.push((response) => beginStream(response));
  const { text, target } = await call(true);
  assert.equal(target, 'b/y');
  assert.equal(text.split('"role":"assistant"').length, 2, text);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a stream that has output is not raced, however slow it goes on', async (context) => {
  const { a, b, gateway, learn } = await setUp(context);
  await learn(true, DELAY_MS);
  let goOn: () => void = () => assert.fail('it was not asked');
  a.acts.push((response) => {
    beginStream(response);
    response.write(chatChunk('Words of A'));
    goOn = () => endStream(response);
  });
  const { path, body } = DOORS['chat']?.(true) ?? assert.fail();
  const response = await gateway.post(path, body);
  // It has its head, and so its first output: from here on time may pass.
  assert.equal(response.headers.get('x-fairlead-attempts'), '1');
  await sleep(2 * DELAY_MS);
  goOn();
  assert.match(await response.text(), /Words of A/);
  assert.deepEqual([response.headers.get('x-fairlead-target'), b.requests()], ['a/x', 0]);
});

test('a probe that another attempt overtook leaves the breaker open', async (context) => {
  const { a, gateway, call, learn } = await setUp(context, {}, {}, { breaker: { openFor: '500ms' } });
  await learn(false);
  a.acts.push(...Array.from({ length: 5 }, () => FAIL));
  const countOf = async (kind: string) => {
    const { body } = await adminClient(gateway.url).must('GET', '/events');
    return (body['data'] as { kind: string }[]).filter((event) => event.kind === kind).length;
  };
  while ((await countOf('breaker_opened')) === 0) await call(false);
  a.acts.push(HANG);
  const before = a.requests();
  const left = a.next('left');
  while (a.requests() === before) assert.equal((await call(false)).target, 'b/y');
  await left;
  assert.deepEqual([await countOf('breaker_half_open'), await countOf('breaker_reopened')], [1, 1]);
  // The next probe is answered.
  while ((await call(false)).target !== 'a/x') await sleep(50);
  assert.equal(await countOf('breaker_closed'), 1);
});

test('where one of two fails the other goes on, and is the only answer', async (context) => {
  const { a, b, gateway, call, learn } = await setUp(context);
  const before = await learn(false);
  const isBegun = b.next('begun');
  a.acts.push((response) => void isBegun.then(() => FAIL(response, false)));
  b.acts.push((response) => setTimeout(() => say('Words of B')(response, false), 100));
  assert.deepEqual((await call(false)).target, 'b/y');
  const [record] = await gateway.calls(before + 1);
  assert.deepEqual(
    record?.attempts.map(({ outcome }) => outcome),
    ['upstream_unavailable', 'ok'],
  );
  assert.deepEqual([a.requests(), b.requests()], [before + 1, 1]);
});

test('a second attempt that fails, or is refused, leaves the first alone', async (context) => {
  const { a, b, call, learn } = await setUp(context);
  await learn(false);
  for (const act of [FAIL, REFUSE]) {
    const isBegun = b.next('begun');
    b.acts.push(act);
    a.acts.push(
      (response) => void isBegun.then(() => sleep(50)).then(() => say('Words of A')(response, false)),
    );
    const { status, attempts, target } = await call(false);
    assert.deepEqual([status, attempts, target], [200, '2', 'a/x']);
  }
});

test('where both fail the call goes on elsewhere', async (context) => {
  const { a, b, gateway, call, learn } = await setUp(context, { targets: ['a/x', 'b/y', 'c/z'] });
  const before = await learn(false);
  const isBegun = b.next('begun');
  a.acts.push((response) => void isBegun.then(() => FAIL(response, false)));
  b.acts.push((response) => setTimeout(() => FAIL(response, false), 50));
  const { status, attempts, target } = await call(false);
  assert.deepEqual([status, attempts, target], [200, '3', 'c/z']);
  const [record] = await gateway.calls(before + 1);
  assert.equal(record?.target, 'c/z');
});

test('where both fail and one refuses the call, that is what is told', async (context) => {
  const { a, b, call, learn } = await setUp(context, { retries: 1 });
  await learn(false);
  const isBegun = b.next('begun');
  a.acts.push((response) => void isBegun.then(() => REFUSE(response, false)));
  b.acts.push((response) => setTimeout(() => FAIL(response, false), 50));
  assert.equal((await call(false)).status, 400);
});

for (const stream of [false, true]) {
  test(`${stream ? 'streamed' : 'whole'}: a client that leaves cancels both`, async (context) => {
    const { a, b, gateway, call, learn } = await setUp(context);
    const before = await learn(stream);
    const gone = new AbortController();
    const [isBegun, aLeft, bLeft] = [b.next('begun'), a.next('left'), b.next('left')];
    a.acts.push(HANG);
    b.acts.push(HANG);
    const called = call(stream, 'chat', { signal: gone.signal });
    await isBegun;
    gone.abort();
    await assert.rejects(called);
    await Promise.all([aLeft, bLeft]);
    const records = await gateway.calls(before + 1);
    assert.equal(records.length, before + 1);
    const [record] = records;
    assert.deepEqual([record?.outcome, record?.status], ['cancelled', 499]);
    assert.deepEqual(
      record?.attempts.map(({ outcome, usage }) => [outcome, usage !== undefined]),
      [
        ['cancelled', false],
        ['cancelled', true],
      ],
    );
    assert.equal(record?.usage?.input, 2 * (record?.attempts[1]?.usage?.input ?? 0));
  });
}

test('a client that leaves in the middle of what the second attempt says is accounted once', async (context) => {
  const { a, b, gateway, learn } = await setUp(context);
  const before = await learn(true);
  a.acts.push(HANG);
  b.acts.push((response) => {
    beginStream(response);
    response.write(chatChunk('Words of B'));
  });
  const left = b.next('left');
  const gone = new AbortController();
  const { path, body } = DOORS['chat']?.(true) ?? assert.fail();
  const response = await gateway.post(path, body, { signal: gone.signal });
  assert.equal(response.headers.get('x-fairlead-target'), 'b/y');
  gone.abort();
  await left;
  const records = await gateway.calls(before + 1);
  assert.equal(records.length, before + 1);
  assert.deepEqual([records[0]?.outcome, records[0]?.target], ['cancelled', 'b/y']);
});

for (const stream of [false, true]) {
  test(`${stream ? 'streamed' : 'whole'}: a gateway that stops ends both, and tells its client once`, async (context) => {
    const server = { port: 0, drainTimeout: '100ms' };
    const { a, b, call, learn, stop } = await setUp(context, {}, { server });
    await learn(stream);
    const [isBegun, aLeft, bLeft] = [b.next('begun'), a.next('left'), b.next('left')];
    a.acts.push(HANG);
    b.acts.push(HANG);
    const called = call(stream);
    await isBegun;
    await stop();
    const { status, text, attempts } = await called;
    await Promise.all([aLeft, bLeft]);
    assert.deepEqual([status, attempts], [503, '2']);
    assert.ok(text.includes('"error"'));
    assert.deepEqual([b.requests()], [1]);
  });
}

test('an answer too large to be held wins as it begins', async (context) => {
  const { a, b, call, learn } = await setUp(context);
  await learn(false);
  const left = a.next('left');
  a.acts.push(HANG);
  const words = 'Words of B '.repeat(600_000);
  b.acts.push((response) => {
    const answer = chatAnswer(words);
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(answer.slice(0, 5_000_000));
    // The rest when the first attempt was seen to go.
    void left.then(() => response.end(answer.slice(5_000_000)));
  });
  const { text, target } = await call(false);
  assert.equal(target, 'b/y');
  assert.equal(text, chatAnswer(words));
});

test('before enough was seen, and where there is no other place, nobody is asked twice', async (context) => {
  const { a, b, call } = await setUp(context);
  a.acts.push((response, stream) => setTimeout(() => say('Words of A')(response, stream), 100));
  assert.deepEqual((await call(false)).attempts, '1');
  assert.equal(b.requests(), 0);
  const single = await setUp(context, { targets: ['a/x'] });
  await single.learn(false);
  single.a.acts.push((response, stream) => setTimeout(() => say('Words of A')(response, stream), 100));
  assert.deepEqual((await single.call(false)).attempts, '1');
});

test('`fastest` goes away from a target that has become slow, though its attempts only ever lose', async (context) => {
  const { a, b, call } = await setUp(context, { strategy: 'fastest' });
  // Both are known, and that the first is fast.
  b.acts.push(...Array.from({ length: 400 }, () => later(say('Words of B'), 50)));
  while (a.requests() < LEAST_SEEN || b.requests() === 0) await call(false);
  a.acts.push(...Array.from({ length: 300 }, () => HANG));
  let inARow = 0;
  for (let asked = 0; inARow < 10; asked++) {
    assert.ok(asked < 200, 'calls go to the slow one first still');
    const before = a.requests();
    assert.equal((await call(false)).target, 'b/y');
    inARow = a.requests() === before ? inARow + 1 : 0;
  }
});

test('no more calls than the share get a second attempt', async (context) => {
  const { a, b, call, learn } = await setUp(context, { hedging: { percentile: 50, maxShare: 0.1 } });
  const before = await learn(false);
  for (let calls = 0; calls < 10; calls++) {
    a.acts.push((response, stream) => setTimeout(() => say('Words of A')(response, stream), 300));
    await call(false);
  }
  assert.ok(b.requests() >= 1);
  assert.ok(b.requests() <= (before + 10) * 0.1, `${b.requests()} second attempts`);
});

test('a call that may get a second attempt sets aside what both may use', async (context) => {
  const { gateway } = await setUp(context, { limits: { tokensPerMinute: 2_000 } });
  const ask = (max_tokens: number) =>
    gateway.post('/v1/chat/completions', { model: 'two', messages, max_tokens });
  assert.equal((await ask(1_000)).status, 200);
  for (let seen = 1; seen < LEAST_SEEN; seen++) assert.equal((await ask(10)).status, 200);
  assert.equal((await ask(1_000)).status, 429);
  assert.equal((await ask(100)).status, 200);
});

/** What a provider does, after so long. */
interface Behaviour {
  afterMs: number;
  does: 'says' | 'fails' | 'refuses' | 'resets' | 'begins and says' | 'begins and resets' | 'breaks off';
}

const anyBehaviour = (longestMs: number): fc.Arbitrary<Behaviour> =>
  fc.record({
    afterMs: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constant(longestMs)),
    does: fc.constantFrom(
      ...(['says', 'says', 'fails', 'refuses', 'resets'] as const),
      ...(['begins and says', 'begins and resets', 'breaks off'] as const),
    ),
  });

function behave({ afterMs, does }: Behaviour, words: string): Act {
  return (response, stream) => {
    const then = (act: () => unknown) => setTimeout(() => response.destroyed || act(), afterMs);
    if (does === 'fails') then(() => FAIL(response, stream));
    else if (does === 'refuses') then(() => REFUSE(response, stream));
    else if (does === 'says' || (!stream && does === 'begins and says'))
      then(() => say(words)(response, stream));
    else if (does === 'resets' || !stream) then(() => response.destroy());
    else if (does === 'breaks off') {
      then(() => {
        beginStream(response);
        response.write(chatChunk(words), () => response.destroy());
      });
    } else {
      beginStream(response);
      then(() => {
        if (does === 'begins and resets') response.destroy();
        else endStream(response, words);
      });
    }
  };
}

test('whatever two providers do, one answer reaches the client, whole, and there is one record of it', async (context) => {
  const { a, b, gateway, call, learn } = await setUp(context, { retries: 1 });
  let calls = await learn(false);
  calls += await learn(true);
  const seen = new Set<string>();
  const property = fc.asyncProperty(
    anyBehaviour(1_000),
    anyBehaviour(20),
    fc.boolean(),
    async (ofA, ofB, stream) => {
      a.acts.push(behave(ofA, 'Words of A'));
      b.acts.push(behave(ofB, 'Words of B'));
      const before = [a.requests(), b.requests()];
      const { status, text, attempts, target } = await call(stream);
      calls += 1;
      const records = await gateway.calls(calls);
      assert.equal(records.length, calls);
      const record = records[0] ?? assert.fail();
      assert.equal(record.status, status);
      assert.equal(record.attempts.length, Number(attempts));
      const made = a.requests() - (before[0] ?? 0) + b.requests() - (before[1] ?? 0);
      // One that lost may have been left before its provider had it.
      const lost = record.attempts.filter(({ outcome }) => outcome === 'lost').length;
      assert.ok(made <= record.attempts.length && made >= record.attempts.length - lost, `${made} requests`);
      const said = ['Words of A', 'Words of B'].filter((words) => text.includes(words));
      assert.ok(said.length <= 1, text);
      if (record.outcome === 'ok') {
        assert.equal(said[0], target === 'a/x' ? 'Words of A' : 'Words of B');
        assert.equal(record.target, target);
        assert.equal(text.split(said[0] ?? '').length, 2);
        if (stream) assert.equal(text.split('data: [DONE]').length, 2);
        const ended = record.attempts.filter(({ outcome }) => outcome === 'ok');
        assert.equal(ended.length, 1);
      } else if (status === 200) {
        assert.ok(text.includes('"error"'), text);
      }
      const parts = record.attempts.reduce((sum, { usage }) => sum + (usage?.input ?? 0), 0);
      assert.ok((record.usage?.input ?? 0) >= parts);
      if (record.outcome === 'ok') assert.equal(record.usage?.input, parts + 3);
      seen.add(record.attempts.map(({ outcome }) => outcome).join());
      // What was told to one that was not asked is for nobody else.
      a.acts.length = 0;
      b.acts.length = 0;
    },
  );
  const slow: Behaviour = { afterMs: 1_000, does: 'says' };
  const fast: Behaviour = { afterMs: 0, does: 'says' };
  const examples: [Behaviour, Behaviour, boolean][] = [
    [slow, fast, false],
    [slow, fast, true],
  ];
  // In real time; the races on a virtual clock have the great numbers.
  const numRuns = scale({ sample: 10, heavy: 300 });
  await fc.assert(property, { examples, numRuns, endOnFailure: true });
  assert.ok(seen.has('lost,ok'), [...seen].join(' '));
});
