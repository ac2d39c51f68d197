import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';
import { startWebhookReceiver } from '../support/webhook-receiver.ts';

test('calls that fail raise an alert, and a webhook says so', async (context) => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  const receiver = await startWebhookReceiver(secret);
  context.after(() => receiver.close());
  const upstream = await startRawUpstream((response) => {
    response.writeHead(500, { 'content-type': 'application/json' }).end('{"error":{"message":"oops"}}');
  });
  context.after(() => upstream.close());
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { m: { targets: ['up/x'] } },
    webhooks: { ops: { url: receiver.url, secret, events: ['alert_*'] } },
  });
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= gateway.stop());
  context.after(stop);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/alerts', { name: 'errors', errorRate: 0.5, minCalls: 3, models: ['m'] });
  const refused = await admin.ask('POST', '/alerts', { name: 'both', errorRate: 0.5, spendUsd: 1 });
  assert.equal(refused.status, 400);
  for (let nth = 0; nth < 3; nth += 1) {
    const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
    assert.equal((await gateway.post('/v1/chat/completions', body)).status, 502);
  }
  for (let waited = 0; waited < 30_000 && receiver.received.length === 0; waited += 50) await sleep(50);
  const [event] = receiver.received;
  assert.equal(event?.type, 'alert_raised');
  const details = {
    alert: 'errors',
    metric: 'errorRate',
    value: 1,
    threshold: 0.5,
    calls: 3,
    overSeconds: 300,
  };
  assert.deepEqual(event.data.details, details);
  await stop();
});
