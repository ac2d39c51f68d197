import { hashOf, percentileOf } from '../../src/rollouts/assign.ts';
import { Evidence } from '../../src/rollouts/evidence.ts';
import type { Observation } from '../../src/rollouts/observation.ts';
import {
  advance,
  afterCommand,
  DRAFT,
  isUnderWay,
  type Plan,
  weightOf,
} from '../../src/rollouts/progress.ts';
import { scale } from './scale.ts';
import { seeded } from './seeded.ts';

export const MINUTE = 60_000;
const PLAN: Plan = {
  steps: [
    { weight: 1, holdMs: 10 * MINUTE },
    { weight: 10, holdMs: 30 * MINUTE },
    { weight: 50, holdMs: 60 * MINUTE },
  ],
  onFail: 'rollback',
  minCalls: 10,
};
const CALLS_A_SECOND = 3;
/** Of so many calls somebody says how good the answer was. */
const SCORED = 0.3;
const USERS = 10_000;
/** How often the controller looks. */
const LOOK_MS = 1_000;
export const ROLLOUTS = scale({ sample: 6, heavy: 2_000 });

/** How the candidate differs from a stable that fails in one of a hundred calls. */
export interface Candidate {
  errors: number;
  slower?: number;
  dearer?: number;
  /** How often it breaks a schema; a stable does in two of a hundred calls that have one. */
  invalid?: number;
  /** The mean of its scores; a stable's is 0.8. */
  score?: number;
  /** From which step on; at first where absent. */
  badFrom?: number;
  outages?: Outages;
}

/** When whoever answers for both sides fails, and how much of what it is asked. */
export interface Outages {
  everyMs: number;
  lastsMs: number;
  share: number;
  /** Once, at the first; again and again where absent. */
  once?: boolean;
  /** For so long after it the candidate is passed over by its breaker, and the stable, which has nobody beside it, is not. */
  passedOverMs?: number;
}

/** How long ago an outage began. */
function sinceOutage(nowMs: number, { everyMs, once = false }: Outages): number {
  if (nowMs < everyMs) return Number.POSITIVE_INFINITY;
  return once ? nowMs - everyMs : nowMs % everyMs;
}

/** Whether a call is failed that is made now, by an outage. */
function isDown(random: () => number, nowMs: number, outages: Outages | undefined): boolean {
  return outages !== undefined && sinceOutage(nowMs, outages) < outages.lastsMs && random() < outages.share;
}

function isPassedOver(nowMs: number, outages: Outages | undefined): boolean {
  const { lastsMs = 0, passedOverMs = 0 } = outages ?? {};
  const sinceMs = outages ? sinceOutage(nowMs, outages) : 0;
  return sinceMs >= lastsMs && sinceMs < lastsMs + passedOverMs;
}

interface End {
  phase: string;
  what: string | undefined;
  candidates: number;
  /** Share of all users who met the candidate. */
  met: number;
  digest: string;
}

/** A whole rollout on a clock of its own: the same for the same seed. */
export function simulate(seed: number, candidate: Candidate): End {
  const random = seeded(seed);
  const evidence = new Evidence({ minCalls: undefined });
  const met = new Set<number>();
  let nowMs = 0;
  let progress = afterCommand('start', DRAFT, nowMs, 0);
  let nextLookMs = LOOK_MS;
  let what: string | undefined;
  while (isUnderWay(progress)) {
    nowMs += -Math.log(1 - random()) * (1_000 / CALLS_A_SECOND);
    const caller = Math.floor(random() * USERS);
    const user = hashOf(`rollout-${seed}`, `user-${caller}`);
    const isCandidate = percentileOf(user) < weightOf(PLAN, progress);
    const isBad = isCandidate && progress.step >= (candidate.badFrom ?? 0);
    if (isCandidate) met.add(caller);
    const isKept = isCandidate && isPassedOver(nowMs, candidate.outages);
    const failed =
      random() < (isBad ? candidate.errors : 0.01) || isKept || isDown(random, nowMs, candidate.outages);
    // Nobody is asked after a stable that is all that its model has.
    if (failed && isCandidate && isDown(random, nowMs, candidate.outages)) {
      evidence.observeFailedByBoth({ side: 'candidate', user });
      continue;
    }
    const observation: Observation = {
      ...{ side: isCandidate ? 'candidate' : 'stable', user },
      ...{ failed, timedOut: failed && random() < 0.2 },
      // What the stable would make of it, nearly always.
      ...(failed && isCandidate && !isKept && { next: 'answered' as const }),
    };
    if (!failed) {
      const tokens = logNormal(random, 300, 0.6);
      observation.latencyMs = logNormal(random, 2_000, 0.5) * (isBad ? (candidate.slower ?? 1) : 1);
      observation.costMicroUsd = tokens * 10 * (isBad ? (candidate.dearer ?? 1) : 1);
      observation.outputTokens = tokens;
      observation.refused = random() < 0.005;
      observation.cutOff = random() < 0.02;
      observation.filtered = random() < 0.001;
      const invalid = isBad ? (candidate.invalid ?? 0.02) : 0.02;
      if (random() < 0.5) observation.invalidOutput = random() < invalid;
      if (random() < 0.3) observation.invalidToolCall = random() < invalid;
    }
    evidence.observe(observation);
    if (!failed && random() < SCORED) {
      const liked = isBad ? (candidate.score ?? 0.8) : 0.8;
      evidence.observeScore(observation, random() < 0.2 ? liked : random() < liked ? 1 : 0);
    }
    if (nowMs < nextLookMs) continue;
    nextLookMs = nowMs + LOOK_MS;
    const { failure, candidates: calls } = evidence;
    what = failure?.what;
    progress = advance(PLAN, progress, { nowMs, calls, failure });
  }
  const { candidates } = evidence;
  return {
    ...{ phase: progress.phase, what, candidates, met: met.size / USERS },
    digest: `${progress.phase} ${nowMs} ${candidates} ${evidence.failure?.mistake}`,
  };
}

/** `spread`: of the logarithm. */
function logNormal(random: () => number, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * Math.exp(spread * normal);
}

export function simulateAll(candidate: Candidate): {
  rolledBack: number;
  medianCalls: number;
  /** Of any of them. */
  mostMet: number;
  whats: string;
} {
  const ends = Array.from({ length: ROLLOUTS }, (_, index) => simulate(index + 1, candidate));
  const back = ends.filter(({ phase }) => phase === 'rolled_back');
  const middle = (values: number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return {
    rolledBack: back.length / ends.length,
    medianCalls: middle(back.map(({ candidates }) => candidates)),
    mostMet: back.reduce((most, { met }) => Math.max(most, met), 0),
    whats: [...new Set(back.map(({ what }) => what))].join(', '),
  };
}

/** Those that are not rolled back go all the way, 2,000 of them. */
export const LONG = { timeout: 1_200_000 };
