import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Evidence } from '../../src/rollouts/evidence.ts';
import { addValue, countValues, type Histogram, quantileOf } from '../../src/rollouts/histogram.ts';
import { meanInterval, quantileInterval, shareInterval } from '../../src/rollouts/intervals.ts';
import type { Observation } from '../../src/rollouts/observation.ts';
import { makeReport } from '../../src/rollouts/report.ts';
import { StepTallies } from '../../src/rollouts/step-tallies.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';

describe('a histogram', () => {
  const times = fc.array(fc.double({ min: 0, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 500 });

  test('tells quantiles within four percent, from the first millisecond to a day', () => {
    fc.assert(
      fc.property(times, fc.constantFrom(0.5, 0.95), (values, quantile) => {
        const histogram: Histogram = {};
        for (const value of values) addValue(histogram, value);
        const exact = values.toSorted((a, b) => a - b)[Math.floor(quantile * values.length)] ?? 0;
        const told = quantileOf(histogram, quantile) ?? 0;
        assert.equal(countValues(histogram), values.length);
        if (exact >= 1 && exact < 86_400_000)
          assert.ok(Math.abs(told / exact - 1) <= 0.0401, `${told} for ${exact}`);
        if (exact < 1) assert.ok(told < 1.08);
      }),
    );
  });

  test('takes no more room the more values it holds', () => {
    const random = seeded(1);
    const histogram: Histogram = {};
    for (let count = 0; count < 100_000; count++) addValue(histogram, random() * 10 ** (random() * 9));
    assert.ok(Object.keys(histogram).length <= 241);
    assert.ok(JSON.stringify(histogram).length < 4_096);
  });

  test('of nothing tells nothing', () => assert.equal(quantileOf({}, 0.5), undefined));
});

describe('the interval of a mean', () => {
  /** As costs are: most are small, a few are many times as much. The mean is 1. */
  const amountOf = (random: () => number) => (-Math.log(1 - random())) ** 1.5 / 1.3293;

  test('holds the truth all the time in nineteen of twenty rollouts, though it is looked at after every call', () => {
    const runs = scale({ sample: 200, heavy: 4_000 });
    let missed = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const random = seeded(seed);
      let [sum, squares, most] = [0, 0, 0];
      for (let calls = 1; calls <= 400; calls++) {
        const amount = amountOf(random);
        sum += amount;
        squares += amount * amount;
        most = Math.max(most, amount);
        const interval = meanInterval(calls, sum, { squares, most });
        if (!interval || (interval.low <= 1 && 1 <= interval.high)) continue;
        missed += 1;
        break;
      }
    }
    assert.ok(missed / runs <= 0.05, `${missed} of ${runs}`);
  });

  test('narrows as calls come, and tells nothing of few', () => {
    assert.equal(meanInterval(49, 49, { squares: 98, most: 3 }), undefined);
    const widths = [50, 100, 1_000, 100_000].map((calls) => {
      const { low, high } = meanInterval(calls, calls, { squares: 2 * calls, most: 3 }) ?? assert.fail();
      assert.ok(low <= 1 && 1 <= high);
      return high - low;
    });
    assert.deepEqual(
      widths,
      widths.toSorted((a, b) => b - a),
    );
    assert.ok((widths[2] ?? 1) < 0.25, `${widths}`);
  });

  test('of scores from 0 to 1 is that of a share', () => {
    const runs = scale({ sample: 100, heavy: 2_000 });
    let missed = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const random = seeded(seed);
      let sum = 0;
      for (let calls = 1; calls <= 300; calls++) {
        sum += random() < 0.5 ? 0.2 : 0.9;
        const { low, high } = shareInterval(sum, calls);
        if (low <= 0.55 && 0.55 <= high) continue;
        missed += 1;
        break;
      }
    }
    assert.ok(missed / runs <= 0.05, `${missed} of ${runs}`);
  });
});

describe('the interval of a share', () => {
  test('holds what was seen, and narrows as calls come', () => {
    fc.assert(
      fc.property(fc.nat(2_000), fc.nat(2_000), (happened, others) => {
        const calls = happened + others;
        const { low, high } = shareInterval(happened, calls);
        assert.ok(0 <= low && low <= high && high <= 1);
        if (calls === 0) return;
        assert.ok(low <= happened / calls && happened / calls <= high);
        const later = shareInterval(10 * happened, 10 * calls);
        assert.ok(later.high - later.low < high - low);
      }),
    );
  });

  test('of a share and of its opposite mirror each other', () => {
    const { low, high } = shareInterval(7, 100);
    const opposite = shareInterval(93, 100);
    assert.ok(Math.abs(low + opposite.high - 1) < 1e-9 && Math.abs(high + opposite.low - 1) < 1e-9);
    assert.ok(low > 0.01 && low < 0.05 && high > 0.12 && high < 0.22, `${low} to ${high}`);
  });

  test('holds the truth all the time in nineteen of twenty rollouts, though it is looked at after every call', () => {
    const runs = scale({ sample: 100, heavy: 2_000 });
    let missed = 0;
    for (let seed = 1; seed <= runs; seed++) {
      const random = seeded(seed);
      let happened = 0;
      for (let calls = 1; calls <= 300; calls++) {
        if (random() < 0.1) happened += 1;
        const { low, high } = shareInterval(happened, calls);
        if (low <= 0.1 && 0.1 <= high) continue;
        missed += 1;
        break;
      }
    }
    assert.ok(missed / runs <= 0.05, `${missed} of ${runs}`);
  });
});

describe('the interval of a quantile', () => {
  const draw = {
    'spread values': (random: () => number) => 100 * Math.exp(4 * random()),
    // Of which half are one value.
    'values that are often the same': (random: () => number) => (random() < 0.5 ? 500 : 1_000 * random()),
  };
  const truths = {
    'spread values': { 0.5: 100 * Math.exp(2), 0.95: 100 * Math.exp(3.8) },
    'values that are often the same': { 0.5: 500, 0.95: 900 },
  };
  for (const kind of ['spread values', 'values that are often the same'] as const) {
    for (const quantile of [0.5, 0.95] as const) {
      test(`holds the truth all the time in nineteen of twenty rollouts: ${quantile} of ${kind}`, () => {
        const runs = scale({ sample: 100, heavy: 2_000 });
        let missed = 0;
        for (let seed = 1; seed <= runs; seed++) {
          const random = seeded(seed);
          const histogram: Histogram = {};
          for (let calls = 1; calls <= 300; calls++) {
            addValue(histogram, draw[kind](random));
            const { low, high } = quantileInterval(histogram, quantile);
            const truth = truths[kind][quantile];
            if (low <= truth && (high === null || truth <= high)) continue;
            missed += 1;
            break;
          }
        }
        assert.ok(missed / runs <= 0.05, `${missed} of ${runs}`);
      });
    }
  }

  test('narrows as calls come, and has no end where few calls do not tell of any', () => {
    const histogram: Histogram = {};
    const after = (calls: number) => {
      for (let call = 0; call < calls; call++) addValue(histogram, 1_000 + (call % 100) * 10);
      return { p50: quantileInterval(histogram, 0.5), p95: quantileInterval(histogram, 0.95) };
    };
    const few = after(20);
    assert.equal(few.p95.high, null);
    assert.ok(few.p95.low > 900);
    const many = after(5_000);
    assert.ok(many.p50.low > 1_300 && (many.p50.high ?? 9_999) < 1_700, JSON.stringify(many));
    assert.ok(many.p95.low > 1_750 && (many.p95.high ?? 9_999) < 2_160, JSON.stringify(many));
  });
  test('of nothing is all that there may be', () => {
    assert.deepEqual(quantileInterval({}, 0.5), { low: 0, high: null });
  });
});

const PLAN = {
  steps: [
    { weight: 10, holdMs: 0 },
    { weight: 50, holdMs: 0 },
  ],
  gates: { minCalls: 20 },
};

/** Of every ten calls so many of the candidate fail. */
function observeAll(count: number, failing: number): { evidence: Evidence; tallies: StepTallies } {
  const evidence = new Evidence(PLAN.gates);
  const tallies = new StepTallies();
  tallies.begin(0, 1_000);
  tallies.begin(1, 2_000);
  for (let index = 0; index < count; index++) {
    for (const side of ['stable', 'candidate'] as const) {
      const failed = side === 'candidate' && index % 10 < failing;
      const observation: Observation = { side, failed, timedOut: false };
      if (!failed)
        Object.assign(observation, { latencyMs: 100, costMicroUsd: 50, outputTokens: 7, refused: false });
      evidence.observe(observation);
      tallies.observe({ side }, observation, index % 4 === 0 ? 1_500 : 2_500);
    }
  }
  return { evidence, tallies };
}

function reportOf({ evidence, tallies }: ReturnType<typeof observeAll>) {
  const { candidates, failure } = evidence;
  return makeReport(PLAN, tallies.state, { readings: evidence.readings(), candidates, failure });
}

describe('a report', () => {
  test('tells by step and side what calls came to', () => {
    const { steps } = reportOf(observeAll(40, 1));
    assert.deepEqual(
      steps.map(({ step, weight, stable, candidate }) => [step, weight, stable.calls, candidate.calls]),
      [
        [1, 10, 10, 10],
        [2, 50, 30, 30],
      ],
    );
    const { candidate } = steps[1] ?? assert.fail();
    assert.equal(candidate.rates.error?.calls, 30);
    assert.equal(candidate.rates.error?.share, 1 / 30 + 1 / 30);
    assert.equal(candidate.rates.refusal?.calls, 28, 'of a call that failed it is not known');
    assert.equal(candidate.rates.invalidOutput, null);
    assert.deepEqual(candidate.costMicroUsd, { mean: 50, low: null, high: null, calls: 28 });
    assert.equal(candidate.outputTokens?.mean, 7);
    const { outputTokens: more } = reportOf(observeAll(400, 1)).steps[1]?.candidate ?? assert.fail();
    assert.ok(more?.mean === 7 && (more.low ?? 0) > 6.8 && (more.high ?? 9) < 7.2, JSON.stringify(more));
    assert.ok(Math.abs((candidate.latencyMs?.p95 ?? 0) / 100 - 1) < 0.04);
    const { low, high } = candidate.latencyMs?.p50Interval ?? assert.fail();
    assert.ok(low > 90 && low <= 100 && 100 <= (high ?? 999) && (high ?? 999) < 110, `${low} to ${high}`);
    assert.equal(candidate.firstTokenMs, null);
  });

  test('tells the verdict of each gate, and of all', () => {
    const good = reportOf(observeAll(200, 0));
    assert.equal(good.verdict, 'kept');
    assert.match(good.why, /^200 calls of the candidate/);
    const bad = reportOf(observeAll(200, 3));
    assert.equal(bad.verdict, 'failed');
    assert.match(bad.why, /^errors: 30 % of 200 calls, stable 0 % /);
    const verdictOf = (report: typeof bad, what: string) =>
      report.gates.find((gate) => gate.what === what)?.verdict;
    assert.equal(verdictOf(bad, 'errors'), 'failed');
    assert.equal(verdictOf(bad, 'refusals'), 'kept');
    assert.equal(verdictOf(bad, 'invalid outputs'), 'no_calls');
    const early = reportOf(observeAll(19, 10));
    assert.equal(early.verdict, 'too_few_calls');
    assert.equal(verdictOf(early, 'errors'), 'too_few_calls');
    assert.equal(reportOf(observeAll(0, 0)).verdict, 'no_calls');
    for (const { why } of [...good.gates, ...bad.gates])
      assert.ok(why.length <= 60 && !why.includes('NaN'), why);
  });

  test('does not say that a candidate keeps to gates at which there is nothing of it', () => {
    const known = observeAll(0, 0);
    // Those of a cohort are compared with nobody.
    for (let index = 0; index < 30; index++)
      known.evidence.observe({ side: 'candidate', failed: true, timedOut: false, isByRule: true });
    const { verdict, why } = reportOf(known);
    assert.equal(verdict, 'no_calls');
    assert.equal(why, 'of the 30 calls of the candidate none is compared or held against a limit yet');
  });

  test('is the same after it was written down', () => {
    const { tallies } = observeAll(40, 1);
    const read = new StepTallies(JSON.parse(JSON.stringify(tallies.state)));
    assert.deepEqual(read.state, tallies.state);
    for (const one of [read, tallies]) one.observe({ side: 'stable' }, { failed: true, latencyMs: 3 }, 1_700);
    assert.deepEqual(read.state, tallies.state);
  });

  test('has nothing of a call that began before the rollout did: that was of an earlier one of its name', () => {
    const tallies = new StepTallies();
    tallies.begin(0, 1_000);
    for (const startedAt of [999, 1_000]) tallies.observe({ side: 'stable' }, { failed: false }, startedAt);
    assert.equal(tallies.state[0]?.stable.calls, 1);
    // A step that goes on after a pause began when it began.
    tallies.begin(0, 5_000);
    assert.equal(tallies.state[0]?.since, 1_000);
  });
});
