import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RestartPause } from '../../src/workers/restart-pause.ts';

test('a worker that dies once is replaced at once; where one after another dies soon, the pause grows to half a minute', () => {
  const pause = new RestartPause();
  const soon = Array.from({ length: 9 }, () => pause.next(1_000));
  assert.deepEqual(soon, [0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.equal(pause.next(60_000), 0, 'one that lived did not die of its start');
  assert.equal(pause.next(59_999), 0);
  assert.equal(pause.next(59_999), 500);
});
