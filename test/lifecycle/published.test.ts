import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DAY_MS, dayOf } from '../../src/config/days.ts';
import { announce } from '../../src/lifecycle/announce.ts';
import type { Retiring } from '../../src/lifecycle/list-retiring.ts';
import {
  PUBLISHED_LISTS,
  publishedRetirement,
  targetRetirement,
} from '../../src/lifecycle/published-retirements.ts';

const DAY = /^20\d\d-\d\d-\d\d$/;

for (const [adapter, { source, asOf, rows }] of Object.entries(PUBLISHED_LISTS)) {
  test(`the list of ${adapter} has real days, in order, and each name once`, () => {
    assert.match(source, /^https:\/\//);
    assert.match(asOf, DAY);
    const names = rows.flatMap(([models]) => models);
    assert.deepEqual(names, [...new Set(names)]);
    for (const [[first = ''], announcedOn, retiresOn] of rows) {
      assert.equal(dayOf(Date.parse(retiresOn)), retiresOn, first);
      if (announcedOn !== undefined) assert.ok(announcedOn <= retiresOn && DAY.test(announcedOn), first);
    }
  });

  test(`successors of ${adapter} lead somewhere: to a model that nothing is known of, or that is taken away later`, () => {
    for (const [[first = ''], , retiresOn, successor] of rows) {
      if (successor === undefined) continue;
      const next = publishedRetirement(adapter, adapter, successor);
      assert.notEqual(successor, first);
      assert.ok(next === undefined || dayOf(next.atMs) >= retiresOn, `${first} to ${successor}`);
    }
  });
}

test('only the very name is known, and what the configuration says of a target goes first', () => {
  const target = { provider: 'mine', model: 'gpt-5-mini' };
  assert.deepEqual(targetRetirement('openai', target), {
    atMs: Date.parse('2026-12-11'),
    announcedMs: Date.parse('2026-06-11'),
    successor: 'mine/gpt-6.1-terra',
    source: 'https://developers.openai.com/api/docs/deprecations',
  });
  assert.equal(targetRetirement('openai', { ...target, model: 'gpt-5-mini-x' }), undefined);
  assert.equal(targetRetirement('vllm', target), undefined);
  assert.equal(targetRetirement('openai', { ...target, retires: 'never' }), undefined);
  assert.deepEqual(targetRetirement('vllm', { ...target, retires: 5, successor: 'mine/x' }), {
    atMs: 5,
    source: 'configuration',
    successor: 'mine/x',
  });
});

const AT = Date.parse('2027-01-31');
const retiring: Retiring = {
  ...{ kind: 'target', name: 'openai/old', atMs: AT, successor: 'openai/new', source: 'configuration' },
  models: ['smart'],
};

for (const [leftDays, stage, severity] of [
  [91, undefined, ''],
  [90, 90, 'info'],
  [31, 90, 'info'],
  [30, 30, 'warning'],
  [7, 7, 'warning'],
  [1, 1, 'warning'],
  [0.5, 1, 'warning'],
  [0, 0, 'alarm'],
  [-400, 0, 'alarm'],
] as const) {
  test(`so many days ahead a retirement is told as that of stage ${stage}: ${leftDays}`, () => {
    const due = announce(retiring, AT - leftDays * DAY_MS);
    assert.equal(due?.key, stage === undefined ? undefined : `retires:target:openai/old:2027-01-31:${stage}`);
    if (due) assert.equal(due.notice.severity, severity);
  });
}

test('a warning says what, when, where to and whom it concerns', () => {
  const { notice } = announce(retiring, AT - 29.5 * DAY_MS) ?? assert.fail();
  assert.equal(
    notice.message,
    "The target 'openai/old' is retired by its provider on 2027-01-31, in 30 days. Its successor is 'openai/new'. On it: smart.",
  );
});
