import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  LimitTest,
  MeanComparison,
  QuantileComparison,
  ScoreComparison,
  ScoreLimitTest,
  ShareComparison,
  type Side,
} from '../../src/rollouts/comparisons.ts';
import { scale } from '../support/scale.ts';
import { seeded } from '../support/seeded.ts';

/** How often a true hypothesis is rejected at this bound is at most one in a hundred, by the theory. */
const BOUND = Math.log(100);
const RUNS = scale({ sample: 5, heavy: 1_000 });
const CALLS = 1_500;
/** None of the five of a sample. */
const MOST_MISTAKES = scale({ sample: 0, heavy: 0.01 });

interface Simulated {
  /** Of all calls, the candidate's. */
  weight: number;
  observe(side: Side, random: () => number): void;
  readonly log: number;
}

/** The candidate's calls until there is evidence; `undefined` where there is none in time. */
function callsUntilEvidence(seed: number, make: () => Simulated): number | undefined {
  const random = seeded(seed);
  const simulated = make();
  for (let candidates = 0; candidates < CALLS; ) {
    const side = random() < simulated.weight ? 'candidate' : 'stable';
    simulated.observe(side, random);
    if (side === 'stable') continue;
    candidates += 1;
    if (simulated.log > BOUND) return candidates;
  }
  return undefined;
}

function runs(make: () => Simulated): { rejected: number; median: number } {
  const ends = Array.from({ length: RUNS }, (_, seed) => callsUntilEvidence(seed + 1, make));
  const found = ends.filter((end) => end !== undefined).toSorted((a, b) => a - b);
  return {
    rejected: found.length / RUNS,
    median: found[Math.floor(found.length / 2)] ?? Number.POSITIVE_INFINITY,
  };
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const logNormal = (random: () => number, spread: number) => Math.exp(spread * normal(random));

function shares(weight: number, stable: number, candidate: number): () => Simulated {
  return () => {
    const comparison = new ShareComparison(0.02);
    return {
      weight,
      observe: (side, random) =>
        comparison.observe(side, random() < (side === 'stable' ? stable : candidate)),
      get log() {
        return comparison.log;
      },
    };
  };
}

function amounts(weight: number, comparison: MeanComparison | QuantileComparison, factor: number): Simulated {
  return {
    weight,
    observe: (side, random) =>
      comparison.observe(side, logNormal(random, 0.6) * (side === 'stable' ? 1 : factor)),
    get log() {
      return comparison.log;
    },
  };
}

describe('shares', () => {
  for (const weight of [0.01, 0.1, 0.5, 0.9]) {
    test(`that are the same are hardly ever taken for others (candidate ${weight})`, () => {
      for (const share of [0.001, 0.01, 0.2]) {
        assert.ok(runs(shares(weight, share, share)).rejected <= MOST_MISTAKES, `${share}`);
        assert.ok(runs(shares(weight, share, share / 2)).rejected <= MOST_MISTAKES, `better: ${share}`);
      }
    });
  }
  for (const weight of [0.01, 0.1]) {
    test(`of errors that are four points more are found (candidate ${weight})`, (t) => {
      const { rejected, median } = runs(shares(weight, 0.01, 0.05));
      t.diagnostic(`${rejected} after ${median}`);
      assert.ok(rejected > 0.99);
      assert.ok(median <= 300);
    });
  }
});
for (const [name, make] of [
  ['means', () => new MeanComparison(1.1)],
  ['medians', () => new QuantileComparison(0.5, 1.1)],
] as const) {
  describe(name, () => {
    test('that are the same are hardly ever taken for others', () => {
      for (const weight of [0.01, 0.5])
        assert.ok(runs(() => amounts(weight, make(), 1)).rejected <= MOST_MISTAKES);
    });
    test('that are half as much again are found', (t) => {
      for (const weight of [0.01, 0.1, 0.5]) {
        const { rejected, median } = runs(() => amounts(weight, make(), 1.5));
        t.diagnostic(`${weight}: ${rejected} after ${median}`);
        assert.ok(rejected > 0.99);
        assert.ok(median <= 300);
      }
    });
  });
}
/** Thumbs: most scores are one of both ends. */
function thumb(random: () => number, mean: number): number {
  return random() < 0.2 ? mean : random() < mean ? 1 : 0;
}

function scores(weight: number, stable: number, candidate: number): () => Simulated {
  return () => {
    const comparison = new ScoreComparison();
    return {
      weight,
      observe: (side, random) =>
        comparison.observe(side, thumb(random, side === 'stable' ? stable : candidate)),
      get log() {
        return comparison.log;
      },
    };
  };
}

describe('scores', () => {
  test('that are the same, or higher, are hardly ever taken for lower', () => {
    for (const weight of [0.01, 0.5, 0.9]) {
      for (const mean of [0.1, 0.5, 0.9]) {
        assert.ok(runs(scores(weight, mean, mean)).rejected <= MOST_MISTAKES, `${weight} ${mean}`);
        assert.ok(runs(scores(weight, mean, mean + 0.05)).rejected <= MOST_MISTAKES, `better: ${mean}`);
      }
    }
  });
  test('that are a fifth lower are found', (t) => {
    for (const weight of [0.01, 0.1, 0.5]) {
      const { rejected, median } = runs(scores(weight, 0.8, 0.6));
      t.diagnostic(`${weight}: ${rejected} after ${median}`);
      assert.ok(rejected > 0.99);
      assert.ok(median <= 300);
    }
  });
  test('are held against a limit', (t) => {
    const limited = (mean: number) => (): Simulated => {
      const limit = new ScoreLimitTest(0.7);
      return {
        weight: 1,
        observe: (_, random) => limit.observe(thumb(random, mean)),
        get log() {
          return limit.log;
        },
      };
    };
    assert.ok(runs(limited(0.7)).rejected <= MOST_MISTAKES);
    const { rejected, median } = runs(limited(0.5));
    t.diagnostic(`${rejected} after ${median}`);
    assert.ok(rejected > 0.99);
    assert.ok(median <= 300);
  });
});

describe('limits', () => {
  test('that are kept are hardly ever taken for missed, one that is not kept is found', (t) => {
    const limited = (share: number) => (): Simulated => {
      const limit = new LimitTest(0.02);
      return {
        weight: 1,
        observe: (_, random) => limit.observe(random() < share),
        get log() {
          return limit.log;
        },
      };
    };
    assert.ok(runs(limited(0.02)).rejected <= MOST_MISTAKES);
    const { rejected, median } = runs(limited(0.06));
    t.diagnostic(`${rejected} after ${median}`);
    assert.ok(rejected > 0.99);
  });
});

describe('what is known is stored whenever it is looked at', () => {
  const makers: Record<
    string,
    (state?: never) => { observe(side: Side, value: never): void; state: object; log: number }
  > = {
    shares: (state) => new ShareComparison(0.02, state),
    quantiles: (state) => new QuantileComparison(0.5, 1.1, state),
    means: (state) => new MeanComparison(1.1, state),
    scores: (state) => new ScoreComparison(state),
  };
  for (const [name, make] of Object.entries(makers)) {
    test(`${name}: however few calls come in between, it comes to the same`, () => {
      const random = seeded(7);
      const whole = make();
      let stored = make();
      for (let call = 0; call < 300; call++) {
        const side = random() < 0.5 ? 'stable' : 'candidate';
        const value = name === 'shares' ? random() < 0.3 : random() * (side === 'stable' ? 1 : 2);
        whole.observe(side, value as never);
        stored.observe(side, value as never);
        stored = make(JSON.parse(JSON.stringify(stored.state)) as never);
      }
      assert.deepEqual(stored.state, whole.state);
      assert.equal(stored.log, whole.log);
      assert.ok(whole.log !== 0, 'nothing was learned');
    });
  }
});
