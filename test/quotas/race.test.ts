import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { boundTokens } from '../../src/tokens/bound-tokens.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startGatewayProcess } from '../support/gateway-process.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

/*
 * The race: 200 calls at once against a budget that holds 50 of them, while their provider answers nobody. Then they
 * end in every way that a call can end, and as many as the ledger says is left must fit again, no more and no less.
 */

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const KEY = 'sk-fl-app-key-of-acme-000000000000';
const CALLS = 200;
const FITTING = 50;
const OUTPUT = 1_000;
/** How many calls of another size what is left is divided among. */
const FITTING_AGAIN = 40;

const bodyOf = (stream: boolean, output: number) =>
  JSON.stringify({
    model: 'm',
    max_tokens: output,
    stream,
    // As long as the other, so that both reserve the same.
    messages: [{ role: 'user', content: stream ? 'Hi!' : 'Hi' }],
  });
/** What a call reserves, in tokens; at a dollar a million of them that is micro-dollars. */
const reservedBy = (output: number) => boundTokens(bodyOf(true, output).length) + output;
const BUDGET = FITTING * reservedBy(OUTPUT);

interface Instance {
  url: string;
  calls(): Promise<UsageRecord[]>;
}

function configFor(baseUrl: string, state: string): object {
  return {
    server: { port: 0 },
    state,
    // A machine that is busy with other tests is not to look like a Redis that is away.
    stateTimeout: '10s',
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    // What fails is not tried again: the test answers each call once.
    models: { m: { targets: ['up/x'], retries: 0 } },
    prices: { 'up/*': { input: 1, output: 1 } },
    tenants: {
      acme: {
        models: ['*'],
        limits: { budgets: [{ usd: BUDGET / 1e6, per: 'month' }], concurrentCalls: 1000 },
        keys: [{ name: 'app', secret: KEY }],
      },
    },
  };
}

interface RunningCall {
  client: AbortController;
  status: Promise<number>;
}

function startCalls(instances: readonly Instance[], output: number): RunningCall[] {
  return Array.from({ length: CALLS }, (_, index) => {
    const client = new AbortController();
    const url = instances[index % instances.length]?.url;
    const status = fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' },
      body: bodyOf(index % 2 === 1, output),
      signal: client.signal,
    }).then(
      async (response) => {
        await response.text().catch(() => {});
        return response.status;
      },
      () => 0,
    );
    return { client, status };
  });
}

const ENDINGS: ((held: { response: ServerResponse; body: string }) => void)[] = [
  ({ response, body }) => {
    if (!body.includes('"stream":true')) {
      response.setHeader('content-type', 'application/json');
      response.end(chatAnswer('Hello').replace('"prompt_tokens":3', '"prompt_tokens":200'));
      return;
    }
    response.setHeader('content-type', 'text/event-stream');
    response.write(chatChunk('Hello', 'stop'));
    const usage = { prompt_tokens: 300, completion_tokens: 7, total_tokens: 307 };
    response.end(`data: ${JSON.stringify({ choices: [], usage })}\n\ndata: [DONE]\n\n`);
  },
  ({ response }) => {
    response.writeHead(500, { 'content-type': 'application/json' });
    response.end('{"error":{"message":"oops"}}');
  },
  ({ response }) => response.destroy(),
  ({ response }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk('Half'));
    setTimeout(() => response.destroy(), 20);
  },
];

async function race(
  start: (config: (baseUrl: string, state: string) => object, baseUrl: string) => Promise<Instance[]>,
) {
  const held: { response: ServerResponse; body: string }[] = [];
  const upstream = await startRawUpstream((response, body) => held.push({ response, body }));
  closing.push(upstream.close);
  const instances = await start(configFor, upstream.baseUrl);
  const ledger = async (atLeast: number) => {
    for (let waited = 0; waited < 200; waited++) {
      const records = (await Promise.all(instances.map((instance) => instance.calls()))).flat();
      if (records.length >= atLeast) return records;
      await sleep(50);
    }
    throw new Error(`there are fewer than ${atLeast} records: ${await outcomes()}`);
  };
  const arrived = async (count: number) => {
    for (let waited = 0; held.length < count; waited++) {
      if (waited < 2_000) await sleep(10);
      else assert.fail(`${held.length} of ${count} calls have reached the provider: ${await outcomes()}`);
    }
  };
  const outcomes = async () => {
    const records = (await Promise.all(instances.map((instance) => instance.calls()))).flat();
    const counts = Object.entries(Object.groupBy(records, ({ outcome }) => outcome));
    return counts.map(([outcome, of]) => `${outcome} ${of?.length}`).join(', ');
  };

  const calls = startCalls(instances, OUTPUT);
  const statuses = calls.map(({ status }) => status);
  const refused = (await ledger(CALLS - FITTING)).filter(({ outcome }) => outcome === 'budget_exceeded');
  await arrived(FITTING);
  await sleep(200);
  assert.equal(held.length, FITTING, 'exactly what fits is let through');
  assert.equal(refused.length, CALLS - FITTING);

  // Every fifth client of those let through leaves; the others are answered, refused, cut off, broken off in the middle.
  const unanswered = new Set(calls);
  for (const call of calls) void call.status.then(() => unanswered.delete(call));
  await sleep(0);
  let leaving = 0;
  for (const { client } of [...unanswered]) {
    if (leaving++ % 5 === 0) client.abort();
  }
  await sleep(200);
  for (const [index, one] of held.splice(0).entries()) ENDINGS[index % ENDINGS.length]?.(one);
  assert.equal((await Promise.all(statuses)).filter((status) => status === 402).length, CALLS - FITTING);

  const records = await ledger(CALLS);
  assert.equal(records.length, CALLS, 'no call is lost, none is there twice');
  const spent = records.reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0), 0);
  assert.ok(spent > 0 && spent < BUDGET);
  const kinds = new Set(records.map(({ outcome }) => outcome));
  for (const outcome of ['ok', 'cancelled', 'budget_exceeded', 'upstream_unavailable'] as const) {
    assert.ok(kinds.has(outcome), `${outcome} is among them`);
  }

  // Settlements to a Redis are not waited for.
  await sleep(300);
  // So that less is left over than one of them may put out: counting its input then helps none.
  let output = Math.floor((BUDGET - spent) / FITTING_AGAIN);
  while (FITTING_AGAIN * reservedBy(output) > BUDGET - spent) output--;
  const again = startCalls(instances, output);
  await ledger(2 * CALLS - FITTING_AGAIN);
  await arrived(FITTING_AGAIN);
  await sleep(200);
  assert.equal(held.length, FITTING_AGAIN, 'no reservation is left behind, and nothing is overspent');
  for (const one of held.splice(0)) ENDINGS[0]?.(one);
  const found = await Promise.all(again.map(({ status }) => status));
  assert.deepEqual(
    [found.filter((status) => status === 200).length, found.filter((status) => status === 402).length],
    [FITTING_AGAIN, CALLS - FITTING_AGAIN],
  );
}

test('200 calls race for a budget that holds 50, at one instance', async () => {
  await race(async (config, baseUrl) => {
    const instance = await startGatewayProcess(config(baseUrl, 'memory'));
    closing.push(instance.close);
    return [instance];
  });
});

test('200 calls race for a budget that holds 50, at three processes with one Redis', {
  skip: redisMissing,
}, async () => {
  const redis = await startRedis({ saves: false });
  closing.push(redis.close);
  await race((config, baseUrl) =>
    Promise.all(
      [1, 2, 3].map(async () => {
        const instance = await startGatewayProcess(config(baseUrl, redis.url));
        closing.push(instance.close);
        return instance;
      }),
    ),
  );
  await sleep(300);
  const keys = await redis.client.keys('fairlead:*');
  const budget = keys.find((key) => /usdBudget:month@\d+$/.test(key)) ?? '';
  assert.equal(await redis.client.hget(budget, 'reserved'), '0');
  assert.deepEqual(
    keys.filter((key) => /(?:concurrent|:held)$/.test(key)),
    [],
  );
});
