import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import { type AdminClient, adminClient } from '../support/admin.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const upstream = await startRawUpstream((response, body) => {
  const { model } = JSON.parse(body) as { model: string };
  response.setHeader('content-type', 'application/json');
  if (model === 'bad') response.writeHead(500).end('{"error":{"message":"broken"}}');
  else response.end(chatAnswer(`of ${model}`));
});
after(upstream.close);

async function start(context: TestContext) {
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  });
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/models', { name: 'smart', targets: ['up/old'], retries: 1 });
  return { gateway, admin };
}

const UPGRADE = {
  ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
  steps: [{ weight: 50, hold: '10m' }],
  gates: { p50LatencyRatio: 100 },
};

async function call(gateway: TestGateway, user: string): Promise<string | null> {
  const answer = await gateway.post('/v1/chat/completions', {
    ...{ model: 'smart', user },
    messages: [{ role: 'user', content: 'Hi' }],
  });
  assert.equal(answer.status, 200, await answer.text());
  return answer.headers.get('x-fairlead-rollout');
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

test('a rollout is made, changed and deleted as any other entry', async (context) => {
  const { admin } = await start(context);
  await admin.must('POST', '/rollouts', { name: 'upgrade', ...UPGRADE });
  assert.equal((await admin.ask('POST', '/rollouts', { name: 'upgrade', ...UPGRADE })).status, 409);
  const { body } = await admin.must('GET', '/rollouts/upgrade');
  const { standing: stands, ...entry } = body;
  assert.deepEqual(entry, { name: 'upgrade', owner: 'api', ...UPGRADE });
  assert.equal((stands as JsonObject)['phase'], 'draft');
  await admin.must('PATCH', '/rollouts/upgrade', { steps: [{ weight: 5, hold: '1h' }], gates: null });
  const { body: changed } = await admin.must('GET', '/rollouts/upgrade');
  assert.deepEqual([changed['steps'], changed['gates']], [[{ weight: 5, hold: '1h' }], undefined]);
  const wrong = await admin.ask('PUT', '/rollouts/upgrade', { ...UPGRADE, candidate: 'nowhere/new' });
  assert.deepEqual([wrong.status, wrong.body.error?.param], [400, 'candidate']);
  const other = await admin.ask('PUT', '/rollouts/other', UPGRADE);
  assert.equal(other.status, 400, 'two rollouts of one model');
  await admin.must('DELETE', '/rollouts/upgrade');
  assert.equal((await admin.ask('GET', '/rollouts/upgrade')).status, 404);
});

test('a rollout under way stays what it is: other steps and gates hold at once, other releases are refused', async (context) => {
  const { gateway, admin } = await start(context);
  await admin.must('PUT', '/rollouts/upgrade', UPGRADE);
  await admin.must('POST', '/rollouts/upgrade/start');
  for (let user = 0; user < 30; user++) await call(gateway, `u${user}`);
  await until('they are learned from', async () => Number((await standing(admin))['candidateCalls']) > 5);
  await sleep(600);
  const { candidateCalls } = await standing(admin);
  for (const change of [{ candidate: 'up/other' }, { stable: 'up/new', candidate: 'up/old' }]) {
    const { status, body } = await admin.ask('PATCH', '/rollouts/upgrade', change);
    assert.deepEqual([status, body.error?.code], [409, 'rollout_under_way']);
  }
  const gone = await admin.ask('DELETE', '/rollouts/upgrade');
  assert.deepEqual([gone.status, gone.body.error?.code], [409, 'rollout_under_way']);
  await admin.must('PATCH', '/rollouts/upgrade', {
    steps: [{ weight: 100, hold: '10m' }],
    gates: { p50LatencyRatio: 50, errorRate: 0.1 },
  });
  const after = await standing(admin);
  assert.deepEqual(
    [after['phase'], after['weight'], after['candidateCalls']],
    ['canary', 100, candidateCalls],
  );
  assert.equal(await call(gateway, 'whoever'), 'upgrade=candidate');
  await until('the new gate learns', async () => {
    const { body } = await admin.must('GET', '/rollouts/upgrade/report');
    const gates = body['gates'] as { gate: string; candidate: { calls: number } }[];
    const of = (name: string) => gates.find(({ gate }) => gate === name)?.candidate.calls;
    // What was learned under another limit says nothing of this one; what is compared goes on.
    return of('errorRate') === 1 && of('p50LatencyRatio') === 0 && (of('compared') ?? 0) > 5;
  });
});

test('a rollout of a name that was deleted is another one', async (context) => {
  const { gateway, admin } = await start(context);
  await admin.must('PUT', '/rollouts/upgrade', { ...UPGRADE, cohort: { users: ['u'] } });
  await admin.must('POST', '/rollouts/upgrade/start');
  await call(gateway, 'u');
  await admin.must('POST', '/rollouts/upgrade/promote');
  await until('it is written', async () => {
    return JSON.stringify((await admin.must('GET', '/models/smart')).body['targets']) === '["up/new"]';
  });
  await admin.must('DELETE', '/rollouts/upgrade');
  await admin.must('PUT', '/models/smart', { targets: ['up/old'] });
  await admin.must('PUT', '/rollouts/upgrade', UPGRADE);
  const stands = await standing(admin);
  assert.deepEqual([stands['phase'], stands['candidateCalls']], ['draft', 0]);
  assert.equal(await call(gateway, 'u'), null);
});

test('calls are found by their rollout and side', async (context) => {
  const { gateway, admin } = await start(context);
  await admin.must('PUT', '/rollouts/upgrade', UPGRADE);
  await call(gateway, 'before');
  await admin.must('POST', '/rollouts/upgrade/start');
  const sides: (string | null)[] = [];
  for (let user = 0; user < 20; user++) sides.push(await call(gateway, `u${user}`));
  await gateway.calls(21);
  const found = async (query: string) => {
    const { body } = await admin.must('GET', `/calls?${query}`);
    return (body['data'] as { rollout?: { name: string; side: string } }[]).map(
      ({ rollout }) => rollout && `${rollout.name}=${rollout.side}`,
    );
  };
  const count = (side: string) => sides.filter((one) => one === `upgrade=${side}`).length;
  assert.equal((await found('rollout=upgrade')).length, 20);
  for (const side of ['stable', 'candidate']) {
    const ofSide = await found(`rollout=upgrade&side=${side}`);
    assert.deepEqual([ofSide.length, new Set(ofSide)], [count(side), new Set([`upgrade=${side}`])]);
  }
  assert.deepEqual(await found('rollout=upgrad'), []);
  assert.deepEqual(await found('rollout=upgrade&outcome=failed'), []);
  const lone = await admin.ask('GET', '/calls?side=stable');
  assert.deepEqual([lone.status, lone.body.error?.param], [400, 'side']);
  const csv = await (
    await fetch(`${gateway.url}/admin/v1/calls?format=csv&rollout=upgrade&side=stable`, {
      headers: { authorization: 'Bearer sk-fl-admin-test-key-0000000000000' },
    })
  ).text();
  const lines = csv.trim().split('\r\n');
  assert.equal(lines.length, 1 + count('stable'));
  assert.ok(lines[0]?.includes(',rollout,') && lines[1]?.includes(',upgrade=stable,'), csv);
});
