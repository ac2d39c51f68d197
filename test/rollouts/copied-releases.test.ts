import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { rehearseCommand } from '../../src/cli/rehearse.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { ADMIN_KEY, startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

/** Releases at a provider with two accounts; gives which account is asked how often, too. */
async function startReleases(context: TestContext, rollout: object, more: object = {}) {
  const asked: string[] = [];
  const upstream = await startRawUpstream((response, _body, { headers }) => {
    asked.push(String(headers.authorization).replace('Bearer key-of-', ''));
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hi'));
  });
  context.after(upstream.close);
  const accounts = ['here', 'there'].map((name) => ({ name, apiKey: `key-of-${name}` }));
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts } },
    models: { smart: { targets: [{ target: 'up/old', account: 'here' }], retries: 0 } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: { target: 'up/old', account: 'here' } },
        ...{ steps: [{ weight: 50, hold: '10m' }], shadow: { share: 1, hold: '10m' } },
        ...{ gates: { p50LatencyRatio: 100 }, ...rollout },
      },
    },
    ...more,
  });
  context.after(gateway.stop);
  return { gateway, asked };
}

const MOVED = { candidate: { target: 'up/old', account: 'there' } };

async function ask({ post }: TestGateway, more: object = {}): Promise<Headers> {
  const messages = [{ role: 'user', content: 'say hi' }];
  const answer = await post('/v1/chat/completions', { model: 'smart', messages, ...more });
  assert.equal(answer.status, 200, await answer.text());
  return answer.headers;
}

async function reportOf({ url }: TestGateway): Promise<JsonObject> {
  return (await adminClient(url).must('GET', '/rollouts/upgrade/report')).body;
}

async function learned(gateway: TestGateway, candidateCalls: number): Promise<JsonObject> {
  for (let waited = 0; waited < 20_000; waited += 25) {
    const report = await reportOf(gateway);
    if (report['candidateCalls'] === candidateCalls) return report;
    await sleep(25);
  }
  assert.fail(JSON.stringify(await reportOf(gateway)));
}

test('copies go to the account that a model is to move to, and are reported before the first step', async (context) => {
  const { gateway, asked } = await startReleases(context, MOVED);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  for (let call = 0; call < 3; call += 1) await ask(gateway);
  const { steps, candidateCalls } = await learned(gateway, 3);
  assert.equal(candidateCalls, 3);
  assert.deepEqual(asked.toSorted(), ['here', 'here', 'here', 'there', 'there', 'there']);
  const reported = (steps as JsonObject[]).map(({ step, weight, stable, candidate }) => [
    ...[step, weight],
    ...[stable, candidate].map((side) => (side as JsonObject)['calls']),
  ]);
  assert.deepEqual(reported, [['shadow', 0, 3, 3]]);
});

test('copies of another release of the same target are its, whichever attempt answers', async (context) => {
  const candidate = { target: 'up/old', account: 'here', parameters: { temperature: 0 } };
  const { gateway } = await startReleases(context, { candidate });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  await ask(gateway);
  await learned(gateway, 1);
  const rollouts = (await gateway.calls(2)).map(({ rollout }) => rollout);
  assert.deepEqual(rollouts.map((note) => [note?.side, note?.flags]).toSorted(), [
    ['candidate', ['copied', 'read']],
    ['stable', ['read']],
  ]);
});

test('a rehearsal of a move asks each side at its own account', async (context) => {
  const keys = [{ name: 'app', secret: TEST_KEY }];
  const tenants = { acme: { models: ['*'], capture: { mode: 'full', retention: '1h' }, keys } };
  const { gateway, asked } = await startReleases(context, MOVED, { tenants });
  await ask(gateway);
  const path = '/rollouts/upgrade/rehearsal';
  const body = { messages: [{ role: 'user', content: 'say hi' }] };
  const { body: made } = await adminClient(gateway.url).must('POST', path, { body });
  assert.deepEqual([made['skipped'], (made['stable'] as JsonObject)['failed']], [undefined, false]);
  assert.deepEqual(asked.splice(0).toSorted(), ['here', 'here', 'there']);
  let out = '';
  for (let waited = 0; waited < 10_000 && asked.length === 0; waited += 50) {
    await sleep(50);
    out = '';
    await rehearseCommand.run(['upgrade', '--json'], {
      stdout: { write: (text) => (out += text) },
      stderr: { write: () => undefined },
      ...{ env: { FAIRLEAD_ADMIN_KEY: ADMIN_KEY, FAIRLEAD_URL: gateway.url }, cwd: '/' },
    });
  }
  assert.deepEqual(asked, ['there'], 'what the stable answered is known');
  const { gates } = JSON.parse(out) as { gates: JsonObject[] };
  const errors = gates.find(({ what }) => what === 'errors');
  assert.deepEqual(
    [errors?.['stable'], errors?.['candidate']],
    [
      { calls: 1, sum: 0 },
      { calls: 1, sum: 0 },
    ],
  );
  assert.match(String(errors?.['why']), /^0 % of 1 calls/);
});

test('whoever promotes a rollout of copies alone has everyone on the candidate', async (context) => {
  const { gateway, asked } = await startReleases(context, MOVED);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  assert.equal((await admin.must('POST', '/rollouts/upgrade/promote')).body['phase'], 'promoted');
  await ask(gateway);
  assert.deepEqual(asked, ['there']);
});

test('a rollout that takes a second person to start begins with its copies when that one agrees', async (context) => {
  const secret = 'sk-fl-admin-key-of-ann-0000000000';
  const { gateway } = await startReleases(
    context,
    { ...MOVED, approval: 'start' },
    { adminKeys: { ann: { role: 'operator', secret } } },
  );
  const asker = await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  assert.equal(asker.body['phase'], 'draft');
  const { body } = await adminClient(gateway.url, secret).must('POST', '/rollouts/upgrade/approve');
  assert.deepEqual([body['phase'], body['weight']], ['shadow', 0]);
});

test('a copy that cannot be said in the candidate’s dialect counts for nothing, and is not rehearsed', async (context) => {
  const anthropic = await startFakeAnthropic();
  context.after(() => anthropic.close());
  const claude = {
    ...{ adapter: 'anthropic', baseUrl: anthropic.url },
    accounts: [{ name: 'main', apiKey: anthropic.apiKey }],
  };
  const upstream = await startRawUpstream((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hi'));
  });
  context.after(upstream.close);
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl }, claude },
    models: { smart: { targets: ['up/old'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'claude/claude-haiku-4-5' },
        ...{ shadow: { share: 1, hold: '10m' }, gates: { p50LatencyRatio: 100 } },
      },
    },
  });
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  await ask(gateway, { n: 2 });
  const untold = (await gateway.calls(2)).find(({ tenant }) => tenant === '(operator)');
  assert.deepEqual([untold?.rollout, untold?.attempts], [undefined, []]);
  await ask(gateway);
  const { gates } = await learned(gateway, 1);
  const errors = (gates as JsonObject[]).find(({ what }) => what === 'errors');
  assert.deepEqual(errors?.['candidate'], { calls: 1, sum: 0 });
  const body = { messages: [{ role: 'user', content: 'say hi' }], n: 2 };
  const { body: made } = await admin.must('POST', '/rollouts/upgrade/rehearsal', { body });
  assert.deepEqual(made, { skipped: 'the candidate cannot be told it' });
});
