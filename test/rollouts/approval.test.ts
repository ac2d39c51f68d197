import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn } from '../support/databases.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const KEYS = { ann: 'sk-fl-admin-key-of-ann-0000000000', bob: 'sk-fl-admin-key-of-bob-0000000000' };

const bad = new Set<string>();
const upstream = await startRawUpstream((response, body) => {
  const { model } = JSON.parse(body) as { model: string };
  response.setHeader('content-type', 'application/json');
  if (bad.has(model)) response.writeHead(500).end('{"error":{"message":"broken"}}');
  else response.end(chatAnswer(`of ${model}`));
});
after(upstream.close);

const configWith = (store: string, approval: string) => ({
  store,
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  adminKeys: {
    ann: { role: 'operator', secret: KEYS.ann },
    bob: { role: 'operator', secret: KEYS.bob },
  },
  models: { smart: { targets: ['up/old'], retries: 1 } },
  rollouts: {
    upgrade: {
      ...{ model: 'smart', stable: 'up/old', candidate: 'up/new', approval },
      steps: [{ weight: 100, hold: '1s' }],
      gates: { minCalls: 1, errorRate: 0.05, p50LatencyRatio: 100 },
    },
  },
});

async function start(context: TestContext, store: string, approval: string) {
  const gateway = await startGateway(configWith(store, approval));
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= gateway.stop();
    return stopped;
  };
  context.after(stop);
  return { gateway, stop, ann: adminClient(gateway.url, KEYS.ann), bob: adminClient(gateway.url, KEYS.bob) };
}

async function standing(admin: AdminClient): Promise<JsonObject> {
  return (await admin.must('GET', '/rollouts/upgrade')).body['standing'] as JsonObject;
}

async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    if (await check()) return;
    await sleep(50);
  }
  assert.fail(`in vain: ${what}`);
}

async function call(gateway: TestGateway, user = 'somebody'): Promise<string> {
  const answer = await gateway.post('/v1/chat/completions', {
    ...{ model: 'smart', user },
    messages: [{ role: 'user', content: 'Hi' }],
  });
  const text = await answer.text();
  assert.equal(answer.status, 200, text);
  return text.includes('of new') ? 'new' : 'old';
}

/** Of rollouts, oldest first, once there are as many. */
async function eventsBecome(admin: AdminClient, wanted: string[]): Promise<void> {
  let events: { kind: string }[] = [];
  for (let waited = 0; waited < 10_000; waited += 50) {
    const { body } = await admin.must('GET', '/events');
    events = (body['data'] as typeof events).filter(({ kind }) => kind.startsWith('rollout_')).reverse();
    if (events.length >= wanted.length) break;
    await sleep(50);
  }
  assert.deepEqual(
    events.map(({ kind }) => kind),
    wanted,
  );
}

const refusedWith = async (asked: ReturnType<AdminClient['ask']>) => {
  const { status, body } = await asked;
  return [status, body.error?.code];
};

onEachDatabaseInTurn((database) => {
  test('a start that takes two waits for another one, at every instance and over a restart', async (context) => {
    const store = await database.makeUrl(context);
    const one = await start(context, store, 'start');
    const two = await start(context, store, 'start');
    await one.ann.must('POST', '/rollouts/upgrade/start');
    await until('the other one knows', async () => (await standing(two.bob))['approval'] !== null);
    const { phase, approval, since } = await standing(two.bob);
    assert.deepEqual([phase, since], ['draft', null]);
    assert.deepEqual({ ...(approval as object), at: '' }, { wants: 'start', by: 'ann', at: '' });
    assert.equal(await call(one.gateway), 'old');
    assert.deepEqual(await refusedWith(two.ann.ask('POST', '/rollouts/upgrade/approve')), [
      403,
      'own_request',
    ]);
    assert.deepEqual(await refusedWith(two.bob.ask('POST', '/rollouts/upgrade/start')), [
      409,
      'approval_pending',
    ]);
    assert.deepEqual(await refusedWith(two.bob.ask('POST', '/rollouts/upgrade/promote')), [
      409,
      'rollout_phase',
    ]);
    await one.stop();
    const again = await start(context, store, 'start');
    await again.bob.must('POST', '/rollouts/upgrade/approve');
    const begun = await standing(again.bob);
    assert.deepEqual([begun['phase'], begun['approval']], ['canary', null]);
    assert.deepEqual(begun['reason'], { by: 'ann', approvedBy: 'bob' });
    assert.equal(await call(again.gateway), 'new');
    await until('the other hears of it', async () => (await call(two.gateway)) === 'new');
    assert.deepEqual(await refusedWith(two.ann.ask('POST', '/rollouts/upgrade/approve')), [
      409,
      'nothing_to_approve',
    ]);
    // Nobody is asked about the way back, or about its end here.
    await two.ann.must('POST', '/rollouts/upgrade/pause');
    await two.ann.must('POST', '/rollouts/upgrade/promote');
    await two.ann.must('POST', '/rollouts/upgrade/rollback');
    await eventsBecome(two.ann, [
      ...['rollout_approval_requested', 'rollout_approved', 'rollout_canary', 'rollout_paused'],
      ...['rollout_promoted', 'rollout_to_be_written', 'rollout_rolled_back'],
    ]);
  });

  test('a promotion that takes two waits at the last step, also one that comes by itself', async (context) => {
    const { gateway, ann, bob } = await start(context, await database.makeUrl(context), 'promote');
    await ann.must('POST', '/rollouts/upgrade/start');
    assert.equal(await call(gateway), 'new');
    await until('it is through', async () => (await standing(bob))['approval'] !== null);
    const { phase, approval } = await standing(bob);
    assert.deepEqual(
      [phase, (approval as JsonObject)['wants'], (approval as JsonObject)['by']],
      ['canary', 'promote', 'ann'],
    );
    // It waits, and does not ask again.
    await sleep(1_500);
    await bob.must('POST', '/rollouts/upgrade/reject');
    assert.equal((await standing(bob))['phase'], 'paused');
    await bob.must('POST', '/rollouts/upgrade/resume');
    await until('it asks again', async () => (await standing(bob))['approval'] !== null);
    assert.deepEqual(await refusedWith(ann.ask('POST', '/rollouts/upgrade/approve')), [403, 'own_request']);
    await bob.must('POST', '/rollouts/upgrade/approve');
    assert.equal((await standing(bob))['phase'], 'promoted');
    await eventsBecome(ann, [
      ...['rollout_canary', 'rollout_approval_requested', 'rollout_rejected', 'rollout_paused'],
      ...['rollout_canary', 'rollout_approval_requested', 'rollout_approved', 'rollout_promoted'],
      'rollout_to_be_written',
    ]);
  });

  test('a candidate that turns bad while it waits to be promoted is rolled back, and with it what was asked', async (context) => {
    const { gateway, ann, bob } = await start(context, await database.makeUrl(context), 'required');
    await ann.must('POST', '/rollouts/upgrade/start');
    // Whoever asked may take it back.
    await ann.must('POST', '/rollouts/upgrade/reject');
    assert.deepEqual(await refusedWith(bob.ask('POST', '/rollouts/upgrade/approve')), [
      409,
      'nothing_to_approve',
    ]);
    await bob.must('POST', '/rollouts/upgrade/start');
    await ann.must('POST', '/rollouts/upgrade/approve');
    await ann.must('POST', '/rollouts/upgrade/promote');
    assert.equal(((await standing(bob))['approval'] as JsonObject)['by'], 'ann');
    bad.add('new');
    context.after(() => bad.delete('new'));
    await until('it is rolled back', async () => {
      for (let user = 0; user < 10; user++) await call(gateway, `u${user}`);
      return (await standing(bob))['phase'] === 'rolled_back';
    });
    assert.equal((await standing(bob))['approval'], null);
    assert.deepEqual(await refusedWith(bob.ask('POST', '/rollouts/upgrade/approve')), [
      409,
      'nothing_to_approve',
    ]);
  });
});
