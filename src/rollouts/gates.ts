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
} from './comparisons.ts';

/** What one call came to, on the side that it was for. What a call has not is left out: it counts for no gate that is about it. */
export interface Observation {
  side: Side;
  /** Its side did not answer it, whoever did in the end. */
  failed: boolean;
  timedOut: boolean;
  latencyMs?: number;
  firstTokenMs?: number;
  costMicroUsd?: number;
  outputTokens?: number;
  refused?: boolean;
  cutOff?: boolean;
  filtered?: boolean;
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
  judge?: JudgeLimits | undefined;
}

type LimitName = Exclude<keyof GateLimits, 'judge'>;

/** Who scores pairs of answers, how many of them, and the least that the candidate's may be on average: scores are from 0 to 1. */
export interface JudgeLimits {
  model: string;
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

/** What both sides came to at a gate, as it counts: shares of calls, or of times above the stable's, or means. */
export interface GateReading {
  gate: Failure['gate'];
  what: string;
  /** The natural logarithm of the evidence. */
  log: number;
  stable?: { calls: number; sum: number };
  candidate: { calls: number; sum: number };
}

interface Gate {
  what: string;
  gate: Failure['gate'];
  observe(observation: Observation): void;
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

type Flag = 'failed' | 'timedOut' | 'refused' | 'cutOff' | 'filtered';
type Amount = 'latencyMs' | 'firstTokenMs' | 'costMicroUsd' | 'outputTokens';

const ERRORS = 'errors';

const SHARES: readonly (readonly [what: string, flag: Flag, limit: LimitName])[] = [
  [ERRORS, 'failed', 'errorRate'],
  ['timeouts', 'timedOut', 'timeoutRate'],
  ['refusals', 'refused', 'refusalRate'],
  ['answers cut at the token limit', 'cutOff', 'lengthRate'],
  ['answers stopped by a content filter', 'filtered', 'contentFilterRate'],
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
 * on top. A limit of 0 or 1 for a share is none that a test could decide about: 0 is compared alone, 1 is no limit.
 */
export class Evidence {
  readonly #gates: readonly Gate[];
  readonly #minCalls: number;
  readonly #judged: JudgedGates | undefined;
  #candidates: number;
  #unreadScores: number;

  constructor(
    limits: GateLimits,
    state: { candidates: number; gates: EvidenceState; unreadScores?: number } = { candidates: 0, gates: {} },
  ) {
    this.#judged = limits.judge && makeJudgedGates(limits.judge, state.gates);
    this.#unreadScores = state.unreadScores ?? 0;
    this.#gates = [...makeGates(limits, state.gates), ...(this.#judged?.gates ?? [])];
    this.#minCalls = limits.minCalls ?? 1;
    this.#candidates = state.candidates;
  }

  get state(): { candidates: number; gates: EvidenceState; unreadScores: number } {
    const gates = Object.fromEntries(
      this.#gates.map(({ what, gate, test }) => [`${gate} ${what}`, test.state]),
    );
    return { candidates: this.#candidates, gates, unreadScores: this.#unreadScores };
  }

  /** The candidate's calls. */
  get candidates(): number {
    return this.#candidates;
  }

  observe(observation: Observation): void {
    if (observation.side === 'candidate') this.#candidates += 1;
    for (const gate of this.#gates) gate.observe(observation);
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
    for (const { gate, what, test } of this.#gates) {
      const mistake = Math.exp(-test.log) / this.#shareOf(gate, what);
      if (mistake <= (worst?.mistake ?? MISTAKES)) worst = { gate, what, mistake };
    }
    return worst;
  }

  readings(): GateReading[] {
    return this.#gates.map(({ gate, what, test }) => ({ gate, what, log: test.log, ...test.totals }));
  }

  /** Of the mistakes that may be made. Errors are what hurts most: they have half of them, and are found the sooner for it. */
  #shareOf(gate: Failure['gate'], what: string): number {
    return gate === 'compared' && what === ERRORS ? 0.5 : 0.5 / (this.#gates.length - 1);
  }
}

function makeGates(limits: GateLimits, states: EvidenceState): Gate[] {
  const gates: Gate[] = [];
  for (const [what, flag, name] of SHARES) {
    const compared = new ShareComparison(RARE, states[`compared ${what}`] as ComparisonState);
    gates.push(
      onFlag(what, 'compared', flag, compared, (side, happened) => compared.observe(side, happened)),
    );
    const limit = limits[name];
    if (limit === undefined || limit <= 0 || limit >= 1) continue;
    const held = new LimitTest(limit, states[`${name} ${what}`] as LimitTest['state']);
    gates.push(
      onFlag(what, name, flag, held, (side, happened) => {
        if (side === 'candidate') held.observe(happened);
      }),
    );
  }
  for (const [what, amount, quantile, name, isAlways] of QUANTILES) {
    const ratio = limits[name] ?? (isAlways ? TOLERATED : undefined);
    if (ratio === undefined) continue;
    const compared = new QuantileComparison(quantile, ratio, states[`${name} ${what}`] as QuantileState);
    gates.push(onAmount(what, name, amount, compared));
  }
  for (const [what, amount, name, isAlways] of MEANS) {
    const ratio = limits[name] ?? (isAlways ? TOLERATED : undefined);
    if (ratio === undefined) continue;
    gates.push(
      onAmount(what, name, amount, new MeanComparison(ratio, states[`${name} ${what}`] as ComparisonState)),
    );
  }
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
  const gates: Gate[] = [{ what: JUDGED, gate: 'compared', observe, test: compared }];
  if (held) gates.push({ what: JUDGED, gate: 'judge', observe, test: held });
  return {
    gates,
    observe: ({ stable, candidate }) => {
      compared.observe('stable', stable);
      compared.observe('candidate', candidate);
      held?.observe(candidate);
    },
  };
}

function onFlag(
  what: string,
  gate: Failure['gate'],
  flag: Flag,
  test: Test,
  add: (side: Side, happened: boolean) => void,
): Gate {
  return {
    ...{ what, gate, test },
    observe: (observation) => {
      const happened = observation[flag];
      if (happened !== undefined) add(observation.side, happened);
    },
  };
}

function onAmount(
  what: string,
  gate: Failure['gate'],
  amount: Amount,
  test: Test & { observe(side: Side, value: number): void },
): Gate {
  return {
    ...{ what, gate, test },
    observe: (observation) => {
      const value = observation[amount];
      if (value !== undefined) test.observe(observation.side, value);
    },
  };
}
