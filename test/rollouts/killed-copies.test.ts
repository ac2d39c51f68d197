import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { ADMIN_KEY, TEST_KEY } from '../support/gateway.ts';
import { spawnGateway } from '../support/gateway-process.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

onEachDatabaseInTurn((database) => {
  test('a kill loses neither where the copies stand nor that one was under way, and the tenant pays nothing of it', async (context) => {
    let hanging = 0;
    const upstream = await startRawUpstream((response, body) => {
      const { model, user } = JSON.parse(body) as { model: string; user?: string };
      if (model === 'new' && user === 'hanging') hanging += 1;
      else response.setHeader('content-type', 'application/json').end(chatAnswer(`of ${model}`));
    });
    context.after(upstream.close);
    const folder = makeTempDirectory(context);
    const limits = { budgets: [{ usd: 1, per: 'day' }] };
    const config = {
      ...{
        store: await database.makeUrl(context),
        server: { port: 0 },
        prices: { 'up/*': { input: 1, output: 1 } },
      },
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      models: { smart: { targets: ['up/old'] } },
      tenants: { acme: { models: ['*'], limits, keys: [{ name: 'app', secret: TEST_KEY }] } },
      rollouts: {
        upgrade: {
          ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
          shadow: { share: 1, hold: '10m' },
        },
      },
    };
    writeFileSync(join(folder, 'fairlead.yaml'), stringify(config));
    const start = async () => {
      const gateway = spawnGateway(
        {
          FAIRLEAD_DATA: join(folder, 'data'),
          FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
          FAIRLEAD_CONFIG: join(folder, 'fairlead.yaml'),
        },
        folder,
      );
      context.after(() => gateway.stop());
      return { gateway, url: await gateway.url };
    };
    const ask = async (url: string, user: string) => {
      const answer = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'smart', user, messages: [{ role: 'user', content: 'Hi' }] }),
      });
      assert.equal(answer.status, 200, await answer.text());
    };
    const until = async (what: string, check: () => boolean | Promise<boolean>) => {
      for (let waited = 0; waited < 20_000; waited += 50) {
        if (await check()) return;
        await sleep(50);
      }
      assert.fail(`in vain: ${what}`);
    };
    const first = await start();
    await adminClient(first.url).must('POST', '/rollouts/upgrade/start');
    for (let call = 0; call < 5; call += 1) await ask(first.url, 'well');
    await ask(first.url, 'hanging');
    await until('a copy hangs', () => hanging === 1);
    await first.gateway.kill();

    const { url } = await start();
    const admin = adminClient(url);
    await until('the copies are learned from', async () => {
      const { body } = await admin.must('GET', '/rollouts');
      const [rollout] = body['data'] as { phase: string; candidateCalls: number }[];
      assert.equal(rollout?.phase, 'shadow');
      return rollout.candidateCalls === 5;
    });
    const { body } = await admin.must('GET', '/calls');
    const calls = body['data'] as unknown as UsageRecord[];
    const cut = calls.filter(({ outcome }) => outcome === 'interrupted');
    assert.deepEqual(
      cut.map(({ tenant, key, model }) => [tenant, key, model]),
      [['(operator)', 'shadow', 'up/new']],
    );
    assert.equal(calls.filter(({ tenant }) => tenant === 'acme').length, 6);
    await ask(url, 'well');
  });
});
