import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

type Answer = (response: ServerResponse, asked: { model: string; text: string; count: number }) => unknown;

const fail = (response: ServerResponse, status: number) =>
  response
    .writeHead(status, { 'content-type': 'application/json' })
    .end(JSON.stringify({ error: { message: 'no' } }));

const answer: Answer = (response, { model }) =>
  response.writeHead(200, { 'content-type': 'application/json' }).end(chatAnswer(`of ${model}`));

/** `count`: of the requests to its model so far. */
async function start(context: TestContext, act: Answer, rollout: object, model: object = {}) {
  const counts = new Map<string, number>();
  const upstream = await startRawUpstream((response, text) => {
    const { model } = JSON.parse(text) as { model: string };
    const count = (counts.get(model) ?? 0) + 1;
    counts.set(model, count);
    act(response, { model, text, count });
  });
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/old'], ...model } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        ...{ steps: [{ weight: 50, hold: '10m' }], gates: { p50LatencyRatio: 100 } },
        ...rollout,
      },
    },
  });
  context.after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const ask = async (user: string, content = 'Hi', options: OpenAI.RequestOptions = {}) => {
    const messages = [{ role: 'user' as const, content }];
    const asked = client.chat.completions.create({ model: 'smart', user, messages }, options);
    return (await asked.withResponse()).response.headers.get('x-fairlead-rollout');
  };
  const report = async () => (await admin.must('GET', '/rollouts/upgrade/report')).body as unknown as Report;
  const rollouts = async () => {
    const { body } = await admin.must('GET', '/rollouts');
    return (body['data'] as unknown as Standing[])[0];
  };
  const notes = async () => (await gateway.calls()).map(({ rollout }) => rollout);
  return { ask, report, rollouts, notes };
}

interface Standing {
  phase: string;
  reason?: { failure?: { what: string } };
}

type Sides = Record<
  'stable' | 'candidate',
  { calls: number; rates: Record<string, { share: number } | null> }
>;

interface Report {
  verdict: string;
  steps: (Sides & { byRule?: Sides })[];
}

test('a candidate is asked once where the stable is asked again: the first attempts of both are compared', async (context) => {
  // One of ten fails, at either, and the next one is answered.
  const act: Answer = (response, asked) =>
    asked.count % 10 === 0 ? fail(response, 500) : answer(response, asked);
  const { ask, report, rollouts, notes } = await start(context, act, {}, { retries: 2 });
  for (let user = 0; user < 300; user++) await ask(`u${user}`);
  assert.equal((await rollouts())?.phase, 'canary');
  await sleep(1_500);
  const [step] = (await report()).steps;
  for (const side of ['stable', 'candidate'] as const) {
    const share = step?.[side].rates['error']?.share ?? 0;
    assert.ok(share > 0.05 && share < 0.15, `${side}: ${share}`);
  }
  // What the stable makes of a call that the candidate failed tells whose doing that is.
  for (const note of await notes()) {
    const told = note?.flags.filter((flag) => flag === 'stood_in' || flag === 'next_failed').length;
    assert.equal(told, note?.side === 'candidate' && note.flags.includes('failed') ? 1 : 0);
  }
});

test('what nobody answers counts against nobody, whoever is asked', async (context) => {
  const act: Answer = (response, asked) => {
    if (asked.text.includes('poison')) return fail(response, asked.text.includes('breaks') ? 500 : 400);
    return answer(response, asked);
  };
  const gates = { errorRate: 0.02, p50LatencyRatio: 100 };
  const { ask, rollouts, notes } = await start(context, act, { gates }, { retries: 1 });
  // Not so many that a target would be taken for one that is down.
  for (let user = 0; user < 100; user++) {
    await ask(`u${user}`);
    if (user % 3 === 0) await ask(`p${user % 7}`, 'poison').catch(() => {});
    if (user % 25 === 24) await ask(`p${user}`, 'poison that breaks it').catch(() => {});
  }
  await sleep(1_000);
  assert.equal((await rollouts())?.phase, 'canary');
  const all = await notes();
  const unsaid = all.filter((note) => note?.flags.includes('unsaid'));
  assert.deepEqual(new Set(unsaid.map((note) => note?.side)), new Set(['stable', 'candidate']));
  assert.ok(all.every((note) => !note?.flags.includes('failed')));
  for (const { side, flags } of unsaid.flatMap((note) => note ?? []))
    assert.equal(flags.includes('next_failed'), side === 'candidate');
});

test('what another target of the model answers is no evidence of the stable', async (context) => {
  const act: Answer = (response, asked) =>
    asked.model === 'other' ? fail(response, 500) : answer(response, asked);
  const model = {
    strategy: 'weighted',
    targets: [
      { target: 'up/old', weight: 1 },
      { target: 'up/other', weight: 1 },
    ],
  };
  const { ask, notes } = await start(context, act, {}, model);
  for (let user = 0; user < 60; user++) await ask(`u${user}`);
  const stable = (await notes()).filter((note) => note?.side === 'stable');
  const unsaid = stable.filter((note) => note?.flags.includes('unsaid'));
  assert.ok(unsaid.length > 0 && unsaid.length < stable.length, `${unsaid.length} of ${stable.length}`);
  assert.ok(stable.every((note) => !note?.flags.includes('failed')));
});

test('a candidate that hangs is rolled back though no client waits for it', async (context) => {
  const act: Answer = (response, asked) => (asked.model === 'old' ? answer(response, asked) : undefined);
  const gates = { minCalls: 5 };
  const { ask, rollouts, notes } = await start(context, act, { gates });
  let side: string | null = '';
  for (let round = 0; round < 200 && side !== null; round++) {
    const users = Array.from({ length: 8 }, (_, place) => `u${round * 8 + place}`);
    const sides = await Promise.all(
      users.map((user) => ask(user, 'Hi', { timeout: 500 }).catch(() => 'left')),
    );
    side = sides.includes(null) ? null : '';
  }
  const { reason } = (await rollouts()) ?? {};
  assert.equal(reason?.failure?.what, 'p50 latency');
  const left = (await notes()).filter((note) => note?.flags.includes('left'));
  assert.ok(left.length > 0);
  assert.ok(left.every((note) => note?.side === 'candidate'));
});

test('a cohort is told apart from those who have the candidate by chance', async (context) => {
  const act: Answer = (response, asked) => {
    if (!asked.text.includes('slow')) return answer(response, asked);
    return setTimeout(() => answer(response, asked), 150);
  };
  const rollout = { cohort: { header: { 'x-canary': '1' } }, gates: { p50LatencyRatio: 1.1 } };
  const { ask, report, rollouts } = await start(context, act, rollout);
  for (let round = 0; round < 15; round++) {
    const canaries = Array.from({ length: 8 }, (_, place) =>
      ask(`c${round * 8 + place}`, 'slow', { headers: { 'x-canary': '1' } }),
    );
    for (const side of await Promise.all(canaries)) assert.equal(side, 'upgrade=candidate');
    await Promise.all(Array.from({ length: 4 }, (_, place) => ask(`u${round * 4 + place}`)));
  }
  await sleep(1_500);
  assert.equal((await rollouts())?.phase, 'canary');
  const [step] = (await report()).steps;
  assert.equal(step?.byRule?.candidate.calls, 120);
  assert.equal((step?.stable.calls ?? 0) + (step?.candidate.calls ?? 0), 60);
});
