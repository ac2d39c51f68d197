import type { Side, Tally } from './comparisons.ts';
import type { Failure, GateReading, Verdict } from './evidence.ts';
import { countValues, type Histogram, quantileOf } from './histogram.ts';
import {
  type Interval,
  meanInterval,
  type QuantileInterval,
  quantileInterval,
  shareInterval,
} from './intervals.ts';
import type { Flag } from './observation.ts';
import { type Plan, SHADOW_STEP } from './progress.ts';
import type { MeanTally, SideTally, StepTally } from './step-tallies.ts';

/** What is known of a rollout, for people: by step and side, and by gate. */
export interface RolloutReport {
  /** Of all gates together; `why` says which, and how sure it is. */
  verdict: Verdict;
  why: string;
  gates: ReportedGate[];
  steps: ReportedStep[];
  /** What a judge said that could not be read; absent where there is none. */
  unreadScores?: number;
}

export interface ReportedEvidence
  extends Pick<RolloutReport, 'verdict' | 'why' | 'gates'>,
    Partial<ReportedStep> {}

export interface ReportedGate extends Omit<GateReading, 'limit'> {
  limit: number | null;
  why: string;
}

export interface ReportedStep {
  /** From 1; before them: copies alone. */
  step: number | 'shadow';
  weight: number;
  since: string;
  stable: ReportedSide;
  candidate: ReportedSide;
  /** Calls whose side is none of chance (a cohort's, or their thread's): they are compared with nobody. Absent where there are none. */
  byRule?: Record<Side, ReportedSide>;
}

/** `null`: no call has it. */
export interface ReportedSide {
  calls: number;
  rates: Record<RateName, Rate | null>;
  latencyMs: Quantiles | null;
  firstTokenMs: Quantiles | null;
  /** Of a call, on average. */
  costMicroUsd: Mean | null;
  outputTokens: Mean | null;
  /** The mean of what was said of `calls`, from 0 to 1. */
  feedback: ({ score: number; calls: number } & Interval) | null;
}

/** A mean of `calls`, and where it lies with 95 % certainty however often it is looked at; `null` of few calls. */
export interface Mean {
  mean: number;
  low: number | null;
  high: number | null;
  calls: number;
}

/** A share of `calls`, and where it lies with 95 % certainty however often it is looked at (`intervals.ts`). */
export interface Rate extends Interval {
  share: number;
  calls: number;
}

/** Within four percent; and where they lie with 95 % certainty however often it is looked at, each. */
export interface Quantiles {
  p50: number;
  p50Interval: QuantileInterval;
  p95: number;
  p95Interval: QuantileInterval;
  calls: number;
}

/** The rates, by what their limits are called in the config. */
const RATES = {
  error: 'failed',
  timeout: 'timedOut',
  refusal: 'refused',
  length: 'cutOff',
  contentFilter: 'filtered',
  invalidOutput: 'invalidOutput',
  invalidToolCall: 'invalidToolCall',
  left: 'left',
} as const satisfies Record<string, Flag>;
export type RateName = keyof typeof RATES;

export function makeReport(
  { steps, gates: { minCalls = 1 } }: Pick<Plan, 'steps'> & { gates: { minCalls?: number | undefined } },
  tallies: readonly StepTally[],
  {
    readings,
    candidates,
    failure,
  }: { readings: readonly GateReading[]; candidates: number; failure: Failure | undefined },
): RolloutReport {
  const gates = readings.map(reportGate);
  return {
    ...judgeAll(gates, candidates, minCalls, failure),
    gates,
    steps: tallies.map(({ step, since, stable, candidate, byRule }) => ({
      step: placeOf(step),
      ...{ weight: steps[step]?.weight ?? 0, since: new Date(since).toISOString() },
      ...reportSides({ stable, candidate }),
      ...(byRule && { byRule: reportSides(byRule) }),
    })),
  };
}

function reportSides({ stable, candidate }: Record<Side, SideTally>): Record<Side, ReportedSide> {
  return { stable: reportSide(stable), candidate: reportSide(candidate) };
}

/**
 * Of a report what a transition from a step went by: that step, and the gates, which go by all steps, where they have calls of both
 * sides. As flat as can be: of what is deep in the details of an event nothing is kept.
 */
export function evidenceAt({ verdict, why, gates, steps }: RolloutReport, step: number): ReportedEvidence {
  const place = placeOf(step);
  const left = steps.findLast((one) => one.step === place);
  return { verdict, why, ...left, gates: gates.filter((gate) => gate.verdict !== 'no_calls') };
}

function placeOf(step: number): ReportedStep['step'] {
  return step === SHADOW_STEP ? 'shadow' : step + 1;
}

function judgeAll(
  gates: readonly ReportedGate[],
  candidates: number,
  minCalls: number,
  failure: Failure | undefined,
): Pick<RolloutReport, 'verdict' | 'why'> {
  if (failure) {
    const failed = gates.find(({ gate, what }) => gate === failure.gate && what === failure.what);
    const sure = `by mistake in fewer than ${toPercent(failure.mistake)} of rollouts`;
    return { verdict: 'failed', why: `${failure.what}: ${failed?.why ?? ''} (${sure})` };
  }
  const unlike = gates.find(({ verdict }) => verdict === 'too_few_users');
  if (unlike) return { verdict: 'too_few_users', why: `${unlike.what}: ${unlike.why}` };
  if (candidates === 0) return { verdict: 'no_calls', why: 'the candidate has had no calls' };
  if (candidates < minCalls)
    return { verdict: 'too_few_calls', why: `the candidate has had ${candidates} of ${minCalls} calls` };
  if (gates.every(({ verdict }) => verdict === 'no_calls')) {
    const why = `of the ${candidates} calls of the candidate none is compared or held against a limit yet`;
    return { verdict: 'no_calls', why };
  }
  return { verdict: 'kept', why: `${candidates} calls of the candidate show at no gate that it is worse` };
}

/** A gate as it stands, for people. */
export function reportGate(reading: GateReading): ReportedGate {
  return { ...reading, limit: reading.limit ?? null, why: explain(reading) };
}

/** What the verdict goes by, short enough for a line of a table. */
function explain(reading: GateReading): string {
  const { verdict } = reading;
  if (verdict === 'no_calls') return 'no calls of both sides to compare';
  const numbers = sayNumbers(reading);
  return verdict === 'too_few_users'
    ? `${numbers}; by users so few, or so unlike, that these may be why`
    : numbers;
}

function sayNumbers({ measure, limit, stable, candidate }: GateReading): string {
  const own = meanOf(candidate);
  const others = stable ? meanOf(stable) : 0;
  switch (measure) {
    case 'score': {
      const against = limit === undefined ? `stable ${toText(others)}` : `at least ${limit}`;
      return `${toText(own)} of ${candidate.calls} calls, ${against}`;
    }
    case 'mean':
      return `${toText((own * (limit ?? 1)) / others)} times the stable's, ${limit} is let pass`;
    case 'quantile':
      return `${toPercent(own)} above ${limit} times what ${toPercent(others)} of the stable's are above`;
    case 'share': {
      const against = limit === undefined ? `stable ${toPercent(others)}` : `${toPercent(limit)} is let pass`;
      return `${toPercent(own)} of ${candidate.calls} calls, ${against}`;
    }
  }
}

function reportSide({ calls, shares, times, means }: SideTally): ReportedSide {
  const rates = Object.entries(RATES).map(([name, flag]) => [name, reportRate(shares[flag])]);
  return {
    calls,
    rates: Object.fromEntries(rates) as ReportedSide['rates'],
    ...{ latencyMs: reportTimes(times.latencyMs), firstTokenMs: reportTimes(times.firstTokenMs) },
    ...{ costMicroUsd: reportMean(means.costMicroUsd), outputTokens: reportMean(means.outputTokens) },
    feedback: means.score ? reportScore(means.score) : null,
  };
}

function reportRate(tally: Tally | undefined): Rate | null {
  if (!tally) return null;
  return { share: meanOf(tally), ...shareInterval(tally.sum, tally.calls), calls: tally.calls };
}

function reportTimes(histogram: Histogram | undefined): Quantiles | null {
  const [p50, p95] = [0.5, 0.95].map((quantile) => quantileOf(histogram ?? {}, quantile));
  if (!histogram || p50 === undefined || p95 === undefined) return null;
  const [p50Interval, p95Interval] = [quantileInterval(histogram, 0.5), quantileInterval(histogram, 0.95)];
  return { p50, p50Interval, p95, p95Interval, calls: countValues(histogram) };
}

function reportMean(tally: MeanTally | undefined): Mean | null {
  if (!tally) return null;
  const { calls, sum, spread } = tally;
  const interval = spread && meanInterval(calls, sum, spread);
  return { mean: meanOf(tally), low: interval?.low ?? null, high: interval?.high ?? null, calls };
}

function reportScore(tally: Tally): ReportedSide['feedback'] {
  const { calls, sum } = tally;
  return { score: meanOf(tally), ...shareInterval(sum, calls), calls };
}

function meanOf({ calls, sum }: Tally): number {
  return sum / calls;
}

function toPercent(share: number): string {
  return `${toText(share * 100)} %`;
}

/** Three digits are more than is known. */
function toText(value: number): string {
  return String(Number(value.toPrecision(3)));
}
