import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Turns } from '../../src/control/turns.ts';

function record() {
  const turns = new Turns();
  const told: string[] = [];
  const task = (name: string) => async () => {
    told.push(`${name} begins`);
    await Promise.resolve();
    told.push(`${name} ends`);
    return name;
  };
  return { turns, told, task };
}

test('tasks run one at a time, in their order, and urgent ones before all that wait', async () => {
  const { turns, told, task } = record();
  const answers = await Promise.all([
    turns.run(task('a')),
    turns.run(task('b')),
    turns.run(task('c'), 'urgent'),
    turns.run(task('d'), 'urgent'),
    turns.run(task('e')),
  ]);
  assert.deepEqual(answers, ['a', 'b', 'c', 'd', 'e']);
  const order = ['a', 'c', 'd', 'b', 'e'];
  assert.deepEqual(
    told,
    order.flatMap((name) => [`${name} begins`, `${name} ends`]),
  );
});

test('a task that fails is told to whoever asked, and holds up none', async () => {
  const { turns, task } = record();
  const failed = turns.run(() => Promise.reject(new Error('no')));
  const next = turns.run(task('next'));
  await assert.rejects(failed, /no/);
  assert.equal(await next, 'next');
  assert.equal(await turns.run(task('later')), 'later');
});

test('what is under way is waited for as long as asked', async () => {
  const { turns, task } = record();
  assert.equal(await turns.settle(1_000), true);
  const { promise, resolve } = Promise.withResolvers<void>();
  const long = turns.run(() => promise);
  assert.equal(await turns.settle(1), false);
  resolve();
  void turns.run(task('b'));
  assert.equal(await turns.settle(1_000), true);
  await long;
});
