import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import OpenAI from 'openai';
import { rolloutsCommand } from '../../src/cli/rollouts.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { ADMIN_KEY, startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/** Fails where its model is told to. */
const bad = new Set<string>();
/** Cuts its answers. */
const cutting = new Set<string>();
const upstream = await startRawUpstream((response, body) => {
  const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
  const finish = cutting.has(model) ? 'length' : 'stop';
  if (stream) {
    response.setHeader('content-type', 'text/event-stream');
    response.end(`${chatChunk('Hi')}${chatChunk('', finish)}data: [DONE]\n\n`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  if (bad.has(model)) response.writeHead(500).end('{"error":{"message":"broken"}}');
  else response.end(chatAnswer(`of ${model}`).replace('"stop"', `"${finish}"`));
});
after(upstream.close);

const STEPS = [
  { weight: 10, hold: '1s' },
  { weight: 25, hold: '1s' },
  { weight: 100, hold: '1s' },
];

async function start(rollout: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/old'], retries: 1 } },
    prices: { 'up/*': { input: 1, output: 1 } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new', steps: STEPS },
        ...{ gates: { minCalls: 5, p50LatencyRatio: 100 }, ...rollout },
      },
    },
  });
  after(gateway.stop);
  return gateway;
}

interface Client {
  /** By side, who was on it, and what failed. */
  sides: Map<string, Set<string>>;
  failed: unknown[];
  /** So many more calls have been answered, of those that began by now or later. */
  more(calls: number): Promise<void>;
  stop(): Promise<void>;
}

/** Users that call one after another, with OpenAI's SDK. */
function callInLoop({ url }: TestGateway, users = 200): Client {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const sides = new Map<string, Set<string>>();
  const failed: unknown[] = [];
  let isStopped = false;
  let answered = 0;
  const loop = async (first: number) => {
    for (let user = first; !isStopped; user = (user + 4) % users) {
      try {
        const { response } = await client.chat.completions
          .create({ model: 'smart', messages: [{ role: 'user', content: 'Hi' }], user: `u${user}` })
          .withResponse();
        const side = response.headers.get('x-fairlead-rollout') ?? 'none';
        sides.set(side, (sides.get(side) ?? new Set()).add(`u${user}`));
        answered += 1;
      } catch (error) {
        failed.push(error);
      }
    }
  };
  const loops = [0, 1, 2, 3].map(loop);
  return {
    sides,
    failed,
    more: async (calls) => {
      const until = answered + calls;
      while (answered < until && failed.length === 0) await sleep(10);
    },
    stop: async () => {
      isStopped = true;
      await Promise.all(loops);
    },
  };
}

async function phaseBecomes(gateway: TestGateway, phase: string): Promise<Record<string, unknown>> {
  const admin = adminClient(gateway.url);
  for (let waited = 0; waited < 600; waited++) {
    const { body } = await admin.must('GET', '/rollouts');
    const [rollout] = body['data'] as Record<string, unknown>[];
    if (rollout?.['phase'] === phase) return rollout;
    await sleep(50);
  }
  throw new Error(`the rollout is not ${phase}`);
}

test('a model goes from 10 % to everyone, step by step, and no client notices', async () => {
  const gateway = await start();
  const admin = adminClient(gateway.url);
  const client = callInLoop(gateway);
  await client.more(20);
  assert.deepEqual([...client.sides.keys()], ['none'], 'a draft decides about nothing');
  await admin.must('POST', '/rollouts/upgrade/start');
  await phaseBecomes(gateway, 'promoted');
  // Of those under way some are of the step before.
  await client.more(10);
  client.sides.clear();
  await client.more(50);
  await client.stop();
  assert.deepEqual(client.failed, []);
  assert.deepEqual([...client.sides.keys()], ['upgrade=candidate']);
  const { body } = await admin.must('GET', '/rollouts/upgrade/report');
  const errors = (body['gates'] as { what: string; candidate: { calls: number; sum: number } }[]).find(
    ({ what }) => what === 'errors',
  );
  assert.ok(errors && errors.candidate.calls > 10 && errors.candidate.sum === 0, JSON.stringify(errors));
  const again = await admin.ask('POST', '/rollouts/upgrade/start');
  assert.equal(again.status, 409);
});

test('a candidate that turns bad is out for everyone, its users are answered by the stable all the time', async () => {
  const gateway = await start({
    steps: [
      { weight: 10, hold: '500ms' },
      { weight: 25, hold: '10m' },
    ],
  });
  const client = callInLoop(gateway);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  await phaseBecomes(gateway, 'stepping');
  await client.more(50);
  bad.add('new');
  const { reason } = await phaseBecomes(gateway, 'rolled_back');
  assert.equal((reason as { failure: { what: string } }).failure.what, 'errors');
  await client.more(10);
  client.sides.clear();
  await client.more(50);
  await client.stop();
  bad.delete('new');
  assert.deepEqual(client.failed, []);
  assert.deepEqual([...client.sides.keys()], ['none']);
  const { body } = await adminClient(gateway.url).must('GET', '/events');
  const kinds = (body['data'] as { kind: string }[]).map(({ kind }) => kind);
  assert.ok(kinds.includes('rollout_rolled_back') && kinds.includes('rollout_canary'), kinds.join());
});

test('an end user stays on a side, and goes to the candidate alone', async () => {
  const gateway = await start({
    steps: [
      { weight: 10, hold: '1s' },
      { weight: 50, hold: '10m' },
    ],
  });
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  const client = callInLoop(gateway, 100);
  await phaseBecomes(gateway, 'stepping');
  // Of those under way some are of the step before.
  await client.more(10);
  const early = new Set(client.sides.get('upgrade=candidate'));
  client.sides.clear();
  await client.more(300);
  await admin.must('POST', '/rollouts/upgrade/pause');
  await client.stop();
  const late = client.sides.get('upgrade=candidate') ?? new Set();
  const stayed = client.sides.get('upgrade=stable') ?? new Set();
  assert.ok(early.size > 0 && early.isSubsetOf(late), 'somebody went back');
  assert.ok(late.isDisjointFrom(stayed), 'somebody was on both sides');
  assert.equal((await phaseBecomes(gateway, 'paused'))['weight'], 50);
});

test('a promotion is a revision of the model, a roll back behind it another one', async () => {
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  });
  after(gateway.stop);
  const admin = adminClient(gateway.url);
  const config = {
    models: { smart: { targets: ['up/other', { target: 'up/old', weight: 3 }], strategy: 'weighted' } },
    rollouts: { upgrade: { model: 'smart', stable: 'up/old', candidate: 'up/new' } },
  };
  await admin.must('PUT', '/config', config);
  const targets = async () => {
    const { body } = await admin.must('GET', '/models/smart');
    return (body as { value?: { targets: unknown } }).value?.targets ?? body['targets'];
  };
  const becomes = async (wanted: unknown[]) => {
    for (let waited = 0; waited < 200 && !isDeepStrictEqual(await targets(), wanted); waited++)
      await sleep(25);
    assert.deepEqual(await targets(), wanted);
  };
  await admin.must('POST', '/rollouts/upgrade/start');
  await admin.must('POST', '/rollouts/upgrade/promote');
  await becomes(['up/other', { target: 'up/new', weight: 3 }]);
  await admin.must('POST', '/rollouts/upgrade/rollback');
  await becomes(['up/other', { target: 'up/old', weight: 3 }]);
});

for (const stream of [false, true]) {
  test(`a candidate that cuts its answers is rolled back for that (${stream ? 'streamed' : 'whole'})`, async () => {
    const gateway = await start({ steps: [{ weight: 50, hold: '10m' }] });
    const admin = adminClient(gateway.url);
    await admin.must('POST', '/rollouts/upgrade/start');
    cutting.add('new');
    for (let user = 0; user < 600; user++) {
      const answer = await gateway.post('/v1/chat/completions', {
        ...{ model: 'smart', stream, user: `u${user}` },
        messages: [{ role: 'user', content: 'Hi' }],
      });
      assert.equal(answer.status, 200);
      await answer.text();
      if (answer.headers.get('x-fairlead-rollout') === null) break;
    }
    cutting.delete('new');
    const { reason } = await phaseBecomes(gateway, 'rolled_back');
    assert.equal((reason as { failure: { what: string } }).failure.what, 'answers cut at the token limit');
  });
}

test('status tells by step and side what calls came to, and by gate the verdict', async () => {
  const gateway = await start({ steps: [{ weight: 50, hold: '10m' }] });
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  for (let user = 0; user < 40; user++) {
    const answer = await gateway.post('/v1/chat/completions', {
      ...{ model: 'smart', stream: user % 2 === 0, user: `u${user}` },
      messages: [{ role: 'user', content: 'Hi' }],
    });
    await answer.text();
  }
  let report: JsonObject = {};
  const callsOf = (side: string) =>
    Number((report['steps'] as JsonObject[])[0]?.[side]?.['calls' as never] ?? 0);
  for (let waited = 0; waited < 200; waited++) {
    report = (await admin.must('GET', '/rollouts/upgrade/report')).body;
    if ((report['steps'] as JsonObject[]).length > 0 && callsOf('stable') + callsOf('candidate') === 40)
      break;
    await sleep(25);
  }
  assert.equal(callsOf('stable') + callsOf('candidate'), 40);
  assert.equal(report['verdict'], 'kept');
  const run = async (...args: string[]) => {
    let stdout = '';
    const io = {
      stdout: { write: (text: string) => (stdout += text) },
      stderr: process.stderr,
      env: {},
      cwd: '.',
    };
    const connection = ['--url', gateway.url, '--admin-key', ADMIN_KEY];
    assert.equal(await rolloutsCommand.run(['status', 'upgrade', ...args, ...connection], io), 0);
    return stdout;
  };
  assert.deepEqual(JSON.parse(await run('--json')), report);
  const told = await run();
  assert.match(told, /^verdict: kept: \d+ calls of the candidate show at no gate that it is worse$/m);
  assert.match(
    told,
    /^step +side +calls +p50\/p95 ms \(95 %\) +first token p50\/p95 ms \(95 %\) +USD per call/m,
  );
  const time = String.raw`\d+ \((from \d+|\d+ to \d+)\)`;
  const times = `${time} / ${time}`;
  assert.match(told, new RegExp(`^1 \\(50 %\\) +candidate +\\d+ +${times} +${times} +0\\.00000\\d+`, 'm'));
  assert.match(told, /^errors +compared +kept +\S+ +0 % of \d+ calls, stable 0 %$/m);
  assert.match(told, /^invalid outputs +compared +no calls/m);
});

test('nothing is kept of the calls of a rollout that has ended: nobody would ever learn from them', async (context) => {
  const path = join(makeTempDirectory(context), 'fairlead.db');
  const gateway = await startGateway({
    store: `sqlite:${path}`,
    models: { smart: { targets: ['echo/old'] } },
    rollouts: { upgrade: { model: 'smart', stable: 'echo/old', candidate: 'echo/new' } },
  });
  after(gateway.stop);
  const admin = adminClient(gateway.url);
  const call = async (count: number) => {
    for (let user = 0; user < count; user++) {
      const body = { model: 'smart', user: `u${user}`, messages: [{ role: 'user', content: 'Hi' }] };
      const answer = await gateway.post('/v1/chat/completions', body);
      assert.equal(answer.headers.get('x-fairlead-rollout')?.startsWith('upgrade='), true);
    }
  };
  const waiting = () => {
    const database = new DatabaseSync(path, { readOnly: true });
    const row = database.prepare('select count(*) as calls from rollout_calls').get();
    database.close();
    return row?.['calls'];
  };
  await admin.must('POST', '/rollouts/upgrade/start');
  await call(5);
  await gateway.calls(5);
  // Of one that is paused everything is learned, too.
  await admin.must('POST', '/rollouts/upgrade/pause');
  await call(5);
  await gateway.calls(10);
  for (let waited = 0; waited < 200 && waiting() !== 0; waited++) await sleep(25);
  assert.equal(waiting(), 0, 'a rollout that is paused does not learn');
  await admin.must('POST', '/rollouts/upgrade/promote');
  await call(5);
  await gateway.calls(15);
  assert.equal(waiting(), 0);
});
