import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { redisMissing, startRedis, type TestRedis } from '../support/redis.ts';
import { scale } from '../support/scale.ts';
import { failWith, say, startProvider } from '../support/scripted-provider.ts';

const skip = redisMissing;

/** A provider `a`, one that stands in for it, and what starts instances in front of both, all with one Redis. */
async function setUp(context: TestContext, breaker: object = {}) {
  const redis = await startRedis({ saves: false });
  context.after(redis.close);
  const [a, b] = [await startProvider(context), await startProvider(context)];
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const config = {
    state: redis.url,
    // A machine that is busy with other tests is not to look like a Redis that is away.
    stateTimeout: '10s',
    providers: {
      a: { adapter: 'openai-compatible', baseUrl: a.baseUrl, accounts, health: { breaker } },
      b: { adapter: 'openai-compatible', baseUrl: b.baseUrl, accounts },
    },
    models: {
      one: { targets: ['a/x'], retries: 0 },
      two: { targets: ['a/x', 'b/y'] },
      other: { targets: ['a/z', 'b/y'] },
    },
  };
  const start = async (state = redis.url) => {
    const gateway = await startGateway({ ...config, state });
    let stopped: Promise<void> | undefined;
    const stop = () => {
      stopped ??= gateway.stop();
      return stopped;
    };
    context.after(stop);
    return { ...gateway, stop };
  };
  return { redis, a, b, start };
}

async function call(gateway: TestGateway, model: string) {
  const response = await gateway.post('/v1/chat/completions', {
    model,
    messages: [{ role: 'user', content: 'Hi' }],
  });
  await response.text();
  return {
    status: response.status,
    target: response.headers.get('x-fairlead-target'),
    retryAfter: Number(response.headers.get('retry-after')),
  };
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 400; waited++) {
    if (await isSo()) return;
    await sleep(25);
  }
  assert.fail(`it never was so: ${what}`);
}

const countOf = (gateway: TestGateway, event: string) =>
  gateway.logs().split(`"event":"${event}"`).length - 1;

/** What is kept in the Redis was published in the same step. */
async function untilKept({ client }: TestRedis, words: number): Promise<void> {
  await until(`${words} words are kept`, async () => (await client.zcard('fairlead:health')) === words);
}

/** Messages come in their order: who has heard a later one has heard all before. */
async function untilHeard({ client }: TestRedis, ...gateways: TestGateway[]): Promise<void> {
  const name = `b/${randomUUID()}`;
  const word = { by: 'test', scope: 'lane', what: 'cooling', name, account: 'main', forMs: 60_000 };
  await client.publish('fairlead:health:0', JSON.stringify(word));
  for (const gateway of gateways)
    await until('the others heard it', async () => (await call(gateway, name)).status === 429);
}

test('a time that a provider named to one instance is kept by all, and by one that starts later', {
  skip,
}, async (context) => {
  const { redis, a, start } = await setUp(context);
  const [one, two, three] = [await start(), await start(), await start()];
  a.otherwise = failWith(429, { 'retry-after': '60' });
  assert.equal((await call(one, 'two')).target, 'b/y');
  await untilKept(redis, 1);
  await untilHeard(redis, two, three);
  const four = await start();
  for (const other of [two, three, four]) {
    const { status, retryAfter } = await call(other, 'one');
    assert.equal(status, 429);
    assert.ok(retryAfter > 0 && retryAfter <= 60, `retry-after: ${retryAfter}`);
    assert.equal((await call(other, 'two')).target, 'b/y');
  }
  assert.equal(a.requests(), 1);
  assert.ok((await redis.client.pttl('fairlead:health')) > 0, 'it would stay for ever');
});

test('a target that an instance never called is left alone there, too', { skip }, async (context) => {
  const { redis, a, start } = await setUp(context);
  const [one, two] = [await start(), await start()];
  a.otherwise = failWith(429, { 'retry-after': '60' });
  await call(one, 'a/named-by-nobody');
  await untilKept(redis, 1);
  await untilHeard(redis, two);
  const before = a.requests();
  assert.equal((await call(two, 'a/named-by-nobody')).status, 429);
  assert.equal(a.requests(), before);
});

test('what a time was named for is told with it', { skip }, async (context) => {
  const { redis, a, start } = await setUp(context);
  const [one, two] = [await start(), await start()];
  a.otherwise = failWith(503, { 'retry-after': '60' });
  assert.equal((await call(one, 'two')).target, 'b/y');
  await untilKept(redis, 1);
  await untilHeard(redis, two);
  for (const other of [two, await start()]) {
    const { status, retryAfter } = await call(other, 'one');
    assert.equal(status, 502, 'it limits nobody');
    assert.ok(retryAfter > 0 && retryAfter <= 60, `retry-after: ${retryAfter}`);
  }
  assert.equal(a.requests(), 1);
});

/** What an account takes: so many calls, then none for a while, which it says to all that come. */
function limitTo(calls: number, pauseMs: number) {
  const asked: number[] = [];
  let left = calls;
  let untilMs = 0;
  const ask = (): number | undefined => {
    const atMs = performance.now();
    asked.push(atMs);
    if (left === 0 && atMs >= untilMs) left = calls;
    if (left > 0) {
      left -= 1;
      untilMs = atMs + pauseMs;
      return undefined;
    }
    // Who comes in the last millisecond comes in time.
    return Math.ceil(untilMs - atMs);
  };
  return { ask, asked, untilMs: () => untilMs };
}

test('in a storm of 429 over two instances no account is called by either before the time that it named to one', {
  skip,
}, async (context) => {
  const redis = await startRedis({ saves: false });
  context.after(redis.close);
  const limits = [3_000, 4_200, 5_400].map((pauseMs) => limitTo(3, pauseMs));
  const providers = await Promise.all(limits.map(() => startProvider(context)));
  for (const [index, provider] of providers.entries()) {
    provider.otherwise = (response, stream) => {
      const retryAfterMs = limits[index]?.ask();
      if (retryAfterMs === undefined) say('Hi')(response, stream);
      else failWith(429, { 'retry-after-ms': String(retryAfterMs) })(response);
    };
  }
  const config = {
    state: redis.url,
    stateTimeout: '10s',
    providers: {
      ...Object.fromEntries(providers.map(({ provider }, index) => [`p${index}`, provider])),
      b: (await startProvider(context)).provider,
    },
    models: { m: { targets: providers.map((_, index) => `p${index}/x`), strategy: 'weighted' } },
  };
  const gateways = [await startGateway(config), await startGateway(config)];
  context.after(() => Promise.all(gateways.map((gateway) => gateway.stop())));

  const statuses = new Set<number>();
  const running = new Set<Promise<unknown>>();
  /** Who calls an account within one of these knew better. */
  const known: { index: number; fromMs: number; untilMs: number }[] = [];
  const judging = new Map<string, Promise<void>>();
  const judge = async (index: number, untilMs: number) => {
    await untilHeard(redis, ...gateways);
    // What was on its way then may have been sent before.
    await Promise.all(running);
    const fromMs = performance.now();
    if (fromMs < untilMs - 2) known.push({ index, fromMs, untilMs });
  };
  const ear = redis.client.duplicate();
  context.after(() => ear.disconnect());
  ear.on('message', (_channel, text) => {
    const { what, name, forMs } = JSON.parse(text) as { what: string; name: string; forMs: number };
    const index = providers.findIndex((_, at) => name === `p${at}/x`);
    const untilMs = limits[index]?.untilMs() ?? 0;
    const period = `${index} ${untilMs}`;
    // One that came late is of a time that is over.
    if (what !== 'cooling' || performance.now() + forMs < untilMs || judging.has(period)) return;
    judging.set(period, judge(index, untilMs));
  });
  await ear.subscribe('fairlead:health:0');

  const endsMs = performance.now() + scale({ sample: 12_000, heavy: 60_000 });
  while (performance.now() < endsMs || known.length < 3) {
    for (const gateway of gateways) {
      const one = call(gateway, 'm').then(({ status }) => {
        statuses.add(status);
        running.delete(one);
      });
      running.add(one);
    }
    await sleep(50);
  }
  await Promise.all([...running, ...judging.values()]);
  assert.deepEqual([...statuses].sort(), [200, 429]);
  for (const { index, fromMs, untilMs } of known) {
    const early = limits[index]?.asked.filter((one) => one > fromMs && one < untilMs - 2);
    assert.deepEqual(early, [], `p${index} was called before ${untilMs}, which all knew of at ${fromMs}`);
  }
});

test('in a storm of 429 no instance calls before the time that was named', { skip }, async (context) => {
  const { redis, a, start } = await setUp(context);
  const gateways = [await start(), await start(), await start()];
  const namedMs = 3_000;
  let namedUntil = 0;
  let early = 0;
  let isHeard = false;
  a.otherwise = (response) => {
    if (isHeard && Date.now() < namedUntil) early += 1;
    namedUntil = Math.max(namedUntil, Date.now() + namedMs);
    failWith(429, { 'retry-after-ms': String(namedMs) })(response);
  };
  const first = gateways[0];
  assert.ok(first);
  await call(first, 'two');
  await untilKept(redis, 1);
  await untilHeard(redis, ...gateways);
  isHeard = true;
  const endsMs = namedUntil - 50;
  let calls = 0;
  await Promise.all(
    gateways.map(async (gateway) => {
      while (Date.now() < endsMs) {
        const before = a.requests();
        const { target } = await call(gateway, 'two');
        // One that is answered later may have been sent later.
        if (a.requests() > before) break;
        assert.equal(target, 'b/y');
        calls += 1;
      }
    }),
  );
  assert.ok(calls > 10, `${calls} calls`);
  assert.equal(early, 0);
});

test('a breaker that opens at one instance is open at the others, and closed when one found the place well', {
  skip,
}, async (context) => {
  const { redis, a, start } = await setUp(context, { openFor: '5s' });
  const [one, two, three] = [await start(), await start(), await start()];
  a.otherwise = failWith(500);
  for (let failure = 0; failure < 5; failure++) await call(one, 'one');
  await untilKept(redis, 1);
  await untilHeard(redis, two, three);
  const failures = a.requests();
  assert.equal((await call(two, 'two')).target, 'b/y');
  assert.equal((await call(three, 'two')).target, 'b/y');
  assert.equal(a.requests(), failures, 'the others called it all the same');

  a.otherwise = say('Hi');
  // One that was only told of it probes by itself.
  await until('the place is found well', async () => (await call(two, 'two')).target === 'a/x');
  await untilKept(redis, 0);
  await untilHeard(redis, one, three);
  assert.equal((await call(one, 'two')).target, 'a/x');
  assert.equal((await call(three, 'two')).target, 'a/x');
  const told = [one, two, three].map((gateway) => [
    countOf(gateway, 'breaker_opened'),
    countOf(gateway, 'breaker_closed'),
  ]);
  assert.deepEqual(told, [
    [1, 0],
    [0, 1],
    [0, 0],
  ]);
});

test('an account that cannot be reached from one instance is passed over by the others, whatever the target', {
  skip,
}, async (context) => {
  const { redis, a, start } = await setUp(context, { openFor: '10m' });
  const [one, two] = [await start(), await start()];
  await a.leave();
  for (let failure = 0; failure < 5; failure++) await call(one, 'one');
  await untilKept(redis, 2);
  await untilHeard(redis, two);
  await a.comeBack();
  for (const other of [two, await start()]) {
    assert.equal((await call(other, 'two')).target, 'b/y');
    assert.equal((await call(other, 'other')).target, 'b/y');
  }
  assert.equal(a.requests(), 0);
});

test('Redis stops: calls go on, each instance learns for itself; when it is back they tell each other what they learned', {
  skip,
}, async (context) => {
  const { redis, a, start } = await setUp(context);
  const [one, two] = [await start(), await start()];
  await redis.stop();
  assert.equal((await call(one, 'two')).target, 'a/x');
  a.otherwise = failWith(429, { 'retry-after': '60' });
  assert.equal((await call(one, 'two')).target, 'b/y');
  const late = await start();
  await redis.start();
  await untilKept(redis, 1);
  // Whoever did not hear of it is answered.
  a.otherwise = say('Hi');
  for (const other of [two, late]) {
    await until('it is heard', async () => (await call(other, 'one')).retryAfter > 20);
    assert.equal((await call(other, 'two')).target, 'b/y');
  }
});

test('an instance that was cut off hears what it missed, and keeps what it learned itself', {
  skip,
}, async (context) => {
  const { redis, a, b, start } = await setUp(context);
  const proxy = await startLossyProxy(Number(new URL(redis.url).port));
  context.after(proxy.close);
  const [one, two] = [await start(), await start(`redis://127.0.0.1:${proxy.port}/0`)];
  for (let round = 0; round < 3; round++) {
    proxy.cut();
    await sleep(round * 40);
    proxy.mend();
  }
  proxy.cut();
  a.otherwise = failWith(429, { 'retry-after': '60' });
  b.otherwise = failWith(429, { 'retry-after': '40' });
  await call(one, 'one');
  await call(two, 'b/y');
  await untilKept(redis, 1);
  a.otherwise = say('Hi');
  b.otherwise = say('Hi');
  proxy.mend();
  await untilKept(redis, 2);
  // Whoever did not hear of it is answered.
  await until('one heard of it', async () => (await call(one, 'b/y')).status === 429);
  await until('two heard of it', async () => (await call(two, 'one')).status === 429);
});

test('a Redis that hangs holds up neither calls nor a stop', { skip }, async (context) => {
  const { redis, a, start } = await setUp(context);
  const [one, two] = [await start(), await start()];
  redis.freeze();
  a.otherwise = failWith(429, { 'retry-after': '60' });
  assert.equal((await call(one, 'two')).target, 'b/y');
  redis.thaw();
  await untilKept(redis, 1);
  a.otherwise = say('Hi');
  await until('the other heard of it', async () => (await call(two, 'one')).status === 429);
  redis.freeze();
  await one.stop();
  redis.thaw();
});

test('what is no message changes nothing', { skip }, async (context) => {
  const { redis, a, start } = await setUp(context);
  const gateway = await start();
  const lane = { by: 'x', scope: 'lane', name: 'a/x', account: 'main' };
  const wrong = [
    'no JSON',
    '[]',
    JSON.stringify({ ...lane, what: 'cooling', forMs: 1e15 }),
    JSON.stringify({ ...lane, what: 'cooling', forMs: '60000' }),
    JSON.stringify({ ...lane, what: 'gone', forMs: 60_000 }),
    JSON.stringify({ ...lane, what: 'cooling', forMs: 60_000, filler: 'x'.repeat(5_000) }),
  ];
  for (const message of wrong) assert.ok(await redis.client.publish('fairlead:health:0', message));
  await redis.client.zadd('fairlead:health', Date.now() + 60_000, 'no JSON');
  await until('it is told', () => gateway.logs().includes('is none'));
  assert.equal((await call(gateway, 'one')).status, 200);
  assert.equal((await call(await start(), 'one')).status, 200);
  const right = JSON.stringify({ ...lane, what: 'cooling', forMs: 60_000, later: true });
  await redis.client.publish('fairlead:health:0', right);
  await until('it is heard', async () => (await call(gateway, 'one')).status === 429);
  assert.ok(a.requests() >= 2);
});
