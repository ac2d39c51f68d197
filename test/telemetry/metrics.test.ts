import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { stringify } from 'yaml';
import type { BreakerReading } from '../../src/routing/lane-book.ts';
import { CallMetrics } from '../../src/telemetry/call-metrics.ts';
import { OTHER } from '../../src/telemetry/known-names.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { ADMIN_KEY, startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { parseMetrics, type Sample } from '../support/prometheus-text.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';
import { makeRecord } from '../support/usage-records.ts';

const TENANTS = {
  acme: { models: ['*'], keys: [{ name: 'app', secret: 'sk-fl-test-key-of-acme-000000000000' }] },
};

let gateway: TestGateway;

before(async () => {
  gateway = await startGateway({
    models: { smart: { targets: ['echo/echo'] } },
    prices: { 'echo/*': { input: 1, output: 2 } },
    tenants: TENANTS,
  });
});

after(() => gateway.stop());

function chat(model: string, more: object = {}) {
  return gateway.post('/v1/chat/completions', {
    model,
    messages: [{ role: 'user', content: 'Hello' }],
    ...more,
  });
}

async function scrape(from: TestGateway = gateway): Promise<Sample[]> {
  const response = await from.get('/metrics', ADMIN_KEY);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
  return parseMetrics(await response.text());
}

function sampleOf(samples: Sample[], name: string, labels: Record<string, string> = {}): number | undefined {
  const found = samples.filter(
    (sample) =>
      sample.name === name &&
      Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
  assert.ok(found.length < 2, `several of ${name} ${JSON.stringify(labels)}`);
  return found[0]?.value;
}

test('a scrape tells of calls, tokens, cost, durations and attempts, as the usage records do', async () => {
  await (await chat('smart')).text();
  await (await chat('smart', { stream: true })).text();
  await (await chat('echo/nobody-configured-this')).text();
  const records = await gateway.calls(3);
  const samples = await scrape();
  const ok = { tenant: 'acme', model: 'smart', operation: 'generate', outcome: 'ok' };
  assert.equal(sampleOf(samples, 'fairlead_calls_total', ok), 2);
  const own = records.filter(({ model }) => model === 'smart');
  const input = own.reduce((sum, { usage }) => sum + (usage?.input ?? 0), 0);
  assert.equal(
    sampleOf(samples, 'fairlead_tokens_total', { tenant: 'acme', model: 'smart', kind: 'input' }),
    input,
  );
  const cost = own.reduce((sum, { costMicroUsd }) => sum + (costMicroUsd ?? 0), 0) / 1e6;
  const told = sampleOf(samples, 'fairlead_cost_usd_total', { tenant: 'acme', model: 'smart' });
  assert.ok(told !== undefined && Math.abs(told - cost) < 1e-9, `${told} for ${cost}`);
  const ended = { model: 'smart', operation: 'generate', outcome: 'ok' };
  assert.equal(sampleOf(samples, 'fairlead_call_duration_seconds_count', ended), 2);
  assert.equal(sampleOf(samples, 'fairlead_call_duration_seconds_bucket', { ...ended, le: '+Inf' }), 2);
  assert.equal(sampleOf(samples, 'fairlead_first_token_seconds_count', { model: 'smart' }), 1);
  const attempted = { target: 'echo/echo', account: own[0]?.attempts[0]?.account ?? '', outcome: 'ok' };
  assert.equal(sampleOf(samples, 'fairlead_attempts_total', attempted), 2);
  assert.equal(sampleOf(samples, 'fairlead_calls_in_flight'), 0);
  assert.ok((sampleOf(samples, 'process_cpu_seconds_total') ?? 0) > 0);
});

test('names that callers make up get no series of their own', async () => {
  for (let nth = 0; nth < 5; nth += 1) await (await chat(`echo/made-up-${nth}`)).text();
  for (let nth = 0; nth < 5; nth += 1) await (await chat(`nowhere-${nth}`)).text();
  await gateway.calls(11);
  const names = (await scrape()).flatMap(({ labels }) => Object.values(labels));
  assert.deepEqual(
    names.filter((name) => name.includes('made-up') || name.includes('nowhere')),
    [],
  );
  assert.ok(names.includes('echo/other'), 'an attempt at a target that no model has is told by its provider');
});

test('the metrics are for whoever has an admin key, of whatever role', async () => {
  const refused = await fetch(`${gateway.url}/metrics`);
  assert.equal(refused.status, 401);
  assert.equal((await gateway.get('/metrics')).status, 401, "a tenant's key is none");
});

test('with server.metrics: open they are for everybody who reaches the gateway', async (context) => {
  const open = await startGateway({ server: { port: 0, metrics: 'open' } });
  context.after(() => open.stop());
  assert.equal((await fetch(`${open.url}/metrics`)).status, 200);
});

test('histograms count as Prometheus expects: each bound all that is below it', async () => {
  const calls = new CallMetrics({ isModel: () => true, isTarget: () => true });
  calls.observe([50, 51, 400, 700_000].map((latencyMs) => makeRecord({ latencyMs })));
  const samples = parseMetrics(await renderOnly(calls));
  const at = (le: string) => sampleOf(samples, 'fairlead_call_duration_seconds_bucket', { le });
  assert.deepEqual([at('0.05'), at('0.1'), at('0.5'), at('600'), at('+Inf')], [1, 2, 3, 3, 4]);
  assert.equal(sampleOf(samples, 'fairlead_call_duration_seconds_sum'), 700.501);
});

test('however many tenants and models there are, there is a bound to the series', async () => {
  const calls = new CallMetrics({ isModel: () => true, isTarget: () => true });
  for (let nth = 0; nth < 20_000; nth += 1) {
    const attempt = { startedAfterMs: 0, durationMs: 1, status: 200, outcome: 'ok' } as const;
    calls.observe([
      makeRecord({
        ...{ tenant: `tenant-${nth}`, model: `model-${nth}` },
        attempts: [{ target: `p/model-${nth}`, account: `account-${nth}`, ...attempt }],
      }),
    ]);
  }
  const told = [...calls.calls()];
  assert.ok(told.length < 2_100, `${told.length} series`);
  assert.equal(new Set(told.map(({ labels }) => labels.tenant)).size, 101, 'a hundred, and the others');
  assert.ok([...calls.attempts()].length < 2_100);
  const sum = told.reduce((total, { values }) => total + values.calls, 0);
  assert.equal(sum, 20_000, 'none is lost');
  assert.ok(told.some(({ labels }) => labels.tenant === OTHER && labels.model === OTHER));
});

test('names with quotes, backslashes and line breaks are escaped', async () => {
  const calls = new CallMetrics({ isModel: () => true, isTarget: () => true });
  const model = 'a"b\\c\nd';
  calls.observe([makeRecord({ model })]);
  const samples = parseMetrics(await renderOnly(calls));
  assert.equal(sampleOf(samples, 'fairlead_calls_total', { model }), 1);
});

test('circuits, and how long places are left alone, are told of where routing has them', async () => {
  const calls = new CallMetrics({ isModel: () => true, isTarget: () => true });
  const cooling = { forMs: 1_500, reason: 'named_time' } as const;
  const breakers = (): BreakerReading[] => [
    { target: 'openai/gpt', account: 'main', state: 'open', cooling },
    { target: 'openai/o3', account: 'main', state: 'closed', cooling: undefined },
  ];
  const samples = parseMetrics(await renderOnly(calls, breakers));
  assert.equal(sampleOf(samples, 'fairlead_breaker_state', { target: 'openai/gpt', state: 'open' }), 1);
  assert.equal(sampleOf(samples, 'fairlead_cooling_seconds', { target: 'openai/gpt' }), 1.5);
  assert.equal(sampleOf(samples, 'fairlead_cooling_seconds', { target: 'openai/o3' }), 0);
});

async function renderOnly(calls: CallMetrics, breakers = (): BreakerReading[] => []) {
  const metrics = new Metrics({
    ...{ calls, callsInFlight: () => 0, pendingRecords: () => 0, revision: () => 1 },
    ...{ rejectedCredentials: () => [], breakers },
    places: () => ({ running: 0, waiting: 0, readings: () => [] }),
  });
  try {
    return await metrics.render();
  } finally {
    metrics.close();
  }
}

test('what an account did that the configuration has no more is not told any more', async (context) => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '60' });
    response.end('{"error":{"message":"slow down"}}');
  });
  context.after(() => upstream.close());
  const folder = makeTempDirectory(context);
  const fileOf = (account: string) =>
    stringify({
      server: { port: 0 },
      providers: {
        up: {
          ...{ adapter: 'openai-compatible', baseUrl: upstream.baseUrl },
          accounts: [{ name: account, apiKey: `sk-${account}-0000000000` }],
        },
      },
      models: { one: { targets: ['up/x'], retries: 0 } },
      tenants: { acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } },
    });
  const renamed = await startGateway({}, undefined, { file: fileOf('old'), folder });
  context.after(() => renamed.stop());
  const ask = { model: 'one', messages: [{ role: 'user', content: 'Hello' }] };
  const accountsOf = async (name: string) =>
    (await scrape(renamed)).filter((sample) => sample.name === name).map(({ labels }) => labels['account']);
  await (await renamed.post('/v1/chat/completions', ask)).text();
  assert.deepEqual(await accountsOf('fairlead_cooling_seconds'), ['old']);
  await writeFile(join(folder, 'fairlead.yaml'), fileOf('new'));
  await renamed.reload();
  await (await renamed.post('/v1/chat/completions', ask)).text();
  assert.deepEqual(await accountsOf('fairlead_cooling_seconds'), ['new']);
  assert.deepEqual(await accountsOf('fairlead_breaker_state'), ['new']);
});
