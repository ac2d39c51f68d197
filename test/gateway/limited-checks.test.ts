import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { healthSchema } from '../../src/telemetry/health.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

test('a check that meets a limit is not made again before the time that is named, and its account is no worse for it', async (context) => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(429, { 'content-type': 'application/json', 'retry-after': '30' });
    response.end('{"error":{"message":"Slow down"}}');
  });
  context.after(() => upstream.close());
  const gateway = await startGateway({
    providers: {
      up: {
        ...{ adapter: 'openai-compatible', baseUrl: upstream.baseUrl },
        accounts: [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }],
        health: { check: { path: 'models', interval: '10ms', unhealthyAfter: 1 } },
      },
    },
    models: { m: { targets: ['up/x'] } },
  });
  context.after(() => gateway.stop());
  await sleep(200);
  assert.equal(upstream.requests.length, 1);
  const { body } = await adminClient(gateway.url).must('GET', '/health');
  const [address] = healthSchema.parse(body).providers[0]?.accounts[0]?.addresses ?? [];
  assert.equal(address?.healthy, true);
});
