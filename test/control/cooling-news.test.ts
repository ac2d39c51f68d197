import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlNews } from '../../src/control/control-news.ts';
import { CoolingNews } from '../../src/cooling-news.ts';
import { DEFAULT_BREAKER } from '../../src/routing/breaker.ts';
import { LaneBook } from '../../src/routing/lane-book.ts';
import type { Verdict } from '../../src/routing/verdict.ts';

const LIMITED: Verdict = { next: 'account', again: true, says: 'limited' };

/** A minute for events of one kind does not pass unless it is let to. */
function setUp() {
  let nowMs = 0;
  const events: string[] = [];
  const logged: string[] = [];
  const minutes: (() => void)[] = [];
  const due = new Map<() => void, number>();
  const log = (fields: object) => void logged.push(String((fields as { event: string }).event));
  const news = new ControlNews({
    log: { info: log, warn: log, error: log },
    events: {
      note: (kind, severity, _message, { target, account, forSeconds, untold } = {}) =>
        void events.push(
          [kind, severity, target, account, forSeconds, untold]
            .filter((word) => word !== undefined)
            .join(' '),
        ),
    },
    schedule: (task) => {
      minutes.push(task);
      return () => undefined;
    },
  });
  const cooling = new CoolingNews({
    ...{ news, monotonicMs: () => nowMs },
    schedule: (task, delayMs) => {
      due.set(task, nowMs + delayMs);
      return () => due.delete(task);
    },
  });
  const book = new LaneBook({
    monotonicMs: () => nowMs,
    onCool: (lane, owner) => cooling.begin(lane, owner),
    onRest: (lane, owner) => cooling.begin(lane, owner),
  });
  const find = (target: string, isConfigured = true) =>
    book.find(target, { provider: 'a', account: 'main', options: DEFAULT_BREAKER, isConfigured });
  const limit = (target: string, retryAfterMs: number | undefined, isConfigured = true) =>
    find(target, isConfigured).fail(LIMITED, { nowMs, begunMs: nowMs, retryAfterMs });
  const pass = (untilMs: number) => {
    for (;;) {
      const [first] = [...due].toSorted(([, one], [, other]) => one - other);
      if (!first || first[1] > untilMs) break;
      nowMs = first[1];
      due.delete(first[0]);
      first[0]();
    }
    nowMs = untilMs;
  };
  const passMinute = () => {
    for (const task of minutes.splice(0)) task();
  };
  return { events, logged, limit, pass, passMinute, cooling, due };
}

test('that a place is left alone for a time that its provider named is an event, and so is its end', () => {
  const { events, limit, pass, due } = setUp();
  limit('a/x', 60_000);
  assert.deepEqual(events, ['cooling_began info a/x main 60']);
  pass(59_999);
  assert.equal(events.length, 1);
  pass(60_000);
  assert.deepEqual(events.slice(1), ['cooling_ended info a/x main']);
  assert.equal(due.size, 0);
});

test('a later time that is named meanwhile puts off its end', () => {
  const { events, limit, pass } = setUp();
  limit('a/x', 10_000);
  pass(5_000);
  limit('a/x', 10_000);
  limit('a/x', 2_000);
  pass(14_999);
  assert.equal(events.length, 1);
  pass(15_000);
  assert.deepEqual(events.slice(1), ['cooling_ended info a/x main']);
});

test('that others go first, for a limit without a time, is told alike; one that is named meanwhile puts off its end', () => {
  const { events, limit, pass, passMinute, due } = setUp();
  limit('a/x', undefined);
  limit('a/x', undefined);
  pass(500);
  assert.deepEqual(events, ['cooling_began info a/x main 1', 'cooling_ended info a/x main']);
  passMinute();
  limit('a/x', undefined);
  limit('a/x', 10_000);
  pass(10_499);
  assert.equal(events.length, 3);
  pass(10_500);
  assert.deepEqual(events.slice(3), ['cooling_ended info a/x main']);
  assert.equal(due.size, 0);
});

test('a time that is over at once is none of these', () => {
  const { events, limit, pass, due } = setUp();
  limit('a/x', 0);
  pass(1_000);
  limit('a/x', 0);
  assert.deepEqual([events.length, due.size], [0, 0]);
});

test('one that is limited again and again is in the log each time, and once a minute an event; it hides no other', () => {
  const { events, logged, limit, pass, passMinute } = setUp();
  for (let nth = 0; nth < 5; nth++) {
    limit('a/x', 1_000);
    pass((nth + 1) * 1_000);
  }
  limit('a/y', 2_000);
  assert.equal(logged.length, 11);
  assert.deepEqual(events, [
    'cooling_began info a/x main 1',
    'cooling_ended info a/x main',
    'cooling_began info a/y main 2',
  ]);
  passMinute();
  assert.deepEqual(events.slice(3), ['cooling_began info a/x main 1 3', 'cooling_ended info a/x main 3']);
});

test('targets that callers have named are told of together', () => {
  const { events, limit } = setUp();
  for (let nth = 0; nth < 100; nth++) limit(`a/${nth}`, 60_000, false);
  assert.deepEqual(events, ['cooling_began info a/0 main 60']);
});

test('nothing is told any more once it is closed', () => {
  const { events, limit, pass, cooling } = setUp();
  limit('a/x', 1_000);
  cooling.close();
  pass(10_000);
  assert.equal(events.length, 1);
});
