import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

test('a release that differs in its parameters alone is compared with the one before, and gives way to it', async () => {
  const upstream = await startRawUpstream((response, body) => {
    const { temperature } = JSON.parse(body) as { temperature?: number };
    response.setHeader('content-type', 'application/json');
    if (temperature === undefined) response.end(chatAnswer('plain'));
    else response.writeHead(400).end('{"error":{"message":"Unsupported parameter: temperature"}}');
  });
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/one'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/one' },
        candidate: { target: 'up/one', parameters: { temperature: 0 } },
        steps: [{ weight: 50, hold: '10m' }],
        gates: { p50LatencyRatio: 100 },
      },
    },
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  let side: string | null = '';
  for (let user = 0; user < 400 && side !== null; user++) {
    const body = { model: 'smart', user: `u${user}`, messages: [{ role: 'user', content: 'Hi' }] };
    const answer = await gateway.post('/v1/chat/completions', body);
    assert.equal(answer.status, 200, await answer.text());
    side = answer.headers.get('x-fairlead-rollout');
  }
  assert.equal(side, null, 'it is not rolled back');
  const notes = (await gateway.calls()).flatMap(({ rollout }) => rollout ?? []);
  const failed = (of: string) => notes.filter((note) => note.side === of && note.flags.includes('failed'));
  const all = (of: string) => notes.filter((note) => note.side === of);
  assert.deepEqual(failed('stable'), []);
  assert.equal(failed('candidate').length, all('candidate').length);
  assert.ok(all('stable').length > 5, 'the stable has its calls, too');
});
