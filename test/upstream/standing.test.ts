import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Standing } from '../../src/upstream/standing.ts';

function createStanding(options: ConstructorParameters<typeof Standing>[1] = { mayBeToken: false }) {
  const clock = { now: 1_000_000 };
  return { clock, standing: new Standing(() => clock.now, options) };
}

test('a rejected credential is out at once; after a pause one call at a time probes it', () => {
  const { clock, standing } = createStanding();
  assert.deepEqual([standing.isOut, standing.mayTry()], [false, true]);
  assert.equal(standing.reject(), true);
  assert.deepEqual([standing.isOut, standing.mayTry()], [true, false]);
  clock.now += 9_999;
  assert.equal(standing.mayTry(), false);
  clock.now += 1;
  assert.equal(standing.isOut, false);
  assert.deepEqual([standing.mayTry(), standing.mayTry()], [true, false]);
});

test('a probe that fails is no news, and the pause doubles up to ten minutes', () => {
  const { clock, standing } = createStanding();
  standing.reject();
  const pauses: number[] = [];
  for (let probe = 0; probe < 8; probe++) {
    const since = clock.now;
    while (!standing.mayTry()) clock.now += 1_000;
    pauses.push((clock.now - since) / 1_000);
    assert.equal(standing.reject(), false);
  }
  assert.deepEqual(pauses, [10, 20, 40, 80, 160, 320, 600, 600]);
});

test('a probe that goes well is news, and the next rejection begins anew', () => {
  const { clock, standing } = createStanding();
  standing.reject();
  clock.now += 10_000;
  standing.mayTry();
  assert.equal(standing.accept(), 'accepted');
  assert.deepEqual([standing.isOut, standing.watched, standing.mayTry()], [false, false, true]);
  assert.equal(standing.reject(), true);
  clock.now += 10_000;
  assert.equal(standing.mayTry(), true);
});

test('the first rejection of what has access tokens may be the token’s; the second in a row is not', () => {
  const { standing } = createStanding({ mayBeToken: true });
  assert.deepEqual([standing.reject(), standing.isOut], [false, false]);
  assert.equal(standing.accept(), undefined);
  assert.deepEqual([standing.reject(), standing.isOut], [false, false]);
  assert.deepEqual([standing.reject(), standing.isOut], [true, true]);
});

test('a credential on trial gets its share of the calls, evenly', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), (percent) => {
      const { standing } = createStanding({
        mayBeToken: false,
        trial: { share: percent / 100, proveAfter: 1e6 },
      });
      let taken = 0;
      for (let call = 1; call <= 100; call++) {
        if (standing.trial?.takesCall()) taken += 1;
        assert.ok(Math.abs(taken - (call * percent) / 100) < 1 + 1e-6);
      }
      assert.equal(taken, percent);
    }),
  );
});

test('it is proven once, after so many calls, and then has all', () => {
  const { standing } = createStanding({ mayBeToken: false, trial: { share: 0.5, proveAfter: 3 } });
  assert.deepEqual(
    [1, 2, 3, 4].map(() => standing.accept()),
    [undefined, undefined, 'proven', undefined],
  );
  assert.deepEqual(
    [1, 2, 3].map(() => standing.trial?.takesCall()),
    [true, true, true],
  );
});

test('one rejection ends a trial for good', () => {
  const { clock, standing } = createStanding({ mayBeToken: false, trial: { share: 0.5, proveAfter: 3 } });
  assert.deepEqual([standing.reject(), standing.reject()], [true, false]);
  clock.now += 86_400_000;
  assert.deepEqual([standing.isOut, standing.mayTry(), standing.accept()], [true, false, undefined]);
});
