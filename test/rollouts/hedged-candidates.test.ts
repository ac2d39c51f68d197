import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

/** Long beside what a busy machine adds to every call: an overtaken call is to be seen to take twice as long. */
const ANSWER_MS = 80;

test('a candidate that hedges overtake is as slow as they show it, and is rolled back for that', async () => {
  let isSlow = false;
  const upstream = await startRawUpstream((response, body) => {
    const { model } = JSON.parse(body) as { model: string };
    const timer = setTimeout(
      () => {
        response.setHeader('content-type', 'application/json');
        response.end(chatAnswer(`of ${model}`));
      },
      isSlow && model === 'new' ? 5_000 : ANSWER_MS,
    );
    response.on('close', () => clearTimeout(timer));
  });
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/old'], hedging: { percentile: 50, maxShare: 1 } } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        steps: [{ weight: 50, hold: '10m' }],
      },
    },
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const admin = adminClient(gateway.url);
  let users = 0;
  const call = async () => {
    const body = { model: 'smart', user: `u${users++}`, messages: [{ role: 'user', content: 'Hi' }] };
    const answer = await gateway.post('/v1/chat/completions', body);
    assert.equal(answer.status, 200, await answer.text());
    return answer.headers.get('x-fairlead-rollout');
  };
  // When calls are slow is learned first.
  for (let round = 0; round < 25; round++) await Promise.all([call(), call(), call(), call()]);
  await admin.must('POST', '/rollouts/upgrade/start');
  isSlow = true;
  let side: string | null = '';
  for (let round = 0; round < 150 && side !== null; round++)
    [side = ''] = await Promise.all([call(), call(), call(), call()]);
  assert.equal(side, null, 'it is not rolled back');
  const { body } = await admin.must('GET', '/rollouts');
  const [rollout] = body['data'] as unknown as { reason: { failure: { what: string } } }[];
  assert.equal(rollout?.reason.failure.what, 'p50 latency');
  const overtaken = (await gateway.calls()).filter(({ rollout }) => rollout?.flags.includes('overtaken'));
  assert.ok(overtaken.length > 0, 'no hedge has overtaken it');
  assert.ok(overtaken.every(({ rollout }) => rollout?.side === 'candidate'));
});
