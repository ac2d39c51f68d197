import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ControlNews } from '../../src/control/control-news.ts';
import { tellOverload } from '../../src/tell-problems.ts';

test('events of an overload have all refusals together, however often the log told of them', () => {
  const logged: number[] = [];
  const events: [model: unknown, calls: unknown, untold: unknown][] = [];
  const minutes: (() => void)[] = [];
  const log = (fields: object) => void logged.push((fields as { calls: number }).calls);
  const news = new ControlNews({
    log: { info: log, warn: log, error: log },
    events: {
      note: (kind, severity, _message, { model, calls, untold } = {}) => {
        assert.deepEqual([kind, severity], ['overloaded', 'warning']);
        events.push([model, calls, untold]);
      },
    },
    schedule: (task) => {
      minutes.push(task);
      return () => undefined;
    },
  });
  const refuse = (calls: number, model?: string) => tellOverload(news, { model, calls });
  const passMinute = () => {
    for (const task of minutes.splice(0)) task();
  };
  for (const calls of [1, 49, 50, 50]) refuse(calls);
  refuse(7, 'smart');
  assert.deepEqual(events.splice(0), [
    [null, 1, undefined],
    ['smart', 7, undefined],
  ]);
  passMinute();
  assert.deepEqual(events.splice(0), [[null, 149, undefined]]);
  for (const calls of [20, 30]) refuse(calls);
  news.close();
  assert.deepEqual(events, [[null, 50, undefined]]);
  assert.deepEqual(logged, [1, 49, 50, 50, 7, 20, 30]);
});
