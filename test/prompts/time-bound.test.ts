import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TakesTooLong, withinTime } from '../../src/prompts/time-bound.ts';

/** As a machine that does other things: time passes, and no work is done. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

test('work is not given up for the time in which the process stood still', () => {
  let begun = 0;
  const outcome = withinTime(10, () => {
    begun += 1;
    if (begun === 1) standStill(100);
    return 'done';
  });
  assert.deepEqual([outcome, begun], ['done', 2]);
});

function neverEnd(): void {
  for (;;);
}

for (const [what, work] of [
  ['never ends', neverEnd],
  ['never goes on', () => standStill(100)],
] as const) {
  test(`work that ${what} is given up`, () => {
    let begun = 0;
    assert.throws(() => {
      withinTime(20, () => {
        begun += 1;
        work();
      });
    }, TakesTooLong);
    assert.ok(begun <= 3, `${begun} times`);
  });
}

test('what work throws is thrown', () => {
  assert.throws(() => withinTime(10_000, () => assert.fail('by itself')), /by itself/);
});
