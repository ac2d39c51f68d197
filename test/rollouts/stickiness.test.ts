import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';
import { scale } from '../support/scale.ts';

const USERS = scale({ sample: 600, heavy: 20_000 });
/** Four standard deviations of a share of so many. */
const STRAY = 4 * Math.sqrt(0.25 / USERS);

test('real calls: a weight that rises moves users to the candidate alone, those of another rollout are others, a cohort’s share is a floor', async (context) => {
  const gateway = await startGateway();
  context.after(gateway.stop);
  const admin = adminClient(gateway.url);
  const configure = (weight: number, percentage: number) => {
    const steps = [{ weight, hold: '10h' }];
    const gates = { p50LatencyRatio: 100 };
    return admin.must('PUT', '/config', {
      models: { one: { targets: ['echo/old'] }, two: { targets: ['echo/old'] } },
      rollouts: {
        first: { model: 'one', stable: 'echo/old', candidate: 'echo/new', steps, gates },
        second: {
          ...{ model: 'two', stable: 'echo/old', candidate: 'echo/new', steps, gates },
          cohort: { percentage },
        },
      },
    });
  };
  const isCandidate = async (model: string, user: number) => {
    const body = { model, user: `user-${user}`, messages: [{ role: 'user', content: 'Hi' }] };
    const answer = await gateway.post('/v1/chat/completions', body);
    await answer.arrayBuffer();
    const side = answer.headers.get('x-fairlead-rollout') ?? '';
    assert.match(side, /^(?:first|second)=(?:stable|candidate)$/);
    return side.endsWith('=candidate');
  };
  const candidatesOf = async (model: string) => {
    const chosen = new Set<number>();
    for (let first = 0; first < USERS; first += 8) {
      const some = Array.from({ length: Math.min(8, USERS - first) }, (_, index) => first + index);
      const are = await Promise.all(some.map((user) => isCandidate(model, user)));
      for (const [index, user] of some.entries()) if (are[index]) chosen.add(user);
    }
    return chosen;
  };
  const isNear = (share: number, wanted: number) =>
    assert.ok(Math.abs(share - wanted) < STRAY, `${share} instead of ${wanted}`);

  await configure(10, 40);
  for (const name of ['first', 'second']) await admin.must('POST', `/rollouts/${name}/start`);
  await sleep(100);
  const early = await candidatesOf('one');
  const floor = await candidatesOf('two');
  await configure(25, 20);
  await sleep(100);
  const late = await candidatesOf('one');
  const other = await candidatesOf('two');
  isNear(early.size / USERS, 0.1);
  isNear(late.size / USERS, 0.25);
  isNear(floor.size / USERS, 0.4);
  isNear(other.size / USERS, 0.25);
  assert.ok(early.isSubsetOf(late), 'somebody went back');
  isNear(late.intersection(other).size / USERS, 0.25 * 0.25);
});
