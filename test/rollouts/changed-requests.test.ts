import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway } from '../support/gateway.ts';

const KEYS = { ann: 'sk-fl-admin-key-of-ann-0000000000', bob: 'sk-fl-admin-key-of-bob-0000000000' };

test('what is asked of a second person is the rollout as it was then: once that is changed, it is to be asked anew', async (context) => {
  const gateway = await startGateway({
    adminKeys: {
      ann: { role: 'operator', secret: KEYS.ann },
      bob: { role: 'operator', secret: KEYS.bob },
    },
  });
  context.after(gateway.stop);
  const [ann, bob] = [adminClient(gateway.url, KEYS.ann), adminClient(gateway.url, KEYS.bob)];
  const path = '/rollouts/upgrade';
  const standing = async () => (await bob.must('GET', path)).body['standing'] as JsonObject;
  const approve = async () => {
    const { status, body } = await bob.ask('POST', `${path}/approve`);
    return [status, body.error?.code];
  };
  const steps = [{ weight: 100, hold: '1s' }];
  await ann.must('POST', '/models', { name: 'smart', targets: ['echo/old'] });
  await ann.must('PUT', path, {
    ...{ model: 'smart', stable: 'echo/old', candidate: 'echo/new', approval: 'required' },
    ...{ steps, gates: { minCalls: 1 } },
  });
  for (const change of [
    { steps: [{ weight: 1, hold: '1s' }, ...steps] },
    { cohort: { percentage: 100 } },
    { gates: { minCalls: 1, errorRate: 0.9 } },
    { onFail: 'pause' },
    { shadow: { share: 1 } },
  ]) {
    await ann.must('POST', `${path}/start`);
    await ann.must('PATCH', path, change);
    assert.equal((await standing())['approval'], null, JSON.stringify(change));
    assert.deepEqual(await approve(), [409, 'nothing_to_approve'], JSON.stringify(change));
  }
  await ann.must('PATCH', path, { steps, shadow: null, cohort: null });
  await ann.must('POST', `${path}/start`);
  // What is written otherwise and means the same changes nothing.
  await ann.must('PATCH', path, { steps: [{ hold: '1000ms', weight: 100 }] });
  assert.deepEqual(await approve(), [200, undefined]);

  await ann.must('POST', `${path}/promote`);
  await ann.must('PATCH', path, { gates: { minCalls: 1, costRatio: 9 } });
  assert.deepEqual(await approve(), [409, 'nothing_to_approve']);
  await ann.must('POST', `${path}/promote`);
  assert.deepEqual(await approve(), [200, undefined]);
  assert.equal((await standing())['phase'], 'promoted');
});
