import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabaseInTurn, type TestDatabase } from '../support/databases.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';

async function start(database: TestDatabase, context: TestContext, gates: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    store: await database.makeUrl(context),
    models: { smart: { targets: ['echo/old'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'echo/old', candidate: 'echo/new' },
        ...{ steps: [{ weight: 50, hold: '10m' }], gates: { p50LatencyRatio: 100, ...gates } },
      },
    },
  });
  context.after(gateway.stop);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  return gateway;
}

/** A user calls; gives the call and its side. */
async function call(gateway: TestGateway, user: string): Promise<{ id: string; side: string | undefined }> {
  const body = { model: 'smart', user, messages: [{ role: 'user', content: 'Hi' }] };
  const answer = await gateway.post('/v1/chat/completions', body);
  assert.equal(answer.status, 200, await answer.text());
  const side = answer.headers.get('x-fairlead-rollout')?.split('=')[1];
  return { id: answer.headers.get('x-request-id') ?? '', side };
}

async function score(gateway: TestGateway, body: object): Promise<void> {
  const answer = await gateway.post('/v1/feedback', body);
  assert.ok(answer.ok, await answer.text());
}

interface Report extends JsonObject {
  phase: string;
  reason: { failure: { gate: string; what: string } };
  gates: {
    gate: string;
    what: string;
    candidate: { calls: number; sum: number };
    stable: { calls: number };
  }[];
  steps: { stable: JsonObject; candidate: JsonObject }[];
}

async function reportBecomes(
  { url }: TestGateway,
  isSo: (report: Report) => boolean,
  within = 10_000,
): Promise<Report> {
  let report: Report | undefined;
  for (let waited = 0; waited < within; waited += 50) {
    report = (await adminClient(url).must('GET', '/rollouts/upgrade/report')).body as unknown as Report;
    if (isSo(report)) return report;
    await sleep(50);
  }
  assert.fail(JSON.stringify(report));
}

type Feedback = { score: number; calls: number; low: number; high: number } | null | undefined;

/** What was learned of both sides. */
function feedbackOf({ steps: [step] }: Report): Feedback[] {
  return [step?.stable, step?.candidate].map((side) => side?.['feedback'] as Feedback);
}

function scoredOf(report: Report): number {
  return feedbackOf(report).reduce((sum, feedback) => sum + (feedback?.calls ?? 0), 0);
}

function meansOf(report: Report): (number | undefined)[] {
  return feedbackOf(report).map((feedback) => feedback?.score);
}

onEachDatabaseInTurn((database) => {
  test('a candidate whose answers are liked less is rolled back for that', async (context) => {
    const gateway = await start(database, context);
    let isBack = false;
    for (let user = 0; user < 600 && !isBack; user += 4) {
      const round = [0, 1, 2, 3].map(async (more) => {
        const { id, side } = await call(gateway, `u${user + more}`);
        if (side) await score(gateway, { call: id, score: side === 'candidate' ? 0.1 : 0.9 });
        else isBack = true;
      });
      await Promise.all(round);
    }
    const { reason } = await reportBecomes(gateway, ({ phase }) => phase === 'rolled_back');
    assert.deepEqual([reason.failure.gate, reason.failure.what], ['compared', 'feedback scores']);
  });

  test('each call that is scored is learned from once, whatever is said of it how often', async (context) => {
    const gateway = await start(database, context, { minFeedbackScore: 0.2 });
    const calls = await Promise.all(Array.from({ length: 12 }, (_, user) => call(gateway, `u${user}`)));
    const scored = calls.slice(0, 10);
    for (const { id } of scored) {
      await score(gateway, { call: id, score: 1 });
      await score(gateway, { call: id, score: true, name: 'solved' });
    }
    const first = await reportBecomes(gateway, (report) => scoredOf(report) === scored.length);
    assert.deepEqual(meansOf(first), [1, 1]);
    const candidates = scored.filter(({ side }) => side === 'candidate').length;
    const held = first.gates.find(({ gate }) => gate === 'minFeedbackScore');
    assert.deepEqual(held?.candidate, { calls: candidates, sum: candidates });
    // What is known is known; what is said later is kept with the call.
    for (const { id } of scored) {
      await score(gateway, { call: id, score: 0 });
      await score(gateway, { call: id, score: 0, name: 'later' });
    }
    const last = calls[10]?.id;
    await score(gateway, { call: last ?? '', score: 1 });
    const second = await reportBecomes(gateway, (report) => scoredOf(report) > scored.length);
    assert.equal(scoredOf(second), scored.length + 1);
    assert.deepEqual(meansOf(second), [1, 1]);
  });

  test('what is said of the calls of an earlier rollout of its name, or of one that has ended, is not learned', async (context) => {
    const gateway = await start(database, context);
    const admin = adminClient(gateway.url);
    const early = await call(gateway, 'u1');
    await admin.must('POST', '/rollouts/upgrade/rollback');
    await score(gateway, { call: early.id, score: 0 });
    await sleep(5);
    await admin.must('POST', '/rollouts/upgrade/start');
    await score(gateway, { call: early.id, score: 0, name: 'again' });
    const late = await call(gateway, 'u2');
    await score(gateway, { call: late.id, score: 1 });
    const report = await reportBecomes(gateway, (told) => scoredOf(told) > 0);
    assert.equal(scoredOf(report), 1);
    const told = feedbackOf(report)[late.side === 'stable' ? 0 : 1];
    assert.deepEqual([told?.score, told?.calls, told?.high], [1, 1, 1]);
    assert.ok((told?.low ?? 1) < 0.1, 'of one call little is known');
  });
});
