import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InFlight, type Placed } from '../../src/usage/in-flight.ts';

test('whatever comes and goes, exactly those are in flight that have come and not gone', () => {
  const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat()), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (wanted) => {
      const inFlight = new InFlight<Placed>();
      const expected: Placed[] = [];
      for (const step of wanted) {
        if (step === 'add') {
          const one = { slot: 0 };
          expected.push(one);
          inFlight.add(one);
        } else {
          const [one] = expected.length > 0 ? expected.splice(step % expected.length, 1) : [];
          if (one) inFlight.remove(one);
        }
        assert.equal(inFlight.size, expected.length);
        assert.deepEqual(new Set(inFlight.list()), new Set(expected));
      }
    }),
  );
});
