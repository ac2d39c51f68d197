import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUDGETS, type Budget, checkBudgets } from '../../bench/budgets.ts';
import { EVERYBODY, SCENARIOS } from '../../bench/scenarios.ts';
import { SUBJECTS } from '../../bench/subjects/all.ts';
import { latencyOf, resultsOf, roundOf } from './results.ts';

const BUDGET: Budget = {
  scenario: 'call-1kb',
  subject: 'fairlead',
  figure: 'cpuUs',
  against: 'nginx',
  atMost: 4,
};

function measured(medianRatio?: number) {
  const spread = { median: medianRatio ?? 0, min: 0, max: 99 };
  const ratios = medianRatio === undefined ? [] : [{ subject: 'fairlead', against: 'nginx', spread }];
  return resultsOf({ subjects: { nginx: [], fairlead: [] }, ratios });
}

test('a budget is met up to its ratio and missed above it, by the median', () => {
  const met = (ratio: number) => checkBudgets([BUDGET], measured(ratio))[0]?.met;
  assert.deepEqual([met(3.9), met(4), met(4.01)], [true, true, false]);
});

test('a budget that something costs others at least is missed below it', () => {
  const { atMost, ...rest } = BUDGET;
  const met = (ratio: number) => checkBudgets([{ ...rest, atLeast: 13 }], measured(ratio))[0]?.met;
  assert.deepEqual([met(12.9), met(13)], [false, true]);
});

test('a budget of a figure itself is held against the median of the rounds', () => {
  const results = resultsOf({ subjects: { fairlead: [roundOf(50), roundOf(60), roundOf(90)] } });
  const { against, ...rest } = BUDGET;
  assert.equal(checkBudgets([{ ...rest, atMost: 60 }], results)[0]?.found, 60);
});

test('a budget of how much more a subject may take is held against the difference', () => {
  const rounds = { fairlead: [roundOf(50), roundOf(60)], 'fairlead-prompt': [roundOf(160), roundOf(180)] };
  const budget: Budget = {
    ...{ scenario: 'call-1kb', subject: 'fairlead-prompt', figure: 'cpuUs', beyond: 'fairlead' },
    atMost: 115,
  };
  const [outcome] = checkBudgets([budget], resultsOf({ subjects: rounds }));
  assert.deepEqual([outcome?.found, outcome?.met], [115, true]);
  assert.deepEqual(checkBudgets([budget], resultsOf({ subjects: { 'fairlead-prompt': [] } })), []);
});

test('added latency is what is above the bare connection in the same round', () => {
  const latencies = [latencyOf('latency-1000', { direct: [0.5, 5, 0.5], fairlead: [0.75, 5.2, 0.9] })];
  const results = { ...resultsOf({}), latencies };
  const budget: Budget = {
    scenario: 'latency-1000',
    subject: 'fairlead',
    figure: 'addedP50Ms',
    atMost: 0.3,
  };
  const [outcome] = checkBudgets([budget], results);
  assert.ok(Math.abs((outcome?.found ?? 0) - 0.25) < 1e-9, String(outcome?.found));
});

test('memory a stream is that of the most streams, and may be held against a peer', () => {
  const freshOf = (subject: string, kbPerStream: number) => ({
    subject,
    startsMs: [400, 300, 350],
    idleMb: 80,
    open: [
      { streams: 1_000, memoryMb: 1, kbPerStream: 1 },
      { streams: 5_000, memoryMb: 1, kbPerStream },
    ],
    failure: undefined,
  });
  const fresh = [
    { scenario: 'fresh', title: 'Fresh', subjects: [freshOf('fairlead', 20), freshOf('portkey', 90)] },
  ];
  const budgetOf = (budget: Partial<Budget>): Budget => {
    return { scenario: 'fresh', subject: 'fairlead', figure: 'kbPerStream', ...budget };
  };
  const outcomes = checkBudgets(
    [
      budgetOf({ atMost: 24 }),
      budgetOf({ subject: 'portkey', against: 'fairlead', atLeast: 4 }),
      budgetOf({ figure: 'startMs', atMost: 375 }),
      budgetOf({ figure: 'idleMb', atMost: 79 }),
    ],
    { ...resultsOf({}), fresh },
  );
  assert.deepEqual(
    outcomes.map(({ found, met }) => [found, met]),
    [
      [20, true],
      [4.5, true],
      [350, true],
      [80, false],
    ],
  );
});

test('a budget whose subject was asked for and could not be measured is missed', () => {
  assert.deepEqual(checkBudgets([BUDGET], measured()), [{ ...BUDGET, found: undefined, met: false }]);
});

test('a budget of a scenario or subject that was not asked for is left out', () => {
  assert.deepEqual(checkBudgets([BUDGET], { ...resultsOf({}), scenarios: [] }), []);
  assert.deepEqual(checkBudgets([BUDGET], resultsOf({ subjects: { fairlead: [] } })), []);
});

test('a start is that of the subject’s own process where the scenario has no fresh ones', () => {
  const results = resultsOf({ subjects: { fairlead: [] } });
  const { against, ...rest } = BUDGET;
  const budget: Budget = { ...rest, figure: 'startMs', atMost: 3_000 };
  const after = (startMs: number) =>
    checkBudgets([budget], { ...results, starts: [{ subject: 'fairlead', startMs }] })[0]?.met;
  assert.deepEqual([after(3_000), after(3_001)], [true, false]);
  assert.equal(checkBudgets([budget], results)[0]?.met, false);
});

test('every budget names a scenario and subjects that it is measured of, and every scenario subjects that exist', () => {
  const known = SUBJECTS.map(({ name }) => name);
  for (const { subjects = EVERYBODY } of SCENARIOS) {
    for (const subject of subjects) assert.ok(known.includes(subject), subject);
  }
  for (const { scenario, subject, against, beyond } of BUDGETS) {
    const row = SCENARIOS.find(({ name }) => name === scenario);
    assert.ok(row, scenario);
    const subjects = row.subjects ?? EVERYBODY;
    assert.ok(subjects.includes(subject), `${scenario} ${subject}`);
    for (const one of [against, beyond])
      assert.ok(one === undefined || subjects.includes(one), `${scenario} ${one}`);
  }
});
