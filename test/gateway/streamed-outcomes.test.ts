import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { chatChunk } from '../support/raw-upstream.ts';
import { type Act, beginStream, failWith, say, startProvider } from '../support/scripted-provider.ts';

/** Gives its first words, and goes on for longer than any test takes. */
const GO_ON: Act = (response) => {
  beginStream(response);
  response.write(chatChunk('Words'));
};

/** Gives its first words, and breaks off. */
const BREAK_OFF: Act = (response) => {
  beginStream(response);
  response.write(chatChunk('Words'), () => setTimeout(() => response.socket?.resetAndDestroy(), 20));
};

const FAIL = failWith(500);
const UNPAID: Act = (response) =>
  response.writeHead(402).end('{"error":{"message":"Pay first","code":"insufficient_quota"}}');

const messages = [{ role: 'user', content: 'Hi' }];

async function setUp(context: TestContext, ofA: object = {}) {
  const [a, b] = [await startProvider(context), await startProvider(context)];
  const gateway = await startGateway({
    server: { port: 0, drainTimeout: '100ms' },
    providers: { a: { ...a.provider, ...ofA }, b: b.provider },
    models: {
      two: { targets: ['a/x', 'b/y'], retries: 1 },
      other: { targets: ['a/z', 'b/y'] },
      fastest: { targets: ['a/x', 'b/y'], strategy: 'fastest' },
    },
  });
  context.after(() => gateway.stop());
  /** Gives where the first output of a stream comes from, when that is there. */
  const begin = async (model = 'two') => {
    const response = await gateway.post('/v1/chat/completions', { model, stream: true, messages });
    return { target: response.headers.get('x-fairlead-target'), text: response.text() };
  };
  /** Asks without a stream. */
  const ask = async (model = 'two') => {
    const response = await gateway.post('/v1/chat/completions', { model, messages });
    await response.text();
    return response.headers.get('x-fairlead-target');
  };
  const events = async () => {
    const { body } = await adminClient(gateway.url).must('GET', '/events');
    return (body['data'] as { kind: string; target?: string; address?: string }[]).toReversed();
  };
  const kinds = async () =>
    (await events()).map(({ kind }) => kind).filter((kind) => kind !== 'config_changed');
  return { a, b, gateway, begin, ask, kinds };
}

type Setting = Awaited<ReturnType<typeof setUp>>;

/** The streams that a test has left under way end with the gateway. */
function leave({ text }: { text: Promise<string> }): void {
  text.catch(() => undefined);
}

/** Calls until the answer is the first target's, and gives its stream, which is then under way. */
async function beginAt(target: string, { begin }: Setting, model = 'two') {
  for (let asked = 0; asked < 200; asked++) {
    const begun = await begin(model);
    leave(begun);
    if (begun.target === target) return begun;
    await sleep(50);
  }
  return assert.fail(`${target} was never asked`);
}

test('a probe is well with the first output of its stream, which still runs', async (context) => {
  const setting = await setUp(context, { health: { breaker: { openFor: '300ms' } } });
  const { a, ask, begin, kinds } = setting;
  a.answers.push(...Array.from({ length: 5 }, () => FAIL));
  while ((await kinds()).every((kind) => kind !== 'breaker_opened')) await ask();
  a.otherwise = GO_ON;
  await beginAt('a/x', setting);
  for (let further = 0; further < 3; further++) {
    const begun = await begin();
    leave(begun);
    assert.equal(begun.target, 'a/x');
  }
  assert.deepEqual((await kinds()).slice(-3), ['breaker_opened', 'breaker_half_open', 'breaker_closed']);
});

test('an account that can be reached again is so for all of its models with the first output of a stream', async (context) => {
  const setting = await setUp(context, { health: { breaker: { openFor: '300ms' } } });
  const { a, ask } = setting;
  await a.leave();
  for (let call = 0; call < 6; call++) assert.equal(await ask(), 'b/y');
  a.otherwise = GO_ON;
  await a.comeBack();
  await beginAt('a/x', setting);
  leave(await beginAt('a/z', setting, 'other'));
});

test('an account that was paid is asked again with the first output of a stream', async (context) => {
  const setting = await setUp(context);
  const { a, ask, kinds } = setting;
  a.answers.push(UNPAID);
  assert.equal(await ask(), 'b/y');
  assert.equal(await ask(), 'b/y');
  // Nothing else is left, so it is tried.
  setting.b.otherwise = FAIL;
  a.otherwise = GO_ON;
  await beginAt('a/x', setting);
  setting.b.otherwise = say('Hi');
  await beginAt('a/x', setting);
  assert.ok((await kinds()).includes('credit_restored'));
});

test('one of ten calls fails beside streams that run for long: the breaker stays closed', async (context) => {
  const { a, begin, kinds } = await setUp(context);
  a.otherwise = GO_ON;
  let atA = 0;
  for (let call = 0; call < 70; call++) {
    if (call % 10 === 4) a.answers.push(FAIL);
    const begun = await begin();
    leave(begun);
    if (begun.target === 'a/x') atA += 1;
  }
  assert.deepEqual(await kinds(), []);
  assert.equal(atA, 63);
});

test('a place whose streams all break off is left alone, however few they are', async (context) => {
  const { a, begin, kinds } = await setUp(context);
  a.otherwise = BREAK_OFF;
  for (let call = 0; call < 5; call++) {
    const { target, text } = await begin();
    assert.equal(target, 'a/x');
    assert.match(await text, /"error"/);
  }
  assert.deepEqual(await kinds(), ['breaker_opened']);
});

test('a probe whose stream breaks off behind its first output leaves the breaker open again', async (context) => {
  const setting = await setUp(context, { health: { breaker: { openFor: '300ms' } } });
  const { a, ask, kinds } = setting;
  a.answers.push(...Array.from({ length: 5 }, () => FAIL));
  while ((await kinds()).every((kind) => kind !== 'breaker_opened')) await ask();
  a.answers.push(BREAK_OFF);
  await (await beginAt('a/x', setting)).text;
  assert.equal((await kinds()).at(-1), 'breaker_closed');
  assert.equal(await ask(), 'b/y');
});

test('a server that fails now and then is not left out while its streams run', async (context) => {
  const [one, two] = [await startProvider(context, GO_ON), await startProvider(context, GO_ON)];
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-servers-'));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'servers');
  const hosts = [one, two].map(({ baseUrl }) => baseUrl.replace('/v1', ''));
  await writeFile(file, hosts.join('\n'));
  const gateway = await startGateway({
    server: { port: 0, drainTimeout: '100ms' },
    providers: {
      pool: {
        ...{ adapter: 'openai-compatible', baseUrl: one.baseUrl },
        accounts: [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }],
        discovery: { file },
      },
    },
    models: { m: { targets: ['pool/x'], retries: 1 } },
  });
  context.after(() => gateway.stop());
  for (let call = 0; call < 60; call++) {
    if (call % 5 === 0) one.answers.push(FAIL);
    const body = { model: 'm', stream: true, messages };
    const response = await gateway.post('/v1/chat/completions', body);
    assert.equal(response.status, 200);
    response.text().catch(() => undefined);
  }
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  const kinds = (body['data'] as { kind: string }[]).map(({ kind }) => kind);
  assert.ok(!kinds.includes('address_ejected'), kinds.join());
  assert.ok(one.answers.length < 5, 'it failed often enough');
});

test('`fastest` knows how fast a stream is by its first output', async (context) => {
  const { a, b, begin } = await setUp(context);
  a.otherwise = GO_ON;
  b.otherwise = (response) => void setTimeout(() => GO_ON(response, true), 300);
  for (let call = 0; call < 6; call++) leave(await begin('fastest'));
  const targets: (string | null)[] = [];
  for (let call = 0; call < 20; call++) {
    const begun = await begin('fastest');
    leave(begun);
    targets.push(begun.target);
  }
  assert.ok(targets.filter((target) => target === 'a/x').length > 13, targets.join());
});

for (const stream of [false, true]) {
  test(`\`fastest\` tries what it does not know once, and waits for its answer (${stream ? 'streamed' : 'whole'})`, async (context) => {
    const { b, gateway } = await setUp(context);
    const answer: (() => void)[] = [];
    b.otherwise = (response, isStream) => void answer.push(() => say('Hi')(response, isStream));
    const post = () => gateway.post('/v1/chat/completions', { model: 'fastest', stream, messages });
    const calls: Promise<string>[] = [];
    for (let call = 0; call < 100; call++) {
      calls.push(post().then((response) => response.text()));
      await sleep(20);
    }
    // Of those that were sent before the first one is known to be fast some went there as well.
    assert.ok(b.requests() >= 1 && b.requests() < 30, `${b.requests()} of 100 calls went to it`);
    b.otherwise = say('Hi');
    for (const tell of answer) tell();
    await Promise.all(calls);
  });
}

test('`fastest` goes away from a target that has stopped to answer before its time-outs are over', async (context) => {
  const { a, b, gateway, begin } = await setUp(context);
  b.otherwise = (response, stream) => void setTimeout(() => say('Hi')(response, stream), 100);
  for (let call = 0; call < 20; call++) await (await begin('fastest')).text;
  const gone = new AbortController();
  a.otherwise = () => undefined;
  const targets: (string | null)[] = [];
  for (let call = 0; call < 40; call++) {
    const body = { model: 'fastest', stream: true, messages };
    gateway.post('/v1/chat/completions', body, { signal: gone.signal }).then(
      (response) => targets.push(response.headers.get('x-fairlead-target')),
      () => undefined,
    );
    await sleep(30);
  }
  await sleep(300);
  gone.abort();
  assert.ok(targets.length > 20, `${targets.length} of 40 calls were answered`);
});
