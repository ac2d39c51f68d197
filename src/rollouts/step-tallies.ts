import type { Side, Tally } from './comparisons.ts';
import { addValue, type Histogram } from './histogram.ts';
import type { Spread } from './intervals.ts';
import { FLAGS, type Flag, type Values, type Whose } from './observation.ts';

/** What is told as quantiles; what is told as a mean. */
const TIMES = ['latencyMs', 'firstTokenMs'] as const satisfies readonly (keyof Values)[];
export const MEANS = ['costMicroUsd', 'outputTokens', 'score'] as const satisfies readonly (keyof Values)[];

/** What the calls of one side came to, in as much room however many there were. What is known of no call is left out. */
export interface SideTally {
  calls: number;
  /** Of how many calls it is known, and in how many it happened. */
  shares: Partial<Record<Flag, Tally>>;
  times: Partial<Record<(typeof TIMES)[number], Histogram>>;
  /** Of how many calls it is known, and the sum. */
  means: Partial<Record<(typeof MEANS)[number], MeanTally>>;
}

export interface MeanTally extends Tally {
  /** How far they lie apart; absent where that was not counted from the beginning. */
  spread?: Spread;
}

export interface StepTally {
  /** The place among the steps, from 0. */
  step: number;
  /** Unix milliseconds: when it began. */
  since: number;
  stable: SideTally;
  candidate: SideTally;
  /** Of calls whose side is none of chance: they are compared with nobody. Absent where there are none. */
  byRule?: Record<Side, SideTally>;
}

/** What the calls of each step and side came to, kept with the evidence. */
export class StepTallies {
  readonly #steps: StepTally[];

  constructor(state: readonly StepTally[] = []) {
    this.#steps = structuredClone([...state]);
  }

  get state(): StepTally[] {
    return structuredClone(this.#steps);
  }

  /** A step is under way, since then; one that goes on after a pause began before. */
  begin(step: number, since: number): void {
    if (this.#steps.some((one) => one.step === step)) return;
    this.#steps.push({ step, since, stable: noCalls(), candidate: noCalls() });
  }

  /** What is known of a call; its score is told by itself. */
  observe({ side, isByRule }: Whose, values: Values, startedAt: number): void {
    const step = this.#steps.findLast(({ since }) => startedAt >= since);
    if (!step) return;
    if (isByRule) step.byRule ??= { stable: noCalls(), candidate: noCalls() };
    const tally = (isByRule && step.byRule ? step.byRule : step)[side];
    if (values.score === undefined) tally.calls += 1;
    for (const flag of FLAGS) {
      const happened = values[flag];
      if (happened !== undefined) tally.shares[flag] = addTo(tally.shares[flag], happened ? 1 : 0);
    }
    for (const time of TIMES) {
      const value = values[time];
      if (value === undefined) continue;
      tally.times[time] ??= {};
      addValue(tally.times[time], value);
    }
    for (const mean of MEANS) {
      const value = values[mean];
      if (value !== undefined) tally.means[mean] = addToMean(tally.means[mean], value);
    }
  }
}

function noCalls(): SideTally {
  return { calls: 0, shares: {}, times: {}, means: {} };
}

function addTo(tally: Tally | undefined, value: number): Tally {
  return { calls: (tally?.calls ?? 0) + 1, sum: (tally?.sum ?? 0) + value };
}

function addToMean(tally: MeanTally | undefined, value: number): MeanTally {
  const added: MeanTally = addTo(tally, value);
  // What is known of some calls alone says nothing of all.
  if (tally && !tally.spread) return added;
  const { squares, most } = tally?.spread ?? { squares: 0, most: 0 };
  return { ...added, spread: { squares: squares + value * value, most: Math.max(most, value) } };
}
