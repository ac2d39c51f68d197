import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  BUDGETS,
  type Budget,
  checkBudgets,
  checkMore,
  checkStarts,
  MORE_BUDGETS,
  type MoreBudget,
  START_BUDGETS,
} from '../../bench/budgets.ts';
import type { Round, ScenarioResult } from '../../bench/measure/results.ts';
import { SCENARIOS } from '../../bench/scenarios.ts';
import { SUBJECTS } from '../../bench/subjects/all.ts';

const BUDGET: Budget = { scenario: 'call', subject: 'fairlead', against: 'nginx', maxRatio: 4 };

function resultOf(subjects: string[], medianRatio?: number): ScenarioResult {
  const ratios =
    medianRatio === undefined
      ? []
      : [
          {
            subject: 'fairlead',
            against: 'nginx',
            spread: { median: medianRatio, min: 0, max: 99 },
          },
        ];
  return {
    scenario: 'call',
    title: 'Call',
    per: 'call',
    subjects: subjects.map((subject) => ({ subject, rounds: [], failure: undefined })),
    ratios,
  };
}

test('a budget is met up to its ratio and missed above it, by the median', () => {
  const met = (ratio: number) => checkBudgets([BUDGET], [resultOf(['nginx', 'fairlead'], ratio)])[0]?.met;
  assert.equal(met(3.9), true);
  assert.equal(met(4), true);
  assert.equal(met(4.01), false);
});

test('a budget whose subject was asked for and could not be measured is missed', () => {
  const outcomes = checkBudgets([BUDGET], [resultOf(['nginx', 'fairlead'])]);
  assert.deepEqual(outcomes, [{ ...BUDGET, ratio: undefined, met: false }]);
});

test('a budget of a scenario or subject that was not asked for is left out', () => {
  assert.deepEqual(checkBudgets([BUDGET], []), []);
  assert.deepEqual(checkBudgets([BUDGET], [resultOf(['fairlead'])]), []);
});

test('a difference is in its budget up to so many microseconds, by the median of the rounds', () => {
  const budget: MoreBudget = { scenario: 'call', subject: 'prompt', against: 'fairlead', maxUs: 150 };
  const round = (userUsPerUnit: number | undefined): Round => ({
    ...{ calls: 1, units: 1, wallMs: 1, readsPerUnit: 1, userUsPerUnit, systemUsPerUnit: 10 },
    busy: { subject: 1, upstream: 0, load: 0 },
  });
  const outcomeOf = (ours: (number | undefined)[], theirs: number[]) => {
    const subjects = [
      { subject: 'prompt', rounds: ours.map(round), failure: undefined },
      { subject: 'fairlead', rounds: theirs.map(round), failure: undefined },
    ];
    return checkMore([budget], [{ ...resultOf([]), subjects }])[0];
  };
  assert.deepEqual(outcomeOf([200, 900, 210], [50, 60, 70]), { ...budget, moreUs: 150, met: true });
  assert.deepEqual(outcomeOf([201, 900, 221], [50, 60, 70]), { ...budget, moreUs: 151, met: false });
  assert.deepEqual(outcomeOf([undefined], [50]), { ...budget, moreUs: undefined, met: false });
  assert.deepEqual(checkMore([budget], [resultOf(['prompt'])]), []);
});

test('a start is in its budget up to its time, where its subject was asked for', () => {
  const budget = { subject: 'fairlead', maxMs: 3_000 };
  const after = (startMs: number) =>
    checkStarts([budget], ['fairlead'], [{ subject: 'fairlead', startMs }])[0]?.met;
  assert.equal(after(3_000), true);
  assert.equal(after(3_001), false);
  assert.deepEqual(checkStarts([budget], ['fairlead'], []), [{ ...budget, startMs: undefined, met: false }]);
  assert.deepEqual(checkStarts([budget], ['nginx'], []), []);
});

test('every budget names a scenario and subjects that exist', () => {
  const scenarios = SCENARIOS.map(({ name }) => name);
  const subjects = SUBJECTS.map(({ name }) => name);
  for (const { scenario, subject, against } of [...BUDGETS, ...MORE_BUDGETS]) {
    assert.ok(scenarios.includes(scenario), scenario);
    assert.ok(subjects.includes(subject), subject);
    assert.ok(subjects.includes(against), against);
  }
  for (const { subject } of START_BUDGETS) assert.ok(subjects.includes(subject), subject);
});
