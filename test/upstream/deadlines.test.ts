import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines, type Timed } from '../../src/upstream/deadlines.ts';

class Attempt implements Timed {
  dueMs = 0;
  addedMs = 0;
  earlier: Timed | undefined;
  later: Timed | undefined;
  readonly totalMs: number;
  readonly #onExpire: (attempt: Attempt) => void;

  constructor(totalMs: number, onExpire: (attempt: Attempt) => void = () => {}) {
    this.totalMs = totalMs;
    this.#onExpire = onExpire;
  }

  expire(): void {
    this.#onExpire(this);
  }
}

test('whatever begins and ends, what is not done when its time is up expires: once, never early and at most 2 ms late', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const steps = fc.array(
    fc.oneof(
      fc.record({
        add: fc.constantFrom(10, 100, 250),
        agoMs: fc.oneof(fc.constant(0), fc.nat({ max: 300 })),
      }),
      fc.record({ remove: fc.nat() }),
      fc.record({ wait: fc.integer({ min: 1, max: 120 }) }),
    ),
    { maxLength: 100 },
  );
  fc.assert(
    fc.property(steps, (wanted) => {
      let nowMs = 1000;
      const deadlines = new Deadlines(() => nowMs);
      const running = new Set<Attempt>();
      const wait = (ms: number) => {
        for (let passed = 0; passed < ms; passed++) {
          nowMs++;
          t.mock.timers.tick(1);
          for (const { dueMs, addedMs } of running)
            assert.ok(nowMs - Math.max(dueMs, addedMs) < 2, `due at ${dueMs}, now ${nowMs}`);
        }
      };
      const expire = (attempt: Attempt) => {
        assert.ok(nowMs >= attempt.dueMs);
        assert.ok(running.delete(attempt));
      };
      for (const step of wanted) {
        if ('add' in step) {
          const attempt = new Attempt(step.add, expire);
          running.add(attempt);
          attempt.addedMs = nowMs;
          deadlines.add(attempt, nowMs - step.agoMs, step.add);
        } else if ('remove' in step) {
          const attempt = [...running][step.remove % Math.max(1, running.size)];
          if (attempt) deadlines.remove(attempt, attempt.totalMs);
          if (attempt) running.delete(attempt);
        } else wait(step.wait);
      }
      wait(252);
      assert.equal(running.size, 0);
    }),
  );
});

test('what expires may be taken out again, and may be followed by another', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const deadlines = new Deadlines(() => nowMs);
  const expired: string[] = [];
  const second = new Attempt(50, () => expired.push('second'));
  const first = new Attempt(50, (attempt) => {
    expired.push('first');
    deadlines.remove(attempt, 50);
    deadlines.add(second, nowMs, 50);
  });
  deadlines.add(first, 0, 50);
  for (; nowMs < 100; t.mock.timers.tick(1)) nowMs++;
  assert.deepEqual(expired, ['first', 'second']);
});

test('a timer that fires before the time is up is set again', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0.75;
  const deadlines = new Deadlines(() => nowMs);
  let expired = 0;
  deadlines.add(new Attempt(50, () => expired++), nowMs, 50);
  nowMs = 50.5;
  t.mock.timers.tick(50);
  assert.equal(expired, 0);
  nowMs = 51.5;
  t.mock.timers.tick(1);
  assert.equal(expired, 1);
});

test('what had its answer in time does not expire because this process stood still', async (context) => {
  const answering =
    "process.stdin.on('data', () => process.stdout.write('answer')); process.stdout.write('ready')";
  const other = spawn(process.execPath, ['-e', answering], { stdio: ['pipe', 'pipe', 'inherit'] });
  context.after(() => other.kill());
  await once(other.stdout, 'data');
  const deadlines = new Deadlines(() => performance.now());
  let expired = 0;
  const attempt = new Attempt(300, () => {
    expired += 1;
  });
  const answered = once(other.stdout, 'data');
  answered.then(() => deadlines.remove(attempt, 300));
  other.stdin.write('question');
  deadlines.add(attempt, performance.now(), 300);
  // The question is on its way; then everything stands still, as in a container without its share of the processor.
  await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_500);
  await answered;
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(expired, 0);
});
