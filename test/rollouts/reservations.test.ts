import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

test('a budget counts what the release that answers may write, not what the one before could', async (context) => {
  const gateway = await startGateway({
    models: {
      smart: { targets: ['echo/old'] },
      left: { targets: ['echo/old'], deprecated: '2020-01-31', successor: 'wide' },
      wide: { targets: [{ target: 'echo/new', parameters: { maxOutputTokens: 50_000 } }] },
    },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'echo/old' },
        candidate: { target: 'echo/new', parameters: { maxOutputTokens: 50_000 } },
      },
    },
    tenants: {
      acme: {
        models: ['*'],
        limits: { budgets: [{ tokens: 20_000, per: 'total' }] },
        keys: [{ name: 'app', secret: TEST_KEY }],
      },
    },
  });
  context.after(gateway.stop);
  const statusOf = async (model: string) => {
    const body = { model, messages: [{ role: 'user', content: 'Hi' }] };
    return (await gateway.post('/v1/chat/completions', body)).status;
  };
  assert.equal(await statusOf('smart'), 200);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  await admin.must('POST', '/rollouts/upgrade/promote');
  assert.equal(await statusOf('smart'), 402);
  assert.equal(await statusOf('left'), 402);
});
