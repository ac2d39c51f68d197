import type { Scores } from '../usage/rollout-note.ts';
import {
  type ComparisonState,
  LimitTest,
  MeanComparison,
  QuantileComparison,
  type QuantileState,
  ScoreComparison,
  ScoreLimitTest,
  ShareComparison,
  type Tally,
} from './comparisons.ts';
import type { Amount, AtLeast, Flag, Values, Whose } from './observation.ts';

/** As the config says them. */
export interface GateLimits {
  minCalls?: number | undefined;
  errorRate?: number | undefined;
  timeoutRate?: number | undefined;
  p50LatencyRatio?: number | undefined;
  p95LatencyRatio?: number | undefined;
  p50FirstTokenRatio?: number | undefined;
  p95FirstTokenRatio?: number | undefined;
  costRatio?: number | undefined;
  outputTokensRatio?: number | undefined;
  refusalRate?: number | undefined;
  lengthRate?: number | undefined;
  contentFilterRate?: number | undefined;
  invalidOutputRate?: number | undefined;
  invalidToolCallRate?: number | undefined;
  minFeedbackScore?: number | undefined;
  judge?: JudgeLimits | undefined;
}

type LimitName = Exclude<keyof GateLimits, 'judge'>;

/** Who scores pairs of answers, how many of them, and the least that the candidate's may be on average: scores are from 0 to 1. */
export interface JudgeLimits {
  /** One of both is there. */
  model?: string | undefined;
  prompt?: string | undefined;
  share?: number | undefined;
  minScore?: number | undefined;
}

/** Where nothing is said, times and costs that are a tenth more are let pass. */
const TOLERATED = 1.1;

/** How often what is compared happens to a stable, as long as that is not known. */
const RARE = 0.02;

/** What a gate counts: in how many calls something happens, how many take longer than the stable's quantile, or what they come to, or how they are scored. */
export type Measure = 'share' | 'quantile' | 'mean' | 'score';

export interface Gate {
  /** Which limit of the configuration it is, or that it compares alone. */
  gate: keyof GateLimits | 'compared';
  /** What it is about: `errors`, `p95 latency`, … */
  what: string;
  measure: Measure;
  /** The share that is let pass, or the ratio; absent where the gate compares alone. */
  limit: number | undefined;
  observe(whose: Whose, values: Values): void;
  test: Test;
  /** It is about calls that one side failed and another target answered: what is compared of that, it says whoever the users are (`rollouts/stand-ins.ts`). */
  isPaired?: boolean;
  /** What was counted of the stable since the candidate's last call is taken back. */
  takeBackStable?(): void;
}

/** What a gate decides by. */
export interface Test {
  readonly log: number;
  /** How likely it is by who the users are; absent where that has nothing to do with it. */
  readonly chanceByUsers?: number;
  readonly totals: { stable?: Readonly<Tally>; candidate: Readonly<Tally> };
  readonly state: GateState;
}

type GateState = ComparisonState | QuantileState | LimitTest['state'];

export type EvidenceState = Readonly<Record<string, GateState>>;

export const ERRORS = 'errors';
/** Failures say that another target answered what this one did not. */
const PAIRED: ReadonlySet<Flag> = new Set(['failed', 'timedOut']);
const SCORES = 'feedback scores';

const SHARES: readonly (readonly [what: string, flag: Flag, limit: LimitName])[] = [
  [ERRORS, 'failed', 'errorRate'],
  ['timeouts', 'timedOut', 'timeoutRate'],
  ['refusals', 'refused', 'refusalRate'],
  ['answers cut at the token limit', 'cutOff', 'lengthRate'],
  ['answers stopped by a content filter', 'filtered', 'contentFilterRate'],
  ['invalid outputs', 'invalidOutput', 'invalidOutputRate'],
  ['invalid tool calls', 'invalidToolCall', 'invalidToolCallRate'],
];

const QUANTILES: readonly (readonly [
  what: string,
  amount: keyof AtLeast,
  quantile: number,
  ratio: LimitName,
  isAlways: boolean,
])[] = [
  ['p50 latency', 'latencyMs', 0.5, 'p50LatencyRatio', true],
  ['p95 latency', 'latencyMs', 0.95, 'p95LatencyRatio', false],
  ['p50 time to first token', 'firstTokenMs', 0.5, 'p50FirstTokenRatio', true],
  ['p95 time to first token', 'firstTokenMs', 0.95, 'p95FirstTokenRatio', false],
];

const MEANS: readonly (readonly [what: string, amount: Amount, ratio: LimitName, isAlways: boolean])[] = [
  ['cost per call', 'costMicroUsd', 'costRatio', true],
  ['output tokens per call', 'outputTokens', 'outputTokensRatio', false],
];

/** What holds the candidate against what somebody said, and not against the stable. */
export function isLimit({ test }: Gate): boolean {
  return test instanceof LimitTest || test instanceof ScoreLimitTest;
}

export function makeGates(limits: GateLimits, states: EvidenceState): Gate[] {
  const gates: Gate[] = [];
  for (const [what, flag, name] of SHARES) {
    const compared = new ShareComparison(RARE, states[`compared ${what}`] as ComparisonState);
    gates.push({
      ...{ what, gate: 'compared', measure: 'share', limit: undefined, test: compared },
      isPaired: PAIRED.has(flag),
      takeBackStable: () => compared.takeBackStable(),
      observe: ({ side, user }, { [flag]: happened }) => {
        if (happened !== undefined) compared.observe(side, happened, user);
      },
    });
    const limit = limits[name];
    // What lets all pass holds nobody to anything.
    if (limit === undefined || limit === 1) continue;
    const held = new LimitTest(limit, states[`${name} ${what}`] as LimitTest['state']);
    gates.push({
      ...{ what, gate: name, measure: 'share', limit, test: held },
      isPaired: PAIRED.has(flag),
      observe: ({ side }, { [flag]: happened }) => {
        if (side === 'candidate' && happened !== undefined) held.observe(happened);
      },
    });
  }
  for (const [what, amount, quantile, name, isAlways] of QUANTILES) {
    const ratio = limits[name] ?? (isAlways ? TOLERATED : undefined);
    if (ratio === undefined) continue;
    const compared = new QuantileComparison(quantile, ratio, states[`${name} ${what}`] as QuantileState);
    gates.push({
      ...{ what, gate: name, measure: 'quantile', limit: ratio, test: compared },
      observe: ({ side, user }, { [amount]: value, atLeast }) => {
        const least = atLeast?.[amount];
        if (value !== undefined) compared.observe(side, value, user);
        else if (least !== undefined) compared.observeAtLeast(side, least, user);
      },
    });
  }
  for (const [what, amount, name, isAlways] of MEANS) {
    const ratio = limits[name] ?? (isAlways ? TOLERATED : undefined);
    if (ratio === undefined) continue;
    const compared = new MeanComparison(ratio, states[`${name} ${what}`] as ComparisonState);
    gates.push({
      ...{ what, gate: name, measure: 'mean', limit: ratio, test: compared },
      observe: ({ side, user }, { [amount]: value }) => {
        if (value !== undefined) compared.observe(side, value, user);
      },
    });
  }
  return [...gates, ...makeScoreGates(limits.minFeedbackScore, states)];
}

function makeScoreGates(least: number | undefined, states: EvidenceState): Gate[] {
  const compared = new ScoreComparison(states[`compared ${SCORES}`] as ComparisonState);
  const gates: Gate[] = [
    {
      ...{ what: SCORES, gate: 'compared', measure: 'score', limit: undefined, test: compared },
      observe: ({ side, user }, { score }) => {
        if (score !== undefined) compared.observe(side, score, user);
      },
    },
  ];
  if (least === undefined || least === 0) return gates;
  const held = new ScoreLimitTest(least, states[`minFeedbackScore ${SCORES}`] as LimitTest['state']);
  gates.push({
    ...{ what: SCORES, gate: 'minFeedbackScore', measure: 'score', limit: least, test: held },
    observe: ({ side }, { score }) => {
      if (side === 'candidate' && score !== undefined) held.observe(score);
    },
  });
  return gates;
}

export interface JudgedGates {
  gates: Gate[];
  observe(scores: Scores): void;
}

const JUDGED = 'judge scores';

/** A pair is a block: the same request, judged at once. */
export function makeJudgedGates({ minScore }: JudgeLimits, states: EvidenceState): JudgedGates {
  const compared = new ScoreComparison(states[`compared ${JUDGED}`] as ComparisonState);
  const held =
    minScore === undefined || minScore === 0
      ? undefined
      : new ScoreLimitTest(minScore, states[`judge ${JUDGED}`] as LimitTest['state']);
  // Calls say nothing of it.
  const observe = () => undefined;
  const what = JUDGED;
  const gates: Gate[] = [
    { what, gate: 'compared', measure: 'score', limit: undefined, observe, test: compared },
  ];
  if (held) gates.push({ what, gate: 'judge', measure: 'score', limit: minScore, observe, test: held });
  return {
    gates,
    observe: ({ stable, candidate }) => {
      compared.observe('stable', stable);
      compared.observe('candidate', candidate);
      held?.observe(candidate);
    },
  };
}
