import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { spawnGateway } from '../support/gateway-process.ts';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/** What another instance has spent whose records are not in the store yet. */
const UNWRITTEN = 10_000_000;
const LIMITS = { budgets: [{ usd: 1, per: 'total' }] };
const PLACES = { concurrentCalls: 100 };

/** Gateways one after another on one data directory, a provider that answers when it is told to, and a Redis. */
async function setUp(context: TestContext, store?: string) {
  const redis = await startRedis();
  context.after(() => redis.close());
  const held: ServerResponse[] = [];
  const upstream = await startRawUpstream((response) => held.push(response));
  context.after(() => upstream.close());
  const directory = makeTempDirectory(context);
  const file = join(directory, 'fairlead.yaml');
  const config = {
    ...(store !== undefined && { store }),
    state: `\${STATE}`,
    stateTimeout: '2s',
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { m: { targets: ['up/x'], limits: PLACES } },
    prices: { 'up/*': { input: 1, output: 1 } },
    tenants: {
      acme: {
        models: ['*'],
        limits: { ...LIMITS, ...PLACES },
        modelLimits: { 'm*': PLACES },
        keys: [{ name: 'app', secret: TEST_KEY, limits: PLACES }],
      },
    },
  };
  writeFileSync(file, stringify(config));
  const env = { FAIRLEAD_CONFIG: file, FAIRLEAD_DATA: directory, FAIRLEAD_ADMIN_KEY: ADMIN_KEY };
  const start = async (own = directory, state = redis.url) => {
    const gateway = spawnGateway({ ...env, FAIRLEAD_DATA: own, STATE: state });
    context.after(() => gateway.kill());
    return { ...gateway, url: await gateway.url };
  };
  /** Begins a call, which is under way at the provider when this resolves. */
  const begin = async (url: string, key = TEST_KEY) => {
    const before = held.length;
    const messages = [{ role: 'user', content: 'Hi' }];
    const call = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'm', max_tokens: 10, messages }),
    }).then(
      async (response) => {
        await response.arrayBuffer();
        return response.status;
      },
      () => 'cut off' as const,
    );
    while (held.length === before) await sleep(5);
    const response = held[before];
    assert.ok(response);
    return {
      call,
      answer: () => {
        response.setHeader('content-type', 'application/json');
        response.end(chatAnswer('Hello'));
        return call;
      },
    };
  };
  const keyOfBudget = async () => {
    const key = (await redis.client.keys('fairlead:*usdBudget:total@*')).find((name) => /@\d+$/.test(name));
    assert.ok(key !== undefined);
    return key;
  };
  const readBudget = async () => ({ ...(await redis.client.hgetall(await keyOfBudget())) });
  /** What the records say was spent, in billionths of a dollar. */
  const readSpent = async (url: string) => {
    let records: UsageRecord[] = [];
    // They are written a moment after the call.
    for (let tries = 0; records.length === 0 && tries < 200; tries++) {
      const { body } = await adminClient(url).must('GET', '/calls?limit=1000');
      records = body['data'] as unknown as UsageRecord[];
      await sleep(10);
    }
    const nanoUsd = records.map(({ costMicroUsd }) => Math.round((costMicroUsd ?? 0) * 1000));
    return { calls: records.length, nanoUsd: nanoUsd.reduce((sum, cost) => sum + cost, 0) };
  };
  /** How many calls have a place in the limits of calls at once that there are. */
  const readPlaces = async () => {
    const keys = await redis.client.keys('fairlead:*|concurrent');
    const places = keys.map(async (key): Promise<[string, number]> => [key, await redis.client.zcard(key)]);
    return new Map((await Promise.all(places)).toSorted());
  };
  return { redis, start, begin, keyOfBudget, readBudget, readSpent, readPlaces };
}

const skip = redisMissing;

for (const lease of ['holds', 'has run out'] as const) {
  test(`a call that a kill cut off is spent of the budget in Redis once, where its lease ${lease}`, {
    skip,
  }, async (context) => {
    const { redis, start, begin, keyOfBudget, readBudget, readSpent } = await setUp(context);
    const first = await start();
    // In the journal of the process that is killed, and settled.
    for (let call = 0; call < 3; call++) assert.equal(await (await begin(first.url)).answer(), 200);
    const cutOff = await begin(first.url);
    await first.kill();
    assert.equal(await cutOff.call, 'cut off');
    let elsewhere = UNWRITTEN;
    await redis.client.hincrby(await keyOfBudget(), 'spent', UNWRITTEN);
    if (lease === 'has run out') {
      const budget = await keyOfBudget();
      const [member = ''] = await redis.client.zrange(`${budget}:held`, '0', '-1');
      await redis.client.zadd(`${budget}:held`, 1, member);
      // A call of another instance finds it.
      const other = await start(makeTempDirectory(context));
      assert.equal(await (await begin(other.url)).answer(), 200);
      elsewhere += (await readSpent(other.url)).nanoUsd;
      assert.equal(await other.stop(), 0);
    }
    const next = await start();
    const { calls, nanoUsd } = await readSpent(next.url);
    assert.equal(calls, 4);
    assert.deepEqual(await readBudget(), { spent: String(nanoUsd + elsewhere), reserved: '0' });
    assert.equal(await next.stop(), 0);
  });
}

/** Of all limits that a call of the test has. */
const placesOf = (calls: number) =>
  new Map(
    ['key:acme/app', 'model:m', 'tenant:acme', 'tenant_model:acme/m*'].map((scope) => [
      `fairlead:${scope}|concurrent`,
      calls,
    ]),
  );

test('the places of calls that a kill cut off are free once they are recorded, those of calls that run elsewhere are not', {
  skip,
}, async (context) => {
  const { start, begin, readPlaces } = await setUp(context);
  const [first, other] = [await start(), await start(makeTempDirectory(context))];
  const cutOff = [await begin(first.url), await begin(first.url)];
  const running = await begin(other.url);
  assert.deepEqual(await readPlaces(), placesOf(3));
  await first.kill();
  for (const { call } of cutOff) assert.equal(await call, 'cut off');
  const next = await start();
  assert.deepEqual(await readPlaces(), placesOf(1));
  assert.equal(await running.answer(), 200);
  assert.equal(await next.stop(), 0);
  assert.equal(await other.stop(), 0);
});

test('their places are free, too, where the Redis is away when they are recorded', {
  skip,
}, async (context) => {
  const { redis, start, begin, readPlaces } = await setUp(context);
  const network = await startLossyProxy(Number(new URL(redis.url).port));
  context.after(() => network.close());
  const first = await start();
  const cutOff = await begin(first.url);
  assert.deepEqual(await readPlaces(), placesOf(1));
  await first.kill();
  assert.equal(await cutOff.call, 'cut off');
  network.cut();
  const next = await start(undefined, `redis://127.0.0.1:${network.port}/0`);
  assert.deepEqual(await readPlaces(), placesOf(1));
  network.mend();
  for (let tries = 0; (await readPlaces()).size > 0; tries++) {
    assert.ok(tries < 500, 'their places are taken');
    await sleep(20);
  }
  assert.equal(await next.stop(), 0);
});

test('what was counted alone while the Redis was away is spent there after a kill', {
  skip,
}, async (context) => {
  const { redis, start, begin, readBudget, readSpent } = await setUp(context);
  const first = await start();
  assert.equal(await (await begin(first.url)).answer(), 200);
  const cutOff = await begin(first.url);
  await redis.stop();
  assert.equal(await (await begin(first.url)).answer(), 200);
  await first.kill();
  assert.equal(await cutOff.call, 'cut off');
  await redis.start();
  const next = await start();
  const { calls, nanoUsd } = await readSpent(next.url);
  assert.equal(calls, 3);
  assert.deepEqual(await readBudget(), { spent: String(nanoUsd), reserved: '0' });
  assert.equal(await next.stop(), 0);
});

test('a call that was counted alone and that a kill cut off is spent once, beside what another spent alone', {
  skip,
}, async (context) => {
  const store = `sqlite:${join(makeTempDirectory(context), 'shared.db')}`;
  const { redis, start, begin, readBudget, readSpent } = await setUp(context, store);
  const network = await startLossyProxy(Number(new URL(redis.url).port));
  context.after(() => network.close());
  const first = await start();
  const other = await start(makeTempDirectory(context));
  for (const { url } of [first, other]) assert.equal(await (await begin(url)).answer(), 200);
  await redis.stop();
  const cutOff = await begin(first.url);
  for (let call = 0; call < 3; call++) assert.equal(await (await begin(other.url)).answer(), 200);
  while ((await readSpent(other.url)).calls < 5) await sleep(10);
  await first.kill();
  assert.equal(await cutOff.call, 'cut off');
  // It learns what the records say while the Redis is away, and the other is back before it.
  network.cut();
  const next = await start(undefined, `redis://127.0.0.1:${network.port}/0`);
  const { calls, nanoUsd } = await readSpent(next.url);
  assert.equal(calls, 6);
  await redis.start();
  for (let tries = 0; Number((await readBudget())['spent']) < nanoUsd && tries < 500; tries++)
    await sleep(10);
  network.mend();
  await sleep(2_000);
  assert.deepEqual(await readBudget(), { spent: String(nanoUsd), reserved: '0' });
  assert.equal(await next.stop(), 0);
  assert.equal(await other.stop(), 0);
});

const MONEY_KEY = 'sk-fl-app-key-of-money-00000000000';
const TOKENS_KEY = 'sk-fl-app-key-of-tokens-0000000000';
const FREE_KEY = 'sk-fl-app-key-of-free-000000000000';

for (const state of ['memory', 'redis'] as const) {
  test(`what was reserved of calls that a kill cut off is recorded and stays spent, whatever their tenants' limits (${state})`, {
    skip: state === 'redis' && redisMissing,
  }, async (context) => {
    const redis = state === 'redis' ? await startRedis() : undefined;
    context.after(() => redis?.close());
    const upstream = await startRawUpstream(() => {});
    context.after(() => upstream.close());
    const directory = makeTempDirectory(context);
    const file = join(directory, 'fairlead.yaml');
    const tenant = (secret: string, budgets: object[]) => ({
      models: ['*'],
      ...(budgets.length > 0 && { limits: { budgets } }),
      keys: [{ name: 'app', secret }],
    });
    const config = {
      state: redis?.url ?? 'memory',
      stateTimeout: '2s',
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      models: { m: { targets: ['up/x'] } },
      prices: { 'up/*': { input: 1, output: 2 } },
      tenants: {
        money: tenant(MONEY_KEY, [{ usd: 1, per: 'total' }]),
        tokens: tenant(TOKENS_KEY, [{ tokens: 80_000, per: 'total' }]),
        free: tenant(FREE_KEY, []),
      },
    };
    writeFileSync(file, stringify(config));
    const env = { FAIRLEAD_CONFIG: file, FAIRLEAD_DATA: directory, FAIRLEAD_ADMIN_KEY: ADMIN_KEY };
    const ask = (url: string, key: string, maxTokens: number) =>
      fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({
          model: 'm',
          max_tokens: maxTokens,
          messages: [{ role: 'user', content: 'Hi' }],
        }),
      });
    /** Of a budget of 80,000 tokens, as a call that does not fit is told. */
    const readLeft = async (url: string) => {
      const refused = await ask(url, TOKENS_KEY, 99_000);
      assert.equal(refused.status, 402);
      return Number(/has (\d+) tokens left/.exec(await refused.text())?.[1]);
    };
    const first = spawnGateway(env);
    context.after(() => first.kill());
    const firstUrl = await first.url;
    const cutOff = [MONEY_KEY, TOKENS_KEY, FREE_KEY].map((key) =>
      ask(firstUrl, key, 1_000).then(
        ({ status }) => status,
        () => 'cut off',
      ),
    );
    while (upstream.requests.length < 3) await sleep(5);
    const leftBefore = await readLeft(firstUrl);
    assert.ok(leftBefore < 79_000, `${leftBefore} are left`);
    await first.kill();
    assert.deepEqual(await Promise.all(cutOff), ['cut off', 'cut off', 'cut off']);

    const next = spawnGateway(env);
    context.after(() => next.kill());
    const url = await next.url;
    assert.equal(await readLeft(url), leftBefore);
    const { body } = await adminClient(url).must('GET', '/calls?outcome=interrupted');
    const records = body['data'] as unknown as UsageRecord[];
    const input = 79_000 - leftBefore;
    assert.deepEqual(
      new Map(
        records.map(({ tenant, usage, costMicroUsd }) => [
          tenant,
          [usage?.input, usage?.output, costMicroUsd],
        ]),
      ),
      new Map(['money', 'tokens', 'free'].map((name) => [name, [input, 1_000, input + 2_000]])),
    );
    assert.equal(await next.stop(), 0);
  });
}

test('a call of an earlier tenant that a kill cut off is not spent of the budget of the one that has its name now', {
  skip,
}, async (context) => {
  const store = `sqlite:${join(makeTempDirectory(context), 'shared.db')}`;
  const { redis, start, begin } = await setUp(context, store);
  const makeTenant = async (url: string) => {
    const admin = adminClient(url);
    await admin.must('POST', '/tenants', { name: 'reuse', models: ['*'], limits: LIMITS });
    return String((await admin.must('POST', '/tenants/reuse/keys', { name: 'app' })).body['secret']);
  };
  const first = await start();
  const cutOff = await begin(first.url, await makeTenant(first.url));
  await first.kill();
  assert.equal(await cutOff.call, 'cut off');
  // On the store alone: what the killed one has to tell is not read yet.
  const other = await start(makeTempDirectory(context));
  await adminClient(other.url).must('DELETE', '/tenants/reuse');
  const secret = await makeTenant(other.url);
  assert.equal(await (await begin(other.url, secret)).answer(), 200);
  const [budget = ''] = (await redis.client.keys('fairlead:*reuse#*usdBudget:total@*')).filter((name) =>
    /@\d+$/.test(name),
  );
  const spent = { ...(await redis.client.hgetall(budget)) };
  assert.ok(Number(spent['spent']) > 0, JSON.stringify(spent));
  const next = await start();
  const { body } = await adminClient(next.url).must('GET', '/calls?tenant=reuse');
  const outcomes = (body['data'] as unknown as UsageRecord[]).map(({ outcome }) => outcome);
  assert.ok(outcomes.includes('interrupted'), String(outcomes));
  assert.deepEqual({ ...(await redis.client.hgetall(budget)) }, spent);
  assert.equal(await next.stop(), 0);
  assert.equal(await other.stop(), 0);
});
