import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Call } from '../../src/gateway/call.ts';
import { RunningCalls } from '../../src/gateway/running-calls.ts';

test('whatever comes and goes, exactly the calls that have come and not gone are running', () => {
  const steps = fc.array(fc.oneof(fc.constant('add' as const), fc.nat()), { maxLength: 200 });
  fc.assert(
    fc.property(steps, (wanted) => {
      const running = new RunningCalls();
      const expected: Call[] = [];
      for (const step of wanted) {
        if (step === 'add') {
          // Only the slot counts here; a whole call would need a whole request.
          const call = { slot: 0 } as Call;
          expected.push(call);
          running.add(call);
        } else {
          const [call] = expected.length > 0 ? expected.splice(step % expected.length, 1) : [];
          if (call) running.remove(call);
        }
        assert.equal(running.size, expected.length);
        assert.deepEqual(new Set(running.list()), new Set(expected));
      }
    }),
  );
});
