import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI, { APIError, toFile } from 'openai';
import { stringify } from 'yaml';
import { openStore } from '../../src/store/open.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { type GatewayOptions, startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const OTHER_KEY = 'sk-fl-other-key-of-acme-0000000000';
/** Of each line of the fake's batches. */
const LINE = { input: 80, cacheRead: 20, output: 20, reasoning: 10 };
/** Micro-dollars: at a dollar a million tokens, half of it in a batch. */
const LINE_COST = 65;

interface Setting {
  state?: string;
  limits?: object;
  modelLimits?: object;
  /** A server of OpenAI's kin, whose batches do not say what they used. */
  compatible?: boolean;
  prices?: object;
  options?: GatewayOptions;
  store?: string;
}

async function startProvider(compatible = false) {
  const fake = await startFakeOpenAi({ compatible });
  closing.push(() => fake.close());
  return fake;
}

async function setUp(fake: Awaited<ReturnType<typeof startProvider>>, setting: Setting = {}) {
  const { state = 'memory', limits, modelLimits, compatible = false, prices, options, store } = setting;
  const gateway = await startGateway(
    {
      state,
      ...(store && { store }),
      stateTimeout: '10s',
      providers: {
        openai: {
          ...(compatible && { adapter: 'openai-compatible' }),
          baseUrl: fake.url,
          accounts: [{ name: 'main', apiKey: fake.apiKey }],
        },
      },
      prices: prices ?? { 'openai/*': { input: 1, output: 1, tiers: { batch: 0.5 } } },
      tenants: {
        acme: {
          models: ['*'],
          ...(limits && { limits }),
          ...(modelLimits && { modelLimits }),
          keys: [
            { name: 'app', secret: TEST_KEY },
            { name: 'other', secret: OTHER_KEY },
          ],
        },
      },
    },
    undefined,
    options,
  );
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) await gateway.stop();
    isStopped = true;
  };
  closing.push(stop);
  return { ...gateway, stop };
}

const clientOf = ({ url }: TestGateway, apiKey = TEST_KEY) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });

async function makeBatch(
  client: OpenAI,
  { models = ['gpt-4.1'], metadata = {} }: { models?: string[]; metadata?: Record<string, string> } = {},
) {
  const lines = models.map((model, index) =>
    JSON.stringify({
      custom_id: String(index),
      method: 'POST',
      url: '/v1/chat/completions',
      body: { model, messages: [{ role: 'user', content: 'Hi' }] },
    }),
  );
  const input = await toFile(Buffer.from(`${lines.join('\n')}\n`), 'lines.jsonl');
  const file = await client.files.create({ file: input, purpose: 'batch' });
  return await client.batches.create({
    input_file_id: file.id,
    endpoint: '/v1/chat/completions',
    completion_window: '24h',
    metadata,
  });
}

/** Records of what batches used: those of calls about batches have `openai/batches`. */
async function readBills(gateway: TestGateway): Promise<UsageRecord[]> {
  const records = await gateway.calls();
  return records.filter(({ operation, model }) => operation === 'batch' && model !== null);
}

async function waitForBill(gateway: TestGateway): Promise<UsageRecord> {
  for (let waited = 0; waited < 400; waited++) {
    const [bill] = await readBills(gateway);
    if (bill) return bill;
    await sleep(25);
  }
  throw new Error('the batch was not billed');
}

test('a batch that has ended is one usage record, of the key that made it, at the price of a batch', async () => {
  const gateway = await setUp(await startProvider());
  const client = clientOf(gateway);
  const { id } = await makeBatch(client, { models: ['gpt-4.1', 'gpt-4.1'], metadata: { looks: '1' } });
  assert.equal((await client.batches.retrieve(id)).status, 'in_progress');
  assert.deepEqual(await readBills(gateway), []);
  // Whoever asks.
  assert.equal((await clientOf(gateway, OTHER_KEY).batches.retrieve(id)).status, 'completed');
  const [bill, ...others] = await readBills(gateway);
  assert.deepEqual(others, []);
  assert.partialDeepStrictEqual(bill, {
    ...{ tenant: 'acme', key: 'app', operation: 'batch', outcome: 'ok', status: 200 },
    ...{ model: 'openai/gpt-4.1', target: 'openai/gpt-4.1', costMicroUsd: 2 * LINE_COST },
    usage: { input: 160, cacheRead: 40, output: 40, reasoning: 20, tier: 'batch' },
    attempts: [{ target: 'openai/gpt-4.1', account: 'main' }],
  });
  await Promise.all(Array.from({ length: 5 }, () => client.batches.retrieve(id)));
  assert.equal((await readBills(gateway)).length, 1);
  const found = await gateway.get(`/admin/v1/calls/${bill?.id}`, 'sk-fl-admin-test-key-0000000000000');
  assert.equal(found.status, 200);
  // The calls about it cost nothing.
  const calls = (await gateway.calls(10)).filter(({ model }) => model === null);
  assert.deepEqual(new Set(calls.map(({ costMicroUsd }) => costMicroUsd)), new Set([0]));
});

test('at OpenAI a batch is half the published price', async () => {
  const gateway = await setUp(await startProvider(), { prices: { 'none/*': { input: 1, output: 1 } } });
  const client = clientOf(gateway);
  await client.batches.retrieve((await makeBatch(client)).id);
  const [bill] = await readBills(gateway);
  // $2 input, $0.50 cached, $8 output a million.
  assert.equal(bill?.costMicroUsd, (80 * 2 + 20 * 0.5 + 30 * 8) / 2);
});

test('what a batch used before it was cancelled is billed when it has ended; one that failed used nothing', async () => {
  const gateway = await setUp(await startProvider());
  const client = clientOf(gateway);
  const cancelled = await makeBatch(client, { metadata: { looks: '1' } });
  await client.batches.cancel(cancelled.id);
  assert.deepEqual(await readBills(gateway), []);
  await client.batches.retrieve(cancelled.id);
  await client.batches.retrieve(cancelled.id);
  const failed = await makeBatch(client, { metadata: { end: 'failed' } });
  await client.batches.retrieve(failed.id);
  const bills = await readBills(gateway);
  assert.deepEqual(
    bills.map(({ costMicroUsd }) => costMicroUsd),
    [0, LINE_COST],
  );
  assert.doesNotMatch(gateway.logs(), /batch_without_usage/);
});

for (const state of ['memory', 'redis'] as const) {
  test(`a batch counts in the budgets that are on it, and what is spent lets no batch be made (${state})`, {
    skip: state === 'redis' && redisMissing,
  }, async () => {
    const redis = state === 'redis' ? await startRedis() : undefined;
    if (redis) closing.push(redis.close);
    const gateway = await setUp(await startProvider(), {
      state: redis?.url ?? 'memory',
      limits: { budgets: [{ tokens: 1_000, per: 'day' }] },
      modelLimits: { 'openai/*': { budgets: [{ usd: 0.0001, per: 'total' }] } },
    });
    const client = clientOf(gateway);
    const [first, second] = [await makeBatch(client), await makeBatch(client)];
    await client.batches.retrieve(first.id);
    await makeBatch(client);
    await client.batches.retrieve(second.id);
    await assert.rejects(makeBatch(client), (error) => {
      assert.ok(error instanceof APIError);
      assert.equal(error.status, 402);
      assert.match(error.message, /budget/);
      return true;
    });
    // What exists can be asked for.
    assert.equal((await client.batches.retrieve(second.id)).status, 'completed');
    if (!redis) return;
    const [budget = ''] = await redis.client.keys('fairlead:*usdBudget:total@0');
    assert.equal(await redis.client.hget(budget, 'spent'), String(2 * LINE_COST * 1_000));
  });
}

test('a batch that does not say what it used is counted from its output, by models', async () => {
  const fake = await startProvider(true);
  const gateway = await setUp(fake, { compatible: true });
  const client = clientOf(gateway);
  const { id } = await makeBatch(client, { models: ['small', 'large', 'small'] });
  await client.batches.retrieve(id);
  const bill = await waitForBill(gateway);
  assert.partialDeepStrictEqual(bill, {
    ...{ key: 'app', target: 'openai/large', costMicroUsd: 3 * LINE_COST },
    usage: { input: 3 * LINE.input, cacheRead: 3 * LINE.cacheRead, output: 3 * LINE.output },
    attempts: [
      { target: 'openai/small', costMicroUsd: 2 * LINE_COST, usage: { input: 2 * LINE.input } },
      { target: 'openai/large', costMicroUsd: LINE_COST, usage: { input: LINE.input } },
    ],
  });
  assert.equal((await readBills(gateway)).length, 1);
});

test('without a price of its tier the cost is not known, and budgets count the standard one', async () => {
  const gateway = await setUp(await startProvider(true), {
    compatible: true,
    prices: { 'openai/*': { input: 1, output: 1 } },
    limits: { budgets: [{ usd: 0.00013, per: 'total' }] },
  });
  const client = clientOf(gateway);
  await client.batches.retrieve((await makeBatch(client)).id);
  const bill = await waitForBill(gateway);
  assert.equal(bill.costMicroUsd, null);
  assert.equal(bill.usage?.input, LINE.input);
  await assert.rejects(makeBatch(client), (error) => error instanceof APIError && error.status === 402);
});

test('where neither the batch nor its output says it, the record has no usage and no cost, and the log says so', async () => {
  const fake = await startProvider(true);
  const gateway = await setUp(fake, { compatible: true });
  const client = clientOf(gateway);
  const { id } = await makeBatch(client);
  // Deleted past the gateway, before anybody read it.
  const direct = new OpenAI({ baseURL: fake.url, apiKey: fake.apiKey });
  await direct.files.delete((await direct.batches.retrieve(id)).output_file_id ?? '');
  await client.batches.retrieve(id);
  const bill = await waitForBill(gateway);
  assert.deepEqual([bill.usage, bill.costMicroUsd], [null, null]);
  assert.match(gateway.logs(), /batch_without_usage/);
});

test('a batch that nobody asks for any more is billed, by one of several gateways, and once over restarts', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-batch-'));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  const fake = await startProvider();
  const limits = { budgets: [{ tokens: 130, per: 'total' }] };
  const store = `sqlite:${join(folder, 'shared.db')}`;
  const start = () => setUp(fake, { limits, store });
  const first = await start();
  await makeBatch(clientOf(first));
  await first.stop();
  const both = await Promise.all([start(), start()]);
  const bill = await waitForBill(both[0]);
  assert.equal(bill.key, 'app');
  const looks = fake.requests.filter(({ method, path }) => method === 'GET' && path.includes('/batches/'));
  assert.equal(looks.length, 1);
  for (const gateway of both) await gateway.stop();
  const last = await start();
  await assert.rejects(
    makeBatch(clientOf(last)),
    (error) => error instanceof APIError && error.status === 402,
  );
  assert.equal((await readBills(last)).length, 1);
});

test('a gateway that was killed between the record of a batch and its mark bills nothing twice', {
  skip: redisMissing,
}, async () => {
  const redis = await startRedis();
  closing.push(redis.close);
  for (const state of ['memory', redis.url]) {
    const folder = await mkdtemp(join(tmpdir(), 'fairlead-batch-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const fake = await startProvider();
    const store = `sqlite:${join(folder, 'batch.db')}`;
    const start = () => setUp(fake, { state, store, limits: { budgets: [{ tokens: 200, per: 'total' }] } });
    const first = await start();
    const { id } = await makeBatch(clientOf(first));
    await clientOf(first).batches.retrieve(id);
    await first.stop();
    const opened = await openStore(store);
    await opened.db.updateTable('upstream_objects').set({ billed: 0, looked_at: 0 }).execute();
    await opened.close();
    const second = await start();
    for (let waited = 0; fake.requests.length < 4 && waited < 200; waited++) await sleep(25);
    await clientOf(second).batches.retrieve(id);
    assert.equal((await readBills(second)).length, 1);
    // 70 of 200 tokens are left.
    await clientOf(second).batches.retrieve((await makeBatch(clientOf(second))).id);
    await assert.rejects(
      makeBatch(clientOf(second)),
      (error) => error instanceof APIError && error.status === 402,
    );
    assert.equal((await readBills(second)).length, 2);
    if (state === 'memory') continue;
    const [budget = ''] = await redis.client.keys('fairlead:*tokenBudget:total@0');
    assert.equal(await redis.client.hget(budget, 'spent'), '260');
  }
});

test('what a batch used that ended while the Redis was away counts there once it is back', {
  skip: redisMissing,
}, async () => {
  const redis = await startRedis();
  closing.push(redis.close);
  const gateway = await setUp(await startProvider(), {
    state: redis.url,
    limits: { budgets: [{ tokens: 260, per: 'total' }] },
  });
  const client = clientOf(gateway);
  const [first, second] = [await makeBatch(client), await makeBatch(client)];
  await redis.stop();
  await client.batches.retrieve(first.id);
  await client.batches.retrieve(second.id);
  // Alone it counts by what it knows.
  await assert.rejects(makeBatch(client), (error) => error instanceof APIError && error.status === 402);
  await redis.start();
  let spent: string | null = null;
  for (let waited = 0; spent !== '260' && waited < 400; waited++) {
    const [budget = ''] = await redis.client.keys('fairlead:*tokenBudget:total@0');
    spent = await redis.client.hget(budget, 'spent');
    await sleep(25);
  }
  assert.equal(spent, '260');
  await assert.rejects(makeBatch(client), (error) => error instanceof APIError && error.status === 402);
});

for (const [when, looks] of [
  ['before there is another', '0'],
  ['when there is', '1'],
] as const) {
  test(`what a batch of a tenant used that was taken away is not the next one’s of its name: it ends ${when}`, async () => {
    const fake = await startProvider();
    const folder = await mkdtemp(join(tmpdir(), 'fairlead-batch-'));
    closing.push(() => rm(folder, { recursive: true, force: true }));
    const tenant = (secret: string) => ({
      models: ['*'],
      limits: { budgets: [{ tokens: 1, per: 'total' }] },
      keys: [{ name: 'app', secret }],
    });
    const start = (tenants: object) => {
      const accounts = [{ name: 'main', apiKey: fake.apiKey }];
      const config = { server: { port: 0 }, providers: { openai: { baseUrl: fake.url, accounts } }, tenants };
      return startGateway({}, undefined, { folder, file: stringify(config) });
    };
    const first = await start({ acme: tenant(TEST_KEY) });
    const { id } = await makeBatch(clientOf(first), { metadata: { looks } });
    await first.stop();
    const between = await start({ other: tenant('sk-fl-key-of-another-tenant-0000000') });
    for (let waited = 0; fake.requests.length < 3 && waited < 200; waited++) await sleep(25);
    await between.stop();
    const store = await openStore(`sqlite:${join(folder, 'fairlead.db')}`);
    await store.db.updateTable('upstream_objects').set({ looked_at: 0 }).execute();
    const made = await store.db
      .selectFrom('upstream_objects')
      .select('created_at')
      .where('id', '=', id)
      .execute();
    await store.close();
    const next = await start({ acme: tenant(OTHER_KEY) });
    closing.push(next.stop);
    const bill = await waitForBill(next);
    assert.deepEqual([bill.tenant, bill.startedAt], ['acme', made[0]?.created_at]);
    const client = clientOf(next, OTHER_KEY);
    await assert.rejects(
      client.batches.retrieve(id),
      (error) => error instanceof APIError && error.status === 404,
    );
    // Its budget is its own.
    await makeBatch(client);
  });
}

onEachDatabase((database) => {
  test('several gateways that see the end of a batch at once bill it once, in the budgets that they share', {
    skip: redisMissing,
  }, async (context) => {
    const redis = await startRedis();
    closing.push(redis.close);
    const fake = await startProvider();
    const store = await database.makeUrl(context);
    const limits = { budgets: [{ tokens: 100_000, per: 'total' }] };
    const start = () => setUp(fake, { state: redis.url, store, limits });
    const gateways = [await start(), await start(), await start()];
    const [first] = gateways;
    assert.ok(first);
    const batches = await Promise.all(Array.from({ length: 8 }, () => makeBatch(clientOf(first))));
    await Promise.all(
      batches.flatMap(({ id }) =>
        gateways.flatMap((gateway) => [1, 2].map(() => clientOf(gateway).batches.retrieve(id))),
      ),
    );
    for (const gateway of gateways) assert.equal((await readBills(gateway)).length, batches.length);
    const [budget = ''] = await redis.client.keys('fairlead:*tokenBudget:total@0');
    assert.equal(await redis.client.hget(budget, 'spent'), String(130 * batches.length));
    for (const gateway of gateways) await gateway.stop();
  });
});
