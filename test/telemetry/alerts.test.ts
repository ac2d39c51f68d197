import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { z } from 'zod';
import { alertsSchema } from '../../src/config/sections/alerts.ts';
import { Alerts } from '../../src/telemetry/alerts.ts';
import { OPERATOR } from '../../src/usage/operator.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { makeRecord } from '../support/usage-records.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

const START = Date.UTC(2026, 10, 23, 12);
const MINUTE = 60_000;

type Written = z.input<typeof alertsSchema>;

/** Alerts on a clock that stands still, and what they tell. */
function openAlerts(written: Written) {
  const time = new VirtualSchedule();
  const now = () => START + time.nowMs;
  let rules = alertsSchema.parse(written);
  const told: string[] = [];
  const details: object[] = [];
  const alerts = new Alerts({
    ...{ now, schedule: time.schedule },
    rules: () => rules,
    tell: (severity, kind, message, more) => {
      told.push(`${severity} ${kind} ${message}`);
      details.push(more);
    },
  });
  alerts.start();
  const calls = (count: number, more: Partial<UsageRecord> = {}) => {
    const latencyMs = more.latencyMs ?? 100;
    const startedAt = now() - latencyMs;
    alerts.observe(Array.from({ length: count }, () => makeRecord({ startedAt, latencyMs, ...more })));
  };
  const fail = (count: number, more: Partial<UsageRecord> = {}) =>
    calls(count, { outcome: 'upstream_unavailable', ...more });
  /** A minute after the other, each with the same calls. */
  const minutes = async (count: number, each: () => void) => {
    for (let minute = 0; minute < count; minute += 1) {
      each();
      await time.advance(MINUTE);
    }
  };
  const configure = (next: Written) => {
    rules = alertsSchema.parse(next);
  };
  return { time, alerts, told, details, calls, fail, minutes, configure };
}

test('an error rate is raised once, and cleared when it was well below for a while', async () => {
  const { told, details, calls, fail, minutes, alerts } = openAlerts({
    errors: { errorRate: 0.1, over: '5m', clearAfter: '3m' },
  });
  await minutes(5, () => calls(20));
  assert.deepEqual(told, []);
  await minutes(3, () => {
    calls(15);
    fail(5);
  });
  assert.deepEqual(told, [
    "alarm alert_raised The alert 'errors' is raised: 10 % of 100 calls failed within 300 s, the threshold is 10 %.",
  ]);
  assert.deepEqual(details, [
    { alert: 'errors', metric: 'errorRate', value: 0.1, threshold: 0.1, calls: 100, overSeconds: 300 },
  ]);
  await minutes(5, () => calls(20));
  assert.equal(told.length, 1, 'it is not below four fifths of the threshold for three minutes yet');
  await minutes(3, () => calls(20));
  assert.equal(told.length, 2);
  assert.match(told[1] ?? '', /^info alert_cleared The alert 'errors' is cleared: 0 % of \d+ calls failed/);
  alerts.stop();
  assert.equal(told.length, 2);
});

test('a rate that goes up and down around its threshold is told once', async () => {
  const { told, calls, fail, minutes } = openAlerts({
    errors: { errorRate: 0.1, over: '1m', clearAfter: '2m' },
  });
  let minute = 0;
  await minutes(60, () => {
    minute += 1;
    // 9 % is below the threshold, and not below four fifths of it.
    const failed = minute % 2 === 0 ? 9 : 11;
    calls(100 - failed);
    fail(failed);
  });
  assert.deepEqual(
    told.map((text) => text.split(' ')[1]),
    ['alert_raised'],
  );
});

test('a latency that goes up and down around its threshold is told once', async () => {
  const { told, calls, minutes } = openAlerts({
    slow: { p95Latency: '1s', over: '1m', clearAfter: '2m' },
  });
  let minute = 0;
  await minutes(40, () => {
    minute += 1;
    calls(100);
    // For half of the time the threshold is not met, and the p95 is not below four fifths of it.
    calls(10, { latencyMs: minute < 20 ? 1_100 : 900 });
  });
  const kinds = () => told.map((text) => text.split(' ')[1]);
  assert.deepEqual(kinds(), ['alert_raised']);
  await minutes(5, () => {
    calls(100);
    calls(10, { latencyMs: 700 });
  });
  assert.deepEqual(kinds(), ['alert_raised', 'alert_cleared']);
});

test('what the gateway calls of its own accord raises nothing but what is spent', async () => {
  const { told, fail, calls, minutes } = openAlerts({
    errors: { errorRate: 0.05, minCalls: 20 },
    slow: { p95Latency: '1s', minCalls: 20 },
    spent: { spendUsd: 1, over: '5m' },
  });
  const own = { tenant: OPERATOR, costMicroUsd: 20_000 };
  await minutes(1, () => {
    fail(30, own);
    calls(30, { ...own, latencyMs: 5_000 });
  });
  assert.deepEqual(
    told.map((text) => text.split(' ', 5).join(' ')),
    ["alarm alert_raised The alert 'spent'"],
  );
});

test('few calls raise nothing', async () => {
  const { told, fail, minutes } = openAlerts({ errors: { errorRate: 0.05, minCalls: 20 } });
  await minutes(1, () => fail(19));
  assert.deepEqual(told, []);
  await minutes(1, () => fail(1));
  assert.equal(told.length, 1);
});

test('mistakes of callers, their limits and their leaving are no failures', async () => {
  const { told, calls, minutes } = openAlerts({ errors: { errorRate: 0.05, minCalls: 20 } });
  await minutes(10, () => {
    calls(10);
    for (const outcome of ['invalid_request', 'rate_limited', 'cancelled', 'upstream_rejected'] as const)
      calls(20, { outcome });
  });
  assert.deepEqual(told, []);
});

test('an alert is cleared when the calls stop', async () => {
  const { told, fail, minutes, time } = openAlerts({
    errors: { errorRate: 0.5, over: '5m', clearAfter: '2m' },
  });
  await minutes(1, () => fail(30));
  assert.equal(told.length, 1);
  await time.advance(10 * MINUTE);
  assert.equal(told.length, 2);
});

test('latency: one call in twenty as slow as the threshold raises it; failed calls do not count', async () => {
  const { told, calls, fail, minutes } = openAlerts({ slow: { p95Latency: '10s', severity: 'warning' } });
  await minutes(2, () => {
    calls(96, { latencyMs: 900 });
    calls(4, { latencyMs: 30_000 });
    fail(50, { latencyMs: 60_000 });
  });
  assert.deepEqual(told, []);
  await minutes(1, () => calls(12, { latencyMs: 10_000 }));
  assert.deepEqual(told, [
    "warning alert_raised The alert 'slow' is raised: 9.43 % of 212 calls took 10 s or longer within 300 s, the threshold is 5 %.",
  ]);
});

test('the first output of streams has a rule of its own', async () => {
  const { told, calls, minutes } = openAlerts({ first: { p95FirstToken: '2s' } });
  await minutes(1, () => {
    calls(100, { firstTokenMs: null, latencyMs: 9_000 });
    calls(30, { firstTokenMs: 2_500 });
  });
  assert.equal(told.length, 1);
});

test('spend is raised as soon as it is reached, and is for the tenants and models that are named', async () => {
  const { told, calls, minutes } = openAlerts({
    acme: { spendUsd: 10, over: '1h', tenants: ['acme'], models: ['sm*'], clearAfter: '10m' },
  });
  const dollar = { costMicroUsd: 1_000_000 };
  await minutes(3, () => {
    calls(3, { ...dollar, tenant: 'acme', model: 'smart' });
    calls(50, { ...dollar, tenant: 'beta', model: 'smart' });
    calls(50, { ...dollar, tenant: 'acme', model: 'large' });
  });
  assert.deepEqual(told, []);
  await minutes(1, () => calls(1, { ...dollar, tenant: 'acme', model: 'smart' }));
  assert.deepEqual(told, [
    "alarm alert_raised The alert 'acme' is raised: 10 calls cost $10 within 3600 s, the threshold is $10.",
  ]);
  await minutes(80, () => undefined);
  assert.match(told[1] ?? '', /alert_cleared/);
});

test('a rule that is changed or taken away while it is raised is cleared; others keep what they know', async () => {
  const errors = { errorRate: 0.5 };
  const { told, fail, minutes, configure } = openAlerts({ errors, same: errors });
  await minutes(1, () => fail(30));
  assert.equal(told.length, 2);
  configure({ errors: { errorRate: 0.9 }, same: { ...errors } });
  await minutes(1, () => undefined);
  assert.deepEqual(told.slice(2), [
    "info alert_cleared The alert 'errors' is cleared: its rule is another one, or gone.",
  ]);
});

test('a stop clears what is raised: nobody else would', async () => {
  const { told, fail, minutes, alerts, time } = openAlerts({ errors: { errorRate: 0.5 } });
  await minutes(1, () => fail(30));
  alerts.stop();
  assert.match(told[1] ?? '', /cleared: the instance stops/);
  await time.advance(60 * MINUTE);
  assert.equal(told.length, 2);
});
