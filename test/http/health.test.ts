import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { type Health, healthSchema } from '../../src/telemetry/health.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, startGateway, type TestGateway } from '../support/gateway.ts';
import { parseMetrics } from '../support/prometheus-text.ts';
import { chatAnswer, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

let upstream: RawUpstream;
let gateway: TestGateway;
let headers: Record<string, string> = {};
let answer = { status: 200, body: chatAnswer('Hello') };

before(async () => {
  upstream = await startRawUpstream((response) => {
    response.writeHead(answer.status, { 'content-type': 'application/json', ...headers });
    response.end(answer.body);
  });
  const { baseUrl } = upstream;
  gateway = await startGateway({
    providers: {
      up: { adapter: 'openai-compatible', baseUrl, accounts: [{ name: 'main', apiKey: 'sk-upstream-main' }] },
    },
    models: {
      m: { targets: ['up/x'], retries: 0 },
      n: { targets: ['up/x'] },
      limited: { targets: ['up/limited'], retries: 0 },
    },
    adminKeys: { watch: { role: 'viewer', secret: 'sk-fl-viewer-0000000000' } },
  });
});

after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function call(model: string, status: number, body = chatAnswer('Hello')) {
  answer = { status, body };
  await (
    await gateway.post('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }] })
  ).text();
}

/** As a viewer sees it; held against the schema that the API's description is made of. */
async function readHealth(): Promise<Health> {
  const { body } = await adminClient(gateway.url, 'sk-fl-viewer-0000000000').must('GET', '/health');
  return healthSchema.parse(body);
}

test('health says how each provider, account and target stands, and why the last attempt failed', async () => {
  const before = await readHealth();
  const idle = before.targets.find(({ target }) => target === 'up/x');
  assert.deepEqual([idle?.status, idle?.errorRate, idle?.models], ['unknown', null, ['m', 'n']]);
  for (let nth = 0; nth < 4; nth += 1) await call('m', 200);
  await call('m', 503, '{"error":{"message":"full","code":"overloaded"}}');
  await call('m', 400, '{"error":{"message":"your mistake"}}');
  await gateway.calls(6);
  const { providers, targets } = await readHealth();
  const provider = providers.find(({ name }) => name === 'up');
  const target = targets.find((one) => one.target === 'up/x');
  for (const one of [provider, provider?.accounts[0], target, target?.accounts[0]]) {
    assert.equal(one?.status, 'degraded');
    assert.equal(one.attempts, 5, 'a mistake of the caller is none of theirs');
    assert.equal(one.errorRate, 0.2);
    assert.deepEqual(
      [one.lastFailure?.outcome, one.lastFailure?.status, one.lastFailure?.reason],
      ['upstream_unavailable', 503, 'overloaded'],
    );
    assert.ok(one.lastSuccessAt !== null && Date.parse(one.lastSuccessAt) <= Date.now());
  }
  assert.equal(target?.accounts[0]?.breaker, 'closed');
});

test('until when a place is left alone for its limit, and whose word that is, is told', async () => {
  const coolingOf = async () => {
    const target = (await readHealth()).targets.find((one) => one.target === 'up/limited');
    return target?.accounts[0]?.cooling;
  };
  assert.equal(await coolingOf(), null);
  const before = Date.now();
  await call('limited', 429, '{"error":{"message":"slow down"}}');
  const resting = await coolingOf();
  assert.equal(resting?.reason, 'rate_limited');
  headers = { 'retry-after': '60' };
  await call('limited', 429, '{"error":{"message":"slow down"}}');
  headers = {};
  const cooling = await coolingOf();
  assert.equal(cooling?.reason, 'named_time');
  const forMs = Date.parse(cooling.until) - before;
  assert.ok(forMs > 55_000 && forMs < 65_000 + (Date.now() - before), `${forMs}`);
  const metrics = parseMetrics(await (await gateway.get('/metrics', ADMIN_KEY)).text());
  const told = metrics.find(
    ({ name, labels }) => name === 'fairlead_cooling_seconds' && labels['target'] === 'up/limited',
  );
  assert.ok(told && told.value > 0 && told.value <= 60, JSON.stringify(told));
});

test('an account that is passed over for its credit is told as that, at each of its targets', async () => {
  const coolingOf = async (name: string) => {
    const target = (await readHealth()).targets.find((one) => one.target === name);
    return target?.accounts[0]?.cooling;
  };
  await call('m', 402, '{"error":{"message":"Insufficient credits"}}');
  const cooling = await coolingOf('up/x');
  assert.equal(cooling?.reason, 'credit');
  assert.ok(Date.parse(cooling.until) > Date.now());
  assert.equal((await coolingOf('up/limited'))?.reason, 'named_time', 'its own word goes before');
  const metrics = parseMetrics(await (await gateway.get('/metrics', ADMIN_KEY)).text());
  const told = metrics.find(
    ({ name, labels }) => name === 'fairlead_cooling_seconds' && labels['target'] === 'up/x',
  );
  assert.ok(told && told.value > 0 && told.value <= 30, JSON.stringify(told));
  await call('m', 200);
  assert.equal(await coolingOf('up/x'), null);
});

test('a rejected credential is told, and its account is failing', async () => {
  await call('m', 401, '{"error":{"message":"bad key"}}');
  await gateway.calls(11);
  const provider = (await readHealth()).providers.find(({ name }) => name === 'up');
  assert.equal(provider?.accounts[0]?.credential, 'rejected');
  assert.deepEqual([provider?.status, provider?.accounts[0]?.status], ['failing', 'failing']);
  const metrics = await (await gateway.get('/metrics', ADMIN_KEY)).text();
  assert.match(metrics, /^fairlead_credential_rejected\{provider="up",account="main"\} 1$/m);
});

test('the door is described, and takes no parameters', async () => {
  const description = (await (await gateway.get('/openapi.json')).json()) as {
    paths: Record<string, JsonObject>;
  };
  assert.ok(JSON.stringify(description.paths['/admin/v1/health']).includes('lastFailure'));
  assert.equal((await adminClient(gateway.url).ask('GET', '/health?of=up')).status, 400);
  assert.equal((await gateway.get('/admin/v1/health')).status, 401, "a tenant's key is none");
});
