import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlNews } from '../../src/control/control-news.ts';
import type { BreakerState } from '../../src/routing/breaker.ts';
import type { LaneChange } from '../../src/routing/lane-book.ts';
import { tellBreaker } from '../../src/tell-problems.ts';

function makeNews() {
  const events: string[] = [];
  const logged: string[] = [];
  const due: (() => void)[] = [];
  const log = (fields: object) => void logged.push(String((fields as { event: string }).event));
  const news = new ControlNews({
    log: { info: log, warn: log, error: log },
    events: {
      note: (kind, severity, _message, { target, account, untold } = {}) =>
        void events.push(
          [kind, severity, target ?? account, untold].filter((word) => word !== undefined).join(' '),
        ),
    },
    schedule: (task) => {
      due.push(task);
      return () => undefined;
    },
  });
  const tell = (before: BreakerState, state: BreakerState, change: Partial<LaneChange> = {}) =>
    tellBreaker(news, {
      ...{ target: 'a/x', provider: 'a', account: 'main', isNamed: false, opensUntil: 0 },
      ...{ before, state, ...change },
    });
  const passMinute = () => {
    for (const task of due.splice(0)) task();
  };
  return { events, logged, tell, passMinute };
}

test('every change of a breaker is an event', () => {
  const { events, tell } = makeNews();
  tell('closed', 'open');
  tell('open', 'half-open');
  tell('half-open', 'open');
  tell('half-open', 'closed');
  assert.deepEqual(events, [
    'breaker_opened warning a/x',
    'breaker_half_open info a/x',
    'breaker_reopened info a/x',
    'breaker_closed info a/x',
  ]);
});

test('a breaker that flaps is in the log each time, and once a minute an event; it hides no other', () => {
  const { events, logged, tell, passMinute } = makeNews();
  for (let nth = 0; nth < 5; nth++) {
    tell('closed', 'open');
    tell('half-open', 'closed');
  }
  tell('closed', 'open', { target: 'b/y', provider: 'b' });
  tell('closed', 'open', { target: undefined, provider: 'b' });
  tell('closed', 'open', { target: undefined, provider: 'c' });
  assert.equal(logged.length, 13);
  assert.deepEqual(events, [
    'breaker_opened warning a/x',
    'breaker_closed info a/x',
    'breaker_opened warning b/y',
    'breaker_opened warning main',
    'breaker_opened warning main',
  ]);
  passMinute();
  assert.deepEqual(events.slice(5), ['breaker_opened warning a/x 3', 'breaker_closed info a/x 3']);
});

test('targets that callers have named are told of together', () => {
  const { events, tell, passMinute } = makeNews();
  for (let nth = 0; nth < 100; nth++) tell('closed', 'open', { target: `a/${nth}`, isNamed: true });
  passMinute();
  assert.deepEqual(events, ['breaker_opened warning a/0', 'breaker_opened warning a/99 98']);
});
