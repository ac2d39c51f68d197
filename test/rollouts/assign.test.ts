import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashOf, percentileOf, stickyKey } from '../../src/rollouts/assign.ts';
import { anyWords } from '../support/any-text.ts';

const USERS = Array.from({ length: 100_000 }, (_, index) =>
  stickyKey({ tenant: 'acme', key: 'app', user: `user-${index}` }),
);

test('over 100,000 users the shares are within half a point, and a growing weight moves users to the candidate alone', () => {
  const places = USERS.map((user) => percentileOf(hashOf('upgrade', user)));
  let before = new Set<number>();
  for (const weight of [1, 10, 25, 50, 99]) {
    const chosen = new Set(places.flatMap((place, user) => (place < weight ? [user] : [])));
    assert.ok(Math.abs(chosen.size / 1_000 - weight) < 0.5, `${chosen.size} at ${weight} %`);
    assert.ok(before.isSubsetOf(chosen), `someone went back at ${weight} %`);
    before = chosen;
  }
});

test('another rollout begins with other users', () => {
  const both = USERS.filter(
    (user) => percentileOf(hashOf('a', user)) < 10 && percentileOf(hashOf('b', user)) < 10,
  );
  assert.ok(Math.abs(both.length / 1_000 - 1) < 0.2, `${both.length}`);
});

test('every key has a place from 0 to 100', () => {
  fc.assert(
    fc.property(anyWords(), anyWords(), (rollout, key) => {
      const place = percentileOf(hashOf(rollout, key));
      assert.ok(place >= 0 && place < 100);
      assert.equal(place, percentileOf(hashOf(rollout, key)));
    }),
  );
});

test('what is sticky is the end user, else the session, else the key, each of its own tenant', () => {
  const of = { tenant: 'acme', key: 'app' };
  const keys = [
    stickyKey({ ...of, user: 'x', session: 'y' }),
    stickyKey({ ...of, session: 'x' }),
    stickyKey(of),
    stickyKey({ ...of, user: 'app' }),
    stickyKey({ ...of, tenant: 'rival', user: 'x' }),
  ];
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(stickyKey({ ...of, user: 'x' }), stickyKey({ ...of, user: 'x', session: 'y', key: 'other' }));
});
