import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RepeatedLook } from '../../src/store/repeated-look.ts';

function setUp() {
  const due: (() => void)[] = [];
  const failures: unknown[] = [];
  const looks: PromiseWithResolvers<void>[] = [];
  const look = new RepeatedLook({
    look: () => {
      const one = Promise.withResolvers<void>();
      looks.push(one);
      return one.promise;
    },
    everyMs: 500,
    onFailure: (error) => failures.push(error),
    schedule: (task, delayMs) => {
      assert.equal(delayMs, 500);
      due.push(task);
      return () => due.splice(due.indexOf(task), 1);
    },
  });
  const settle = async (end: (one: PromiseWithResolvers<void>) => void) => {
    due.shift()?.();
    const one = looks.at(-1);
    if (one) end(one);
    await new Promise(setImmediate);
  };
  return { look, due, failures, looks, settle };
}

test('looks follow each other, and one that fails is told once until one goes well', async () => {
  const { look, due, failures, looks, settle } = setUp();
  look.start();
  await settle(({ reject }) => reject('away'));
  await settle(({ reject }) => reject('away'));
  await settle(({ resolve }) => resolve());
  await settle(({ reject }) => reject('away again'));
  assert.deepEqual(failures, ['away', 'away again']);
  assert.deepEqual([looks.length, due.length], [4, 1]);
});

test('a stop waits for the look that is under way, and there is no other', async () => {
  const { look, due, looks } = setUp();
  look.start();
  due.shift()?.();
  let isStopped = false;
  const stopping = look.stop().then(() => {
    isStopped = true;
  });
  await new Promise(setImmediate);
  assert.equal(isStopped, false);
  looks[0]?.resolve();
  await stopping;
  await new Promise(setImmediate);
  assert.equal(due.length, 0);
});
