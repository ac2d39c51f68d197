import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { RolloutReport } from '../../src/rollouts/report.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const upstream = await startRawUpstream((response, body) => {
  const { model } = JSON.parse(body) as { model: string };
  response.setHeader('content-type', 'application/json');
  if (model === 'bad') response.writeHead(500).end('{"error":{"message":"broken"}}');
  else response.end(chatAnswer(`of ${model}`));
});
after(upstream.close);

const gateway = await startGateway({
  providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  models: { good: { targets: ['up/old'] }, worse: { targets: ['up/old'], retries: 1 } },
  rollouts: {
    improves: {
      ...{ model: 'good', stable: 'up/old', candidate: 'up/new' },
      steps: [
        { weight: 50, hold: '1ms' },
        { weight: 60, hold: '1h' },
      ],
      gates: { minCalls: 1, p50LatencyRatio: 100, errorRate: 0.5 },
    },
    worsens: {
      ...{ model: 'worse', stable: 'up/old', candidate: 'up/bad' },
      steps: [{ weight: 50, hold: '1h' }],
      gates: { minCalls: 1, p50LatencyRatio: 100 },
    },
  },
});
after(gateway.stop);
const admin = adminClient(gateway.url);

type Evidence = Pick<RolloutReport, 'verdict' | 'why' | 'gates'> & RolloutReport['steps'][number];

async function evidenceOf(kind: string): Promise<Evidence | undefined> {
  for (let waited = 0; waited < 20_000; waited += 50) {
    const { body } = await admin.must('GET', '/events');
    const found = (body['data'] as { kind: string; details: JsonObject }[]).find((one) => one.kind === kind);
    if (found) return found.details['evidence'] as Evidence | undefined;
    await sleep(50);
  }
  assert.fail(`never came: ${kind}`);
}

async function call(model: string): Promise<void> {
  for (let user = 0; user < 30; user++) {
    const messages = [{ role: 'user', content: 'Hi' }];
    const answer = await gateway.post('/v1/chat/completions', { model, user: `u${user}`, messages });
    assert.equal(answer.status, 200, await answer.text());
  }
}

test('a transition is told with what it went by: both sides of the step that it left, with intervals, and the gates', async () => {
  await admin.must('POST', '/rollouts/improves/start');
  assert.equal(await evidenceOf('rollout_canary'), undefined, 'nothing is known of what begins');
  await call('good');
  const stepped = await evidenceOf('rollout_stepping');
  assert.deepEqual([stepped?.verdict, stepped?.step, stepped?.weight], ['kept', 1, 50]);
  assert.ok((stepped?.candidate.calls ?? 0) > 0);
  await admin.must('POST', '/rollouts/improves/promote');
  const promoted = await evidenceOf('rollout_promoted');
  assert.deepEqual([promoted?.step, promoted?.weight], [2, 60]);
  const limited = promoted?.gates.find(({ gate }) => gate === 'errorRate');
  assert.equal(limited?.verdict, 'kept');
  assert.ok(limited.candidate.calls > 0, 'of all its steps');
});

test('a rollback by itself says which gate failed, and by what calls of both sides', async () => {
  await admin.must('POST', '/rollouts/worsens/start');
  await call('worse');
  const evidence = await evidenceOf('rollout_rolled_back');
  assert.equal(evidence?.verdict, 'failed');
  assert.match(evidence.why, /^errors: 100 % of \d+ calls, stable 0 %/);
  const gate = evidence.gates.find(({ verdict }) => verdict === 'failed');
  assert.deepEqual([gate?.what, gate?.candidate.sum], ['errors', gate?.candidate.calls]);
  assert.ok((gate?.stable?.calls ?? 0) > 0);
  const { stable, candidate } = evidence;
  assert.ok(candidate.calls > 0 && stable.calls > 0);
  assert.equal(candidate.rates.error?.share, 1);
  assert.ok(candidate.rates.error.low > 0 && candidate.rates.error.high === 1);
  assert.equal(stable.rates.error?.share, 0);
});

test('what was not told before a kill is told at the next start, once', async (context) => {
  const folder = makeTempDirectory(context);
  const config = {
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { good: { targets: ['up/old'] } },
    rollouts: { lonely: { model: 'good', stable: 'up/old', candidate: 'up/new' } },
  };
  const run = async (deed: (running: typeof gateway) => Promise<unknown>) => {
    const running = await startGateway(config, undefined, { folder });
    await deed(running).finally(running.stop);
  };
  const told = () => {
    const db = new DatabaseSync(join(folder, 'fairlead.db'));
    const rows = db.prepare("select details from events where kind = 'rollout_canary'").all();
    db.close();
    return rows.map(({ details }) => JSON.parse(String(details)) as JsonObject);
  };
  await run((running) => adminClient(running.url).must('POST', '/rollouts/lonely/start'));
  const [first] = told();
  assert.equal(first?.['from'], 'draft');
  // As a kill leaves it between the change and the news of it.
  const db = new DatabaseSync(join(folder, 'fairlead.db'));
  db.exec('delete from events; delete from told_once');
  db.close();
  for (let start = 0; start < 2; start++) {
    await run(async () => undefined);
    const [again, ...more] = told();
    assert.deepEqual([again?.['rollout'], again?.['phase'], more], ['lonely', 'canary', []]);
  }
});
