import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
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

test('a promotion of other parameters at one target is written, and taken back', async () => {
  const asked: (number | undefined)[] = [];
  const upstream = await startRawUpstream((response, body) => {
    asked.push((JSON.parse(body) as { temperature?: number }).temperature);
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hi'));
  });
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  });
  after(async () => {
    await gateway.stop();
    await upstream.close();
  });
  const admin = adminClient(gateway.url);
  const stable = { target: 'up/one', parameters: { temperature: 0.5 } };
  const candidate = {
    ...{ target: 'up/one', parameters: { temperature: 0 }, timeouts: { firstByte: '20s' } },
    ...{ retires: '2099-12-31', successor: 'up/next' },
  };
  await admin.must('PUT', '/config', {
    models: { smart: { targets: [{ ...stable, weight: 3 }, 'up/other'] } },
    rollouts: { upgrade: { model: 'smart', stable, candidate, steps: [{ weight: 100, hold: '10m' }] } },
  });
  const target = async () => {
    const { body } = await admin.must('GET', '/models/smart');
    return (body['targets'] as unknown[])[0];
  };
  const becomes = async (wanted: unknown) => {
    for (let waited = 0; waited < 200 && !isDeepStrictEqual(await target(), wanted); waited++)
      await sleep(25);
    assert.deepEqual(await target(), wanted);
  };
  const temperature = async () => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const answer = await gateway.post('/v1/chat/completions', { model: 'smart', messages });
    assert.equal(answer.status, 200, await answer.text());
    return asked.at(-1);
  };
  for (let round = 0; round < 2; round++) {
    await admin.must('POST', '/rollouts/upgrade/start');
    assert.equal(await temperature(), 0);
    await admin.must('POST', '/rollouts/upgrade/promote');
    await becomes({ ...candidate, timeouts: { firstByte: '20000ms' }, weight: 3 });
    assert.equal(await temperature(), 0);
    await admin.must('POST', '/rollouts/upgrade/rollback');
    assert.equal(await temperature(), 0.5);
    await becomes({ ...stable, weight: 3 });
    assert.equal(await temperature(), 0.5);
  }
});
