import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GrowingIds } from '../../src/store/growing-ids.ts';

const ID = /^req_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const START = Date.UTC(2026, 10, 28);

function timeOf(id: string): number {
  const [, high = '', low = ''] = ID.exec(id) ?? [];
  return Number.parseInt(high + low, 16);
}

function make(count: number, ids: GrowingIds): string[] {
  return Array.from({ length: count }, () => ids.next());
}

test('an id is a UUID of version 7 that says when it was made', () => {
  let now = START;
  const ids = new GrowingIds(() => now, 'req_');
  for (const step of [0, 0, 1, 7, 1_000, 86_400_000]) {
    now += step;
    const id = ids.next();
    assert.match(id, ID);
    assert.equal(timeOf(id), now);
  }
});

test('ids grow, also within a millisecond, where more are made than it has, and while the clock falls behind a little', () => {
  let calls = 0;
  const ids = new GrowingIds(() => START + Math.floor(calls++ / 5_000) * 2 - (calls % 3), 'req_');
  const made = make(20_000, ids);
  assert.deepEqual(made, made.toSorted());
  assert.equal(new Set(made).size, made.length);
  for (const id of made) assert.match(id, ID);
});

test('a clock that is set back is believed, and no id comes twice', () => {
  let now = START;
  const ids = new GrowingIds(() => now, 'req_');
  const made = make(5_000, ids);
  now -= 3_600_000;
  assert.equal(timeOf(ids.next()), now);
  now = START;
  made.push(...make(5_000, ids));
  assert.equal(new Set(made).size, made.length);
});

test('two processes make different ids in the same milliseconds', () => {
  const now = () => START;
  const made = [...make(4_096, new GrowingIds(now, 'req_')), ...make(4_096, new GrowingIds(now, 'req_'))];
  assert.equal(new Set(made).size, made.length);
});
