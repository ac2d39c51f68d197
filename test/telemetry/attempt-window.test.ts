import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptWindow, HEALTH_WINDOW_MS } from '../../src/telemetry/attempt-window.ts';
import type { AttemptRecord, CallOutcome } from '../../src/usage/record.ts';
import { makeRecord } from '../support/usage-records.ts';

const START = Date.UTC(2026, 10, 23, 12);

/** A window on a clock that stands still. */
function openWindow() {
  const clock = { now: START };
  const window = new AttemptWindow({ isModel: () => true, isTarget: () => true }, () => clock.now);
  const add = (outcome: CallOutcome, more: Partial<AttemptRecord> = {}) => {
    const made = { target: 'openai/gpt', account: 'main', startedAfterMs: 0, durationMs: 0, status: 200 };
    window.observe([makeRecord({ startedAt: clock.now, attempts: [{ ...made, outcome, ...more }] })]);
  };
  const recent = () => [...window.all()].find(({ target }) => target === 'openai/gpt')?.recent;
  return { clock, window, add, recent };
}

test('attempts of the last five minutes count, and the last success and failure stay', () => {
  const { clock, add, recent } = openWindow();
  add('ok');
  add('upstream_timeout', { status: null, reason: 'first_byte_timeout' });
  clock.now += HEALTH_WINDOW_MS / 2;
  add('ok');
  const lastFailure = { at: START, outcome: 'upstream_timeout', status: null, reason: 'first_byte_timeout' };
  const lastSuccessAt = START + HEALTH_WINDOW_MS / 2;
  assert.deepEqual(recent(), { attempts: 3, failures: 1, lastSuccessAt, lastFailure });
  clock.now = START + HEALTH_WINDOW_MS;
  assert.deepEqual(recent(), { attempts: 1, failures: 0, lastSuccessAt, lastFailure });
  clock.now += HEALTH_WINDOW_MS;
  assert.deepEqual(recent(), { attempts: 0, failures: 0, lastSuccessAt, lastFailure });
});

test('what the caller is to blame for says nothing of a provider', () => {
  const { add, recent } = openWindow();
  add('upstream_rejected', { status: 400 });
  add('cancelled');
  assert.equal(recent(), undefined);
});

test('records come in late, as from a store that was away: they count at their own time', () => {
  const { clock, window, add, recent } = openWindow();
  add('ok');
  clock.now += 2 * HEALTH_WINDOW_MS;
  const late = { target: 'openai/gpt', account: 'main', startedAfterMs: 0, durationMs: 0, status: 500 };
  const outcome = 'upstream_unavailable';
  window.observe([makeRecord({ startedAt: START + 1, attempts: [{ ...late, outcome }] })]);
  assert.equal(recent()?.attempts, 0);
  assert.equal(recent()?.lastFailure?.at, START + 1);
});
