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
  type Side,
  type Tally,
} from './comparisons.ts';

/** What is told of a call as yes or no. */
export const FLAGS = [
  /** Its side did not answer it, whoever did in the end. */
  'failed',
  'timedOut',
  'refused',
  'cutOff',
  'filtered',
  /** What was to be JSON is not what the call's schema wants. */
  'invalidOutput',
  /** A tool was called with what its schema does not want, or none that the call has. */
  'invalidToolCall',
] as const;
export type Flag = (typeof FLAGS)[number];

export type Amount = 'latencyMs' | 'firstTokenMs' | 'costMicroUsd' | 'outputTokens';

/** What a call has not is left out: it counts for no gate that is about it. */
export type Values = Partial<Record<Flag, boolean> & Record<Amount, number> & { score: number }>;

/** What one call came to, on the side that it was for. */
export interface Observation extends Values {
  side: Side;
  failed: boolean;
  timedOut: boolean;
}

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

/** How often a rollout whose candidate is as good as the stable is rolled back by mistake, over all gates and its whole life. */
const MISTAKES = 0.009;

/** Where nothing is said, times and costs that are a tenth more are let pass. */
const TOLERATED = 1.1;

/** How often what is compared happens to a stable, as long as that is not known. */
const RARE = 0.02;

/** What failed, and how sure that is. */
export interface Failure {
  gate: keyof GateLimits | 'compared';
  /** What it is about: `errors`, `p95 latency`, … */
  what: string;
  /** The probability of as much evidence against a good candidate is below this. */
  mistake: number;
}

/** What a gate counts: in how many calls something happens, how many take longer than the stable's quantile, or what they come to, or how they are scored. */
export type Measure = 'share' | 'quantile' | 'mean' | 'score';

/**
 * How a gate stands: the candidate fails it; it would, and has not had `minCalls` yet; a side has no calls that it is about; or nothing shows that the
 * candidate does not keep to it.
 */
export type Verdict = 'failed' | 'too_few_calls' | 'no_calls' | 'kept';

/** What both sides came to at a gate, as it counts: shares of calls, or of times above the stable's, or means. */
export interface GateReading {
  gate: Failure['gate'];
  what: string;
  measure: Measure;
  /** The share that is let pass, or the ratio; absent where the gate compares alone. */
  limit: number | undefined;
  /** The natural logarithm of the evidence. */
  log: number;
  /** What a failure would say: 1 where there is no evidence. */
  mistake: number;
  verdict: Verdict;
  stable?: Tally;
  /** Of a mean with a ratio the sum is divided by that. */
  candidate: Tally;
}

interface Gate extends Pick<GateReading, 'gate' | 'what' | 'measure' | 'limit'> {
  observe(side: Side, values: Values): void;
  test: Test;
}

/** What a gate decides by. */
interface Test {
  readonly log: number;
  readonly totals: Pick<GateReading, 'stable' | 'candidate'>;
  readonly state: GateState;
}

type GateState = ComparisonState | QuantileState | LimitTest['state'];

export type EvidenceState = Readonly<Record<string, GateState>>;

/** What gates know, as the store has it. */
export interface GateEvidence {
  candidates: number;
  gates: EvidenceState;
  /** What a judge said that could not be read. */
  unreadScores?: number;
  /** What it was learned under. */
  limits?: GateLimits | undefined;
}

const ERRORS = 'errors';
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
  amount: Amount,
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

/**
 * What is known of a candidate: every gate compares it with the stable over the same calls, and holds it against the limits that are set
 * on top. A limit of 0 or 1 for a share or a score is none that a test could decide about: 0 is compared alone, 1 is no limit.
 */
export class Evidence {
  readonly #gates: readonly Gate[];
  readonly #limits: GateLimits;
  readonly #minCalls: number;
  readonly #judged: JudgedGates | undefined;
  #candidates: number;
  #unreadScores: number;

  constructor(limits: GateLimits, state: GateEvidence = { candidates: 0, gates: {} }) {
    const known = withoutOtherLimits(state, limits);
    this.#limits = limits;
    this.#judged = limits.judge && makeJudgedGates(limits.judge, known);
    this.#unreadScores = state.unreadScores ?? 0;
    this.#gates = [...makeGates(limits, known), ...(this.#judged?.gates ?? [])];
    this.#minCalls = limits.minCalls ?? 1;
    this.#candidates = state.candidates;
  }

  get state(): GateEvidence {
    const gates = Object.fromEntries(
      this.#gates.map(({ what, gate, test }) => [`${gate} ${what}`, test.state]),
    );
    const unreadScores = this.#unreadScores;
    return { candidates: this.#candidates, gates, unreadScores, limits: this.#limits };
  }

  /** The candidate's calls. */
  get candidates(): number {
    return this.#candidates;
  }

  observe(observation: Observation): void {
    if (observation.side === 'candidate') this.#candidates += 1;
    for (const gate of this.#gates) gate.observe(observation.side, observation);
  }

  /** @param score of a call that is observed by itself, from 0 to 1 */
  observeScore(side: Side, score: number): void {
    for (const gate of this.#gates) gate.observe(side, { score });
  }

  /** A judge scored what both sides answered to one request; `undefined` where what it said could not be read: that is left out, and counted. */
  observeScores(scores: Scores | undefined): void {
    if (scores) this.#judged?.observe(scores);
    else this.#unreadScores += 1;
  }

  /** The gate that the candidate does not keep to, the surest. */
  get failure(): Failure | undefined {
    if (this.#candidates < this.#minCalls) return undefined;
    let worst: Failure | undefined;
    for (const one of this.#gates) {
      const mistake = this.#mistakeOf(one);
      const { gate, what } = one;
      if (mistake <= (worst?.mistake ?? MISTAKES)) worst = { gate, what, mistake };
    }
    return worst;
  }

  readings(): GateReading[] {
    return this.#gates.map((one) => {
      const { gate, what, measure, limit, test } = one;
      const mistake = Math.min(1, this.#mistakeOf(one));
      const verdict = this.#verdictOf(one, mistake);
      return { gate, what, measure, limit, log: test.log, mistake, verdict, ...test.totals };
    });
  }

  #mistakeOf({ gate, what, test }: Gate): number {
    return Math.exp(-test.log) / this.#shareOf(gate, what);
  }

  #verdictOf({ test: { totals } }: Gate, mistake: number): Verdict {
    if (totals.candidate.calls === 0 || totals.stable?.calls === 0) return 'no_calls';
    if (mistake > MISTAKES) return 'kept';
    return this.#candidates < this.#minCalls ? 'too_few_calls' : 'failed';
  }

  /** Of the mistakes that may be made. Errors are what hurts most: they have half of them, and are found the sooner for it. */
  #shareOf(gate: Failure['gate'], what: string): number {
    return gate === 'compared' && what === ERRORS ? 0.5 : 0.5 / (this.#gates.length - 1);
  }
}

/** What was learned under a limit says nothing of another one; what is compared says the same under any. */
function withoutOtherLimits({ gates, limits: known }: GateEvidence, limits: GateLimits): EvidenceState {
  if (!known) return gates;
  const names = Object.keys({ ...known, ...limits }) as (keyof GateLimits)[];
  const changed = names.filter((name) => limitOf(known, name) !== limitOf(limits, name));
  return Object.fromEntries(
    Object.entries(gates).filter(([gate]) => !changed.some((name) => gate.startsWith(`${name} `))),
  );
}

function limitOf(limits: GateLimits, name: keyof GateLimits): number | undefined {
  return name === 'judge' ? limits.judge?.minScore : limits[name];
}

function makeGates(limits: GateLimits, states: EvidenceState): Gate[] {
  const gates: Gate[] = [];
  for (const [what, flag, name] of SHARES) {
    const compared = new ShareComparison(RARE, states[`compared ${what}`] as ComparisonState);
    gates.push({
      ...{ what, gate: 'compared', measure: 'share', limit: undefined, test: compared },
      observe: (side, { [flag]: happened }) => {
        if (happened !== undefined) compared.observe(side, happened);
      },
    });
    const limit = limits[name];
    if (limit === undefined || limit <= 0 || limit >= 1) continue;
    const held = new LimitTest(limit, states[`${name} ${what}`] as LimitTest['state']);
    gates.push({
      ...{ what, gate: name, measure: 'share', limit, test: held },
      observe: (side, { [flag]: happened }) => {
        if (side === 'candidate' && happened !== undefined) held.observe(happened);
      },
    });
  }
  for (const [what, amount, quantile, name, isAlways] of QUANTILES) {
    const ratio = limits[name] ?? (isAlways ? TOLERATED : undefined);
    if (ratio === undefined) continue;
    const compared = new QuantileComparison(quantile, ratio, states[`${name} ${what}`] as QuantileState);
    gates.push(onAmount({ what, gate: name, measure: 'quantile', limit: ratio }, amount, compared));
  }
  for (const [what, amount, name, isAlways] of MEANS) {
    const ratio = limits[name] ?? (isAlways ? TOLERATED : undefined);
    if (ratio === undefined) continue;
    const compared = new MeanComparison(ratio, states[`${name} ${what}`] as ComparisonState);
    gates.push(onAmount({ what, gate: name, measure: 'mean', limit: ratio }, amount, compared));
  }
  return [...gates, ...makeScoreGates(limits.minFeedbackScore, states)];
}

function makeScoreGates(least: number | undefined, states: EvidenceState): Gate[] {
  const compared = new ScoreComparison(states[`compared ${SCORES}`] as ComparisonState);
  const gates: Gate[] = [
    {
      ...{ what: SCORES, gate: 'compared', measure: 'score', limit: undefined, test: compared },
      observe: (side, { score }) => {
        if (score !== undefined) compared.observe(side, score);
      },
    },
  ];
  if (least === undefined || least <= 0 || least >= 1) return gates;
  const held = new ScoreLimitTest(least, states[`minFeedbackScore ${SCORES}`] as LimitTest['state']);
  gates.push({
    ...{ what: SCORES, gate: 'minFeedbackScore', measure: 'score', limit: least, test: held },
    observe: (side, { score }) => {
      if (side === 'candidate' && score !== undefined) held.observe(score);
    },
  });
  return gates;
}

interface JudgedGates {
  gates: Gate[];
  observe(scores: Scores): void;
}

const JUDGED = 'judge scores';

/** A pair is a block: the same request, judged at once. */
function makeJudgedGates({ minScore }: JudgeLimits, states: EvidenceState): JudgedGates {
  const compared = new ScoreComparison(states[`compared ${JUDGED}`] as ComparisonState);
  const isHeld = minScore !== undefined && minScore > 0 && minScore < 1;
  const held = isHeld
    ? new ScoreLimitTest(minScore, states[`judge ${JUDGED}`] as LimitTest['state'])
    : undefined;
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

function onAmount(
  gate: Omit<Gate, 'observe' | 'test'>,
  amount: Amount,
  test: Test & { observe(side: Side, value: number): void },
): Gate {
  return {
    ...{ ...gate, test },
    observe: (side, { [amount]: value }) => {
      if (value !== undefined) test.observe(side, value);
    },
  };
}
