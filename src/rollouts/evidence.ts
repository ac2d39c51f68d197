import type { Scores } from '../usage/rollout-note.ts';
import type { Tally } from './comparisons.ts';
import {
  ERRORS,
  type EvidenceState,
  type Gate,
  type GateLimits,
  isLimit,
  type JudgedGates,
  makeGates,
  makeJudgedGates,
} from './gates.ts';
import type { Observation, Values, Whose } from './observation.ts';
import { StandIns, type StandInsState } from './stand-ins.ts';

/** How often a rollout whose candidate is as good as the stable is rolled back by mistake, over all gates and its whole life. */
const MISTAKES = 0.009;

/** What failed, and how sure that is. */
export interface Failure {
  gate: Gate['gate'];
  what: string;
  /** The probability of as much evidence against a good candidate is below this. */
  mistake: number;
}

/**
 * How a gate stands: the candidate fails it; it would, and has not had `minCalls` yet; it would by its calls, which are of so few users, or users so unlike,
 * that these may be why; a side has no calls that it is about; or nothing shows that the candidate does not keep to it.
 */
export type Verdict = 'failed' | 'too_few_calls' | 'too_few_users' | 'no_calls' | 'kept';

/** What both sides came to at a gate, as it counts: shares of calls, or of times above the stable's, or means. */
export interface GateReading extends Pick<Gate, 'gate' | 'what' | 'measure' | 'limit'> {
  /** As likely is so much against a candidate that is as good, at the most. */
  chance: number;
  verdict: Verdict;
  stable?: Tally;
  /** Of a mean with a ratio the sum is divided by that. */
  candidate: Tally;
}

/** What gates know, as the store has it. */
export interface GateEvidence {
  candidates: number;
  /** Its calls whose clients left; absent in what an earlier version stored. */
  left?: number;
  gates: EvidenceState;
  /** Absent in what an earlier version stored. */
  standIns?: StandInsState;
  /** Both sides failed a call of the candidate's, and neither has answered one since; absent in what an earlier version stored. */
  isOutage?: boolean;
  /** What a judge said that could not be read. */
  unreadScores?: number;
  /** What it was learned under. */
  limits?: GateLimits | undefined;
}

/**
 * What is known of a candidate: every gate compares it with the stable over the same calls, and holds it against the limits that are set
 * on top. A limit of 0 or 1 for a share or a score is none that a test could decide about: 0 is compared alone, 1 is no limit.
 */
export class Evidence {
  readonly #gates: readonly Gate[];
  readonly #limits: GateLimits;
  readonly #minCalls: number;
  readonly #judged: JudgedGates | undefined;
  readonly #standIns: StandIns;
  #candidates: number;
  #left: number;
  #unreadScores: number;
  #isOutage: boolean;

  constructor(limits: GateLimits, state: GateEvidence = { candidates: 0, gates: {} }) {
    const known = withoutOtherLimits(state, limits);
    this.#limits = limits;
    this.#judged = limits.judge && makeJudgedGates(limits.judge, known);
    this.#unreadScores = state.unreadScores ?? 0;
    this.#standIns = new StandIns(state.standIns);
    this.#gates = [...makeGates(limits, known), ...(this.#judged?.gates ?? [])];
    this.#minCalls = limits.minCalls ?? 1;
    this.#candidates = state.candidates;
    this.#left = state.left ?? 0;
    this.#isOutage = state.isOutage ?? false;
  }

  get state(): GateEvidence {
    const gates = Object.fromEntries(
      this.#gates.map(({ what, gate, test }) => [`${gate} ${what}`, test.state]),
    );
    return {
      ...{ candidates: this.#candidates, left: this.#left, gates, limits: this.#limits },
      ...{ unreadScores: this.#unreadScores, standIns: this.#standIns.state, isOutage: this.#isOutage },
    };
  }

  /** The candidate's calls, without those whose clients left. */
  get candidates(): number {
    return this.#candidates;
  }

  observe(observation: Observation): void {
    const { side, left } = observation;
    if (side === 'candidate') {
      if (left) this.#left += 1;
      else this.#candidates += 1;
    }
    this.#show(observation, observation);
    if (isAnsweredByEither(observation)) this.#isOutage = false;
    if (!observation.isByRule) this.#standIns.observe(observation, observation);
  }

  /**
   * A call of the candidate's counts against nobody, for both sides failed it: who is down may be behind both. What the stable alone fails meanwhile
   * is not to count against the stable either, nor what the candidate's breaker keeps from the candidate behind it: the errors of both go uncompared
   * from the candidate's last call before to its next that it, or the stable in its place, answers. Which calls those are is settled before it is known how
   * they end, or by what is not among them: as likely as the sides fail they fail in what is left.
   */
  observeFailedByBoth(whose: Whose): void {
    if (whose.isByRule) return;
    this.#isOutage = true;
    for (const { isPaired, takeBackStable } of this.#gates) if (isPaired) takeBackStable?.();
    this.#standIns.observe(whose, { failed: true, next: 'failed' });
  }

  /** @param score of a call that is observed by itself, from 0 to 1 */
  observeScore(whose: Whose, score: number): void {
    this.#show(whose, { score });
  }

  #show(whose: Whose, values: Values): void {
    const isUnasked = values.failed === true && values.next !== 'answered';
    for (const gate of this.#gates) {
      const isLeftOut = this.#isOutage && gate.isPaired && (isUnasked || !isLimit(gate));
      if (!isLeftOut && (isLimit(gate) || !whose.isByRule)) gate.observe(whose, values);
    }
  }

  /** A judge scored what both sides answered to one request; `undefined` where what it said could not be read: that is left out, and counted. */
  observeScores(scores: Scores | undefined): void {
    if (scores) this.#judged?.observe(scores);
    else this.#unreadScores += 1;
  }

  /** The gate that the candidate does not keep to, the surest. */
  get failure(): Failure | undefined {
    if (this.#hasTooFew) return undefined;
    let worst: Failure | undefined;
    for (const one of this.#gates) {
      const mistake = this.#mistakeOf(one);
      const { gate, what } = one;
      if (mistake <= (worst?.mistake ?? MISTAKES)) worst = { gate, what, mistake };
    }
    return worst;
  }

  /** By its calls the candidate fails more often than the stable, and by its users, who are few or unlike, that is not sure yet. */
  get isDoubtful(): boolean {
    return this.#gates.some((gate) => isOfErrors(gate) && this.#verdictOf(gate) === 'too_few_users');
  }

  readings(): GateReading[] {
    return this.#gates.map((one) => {
      const { gate, what, measure, limit, test } = one;
      const chance = Math.min(1, Math.max(chanceByCalls(one), this.#chanceByUsers(one)));
      return { gate, what, measure, limit, chance, verdict: this.#verdictOf(one), ...test.totals };
    });
  }

  /** A candidate that nobody waits for is to be found, too. */
  get #hasTooFew(): boolean {
    return this.#candidates + this.#left < this.#minCalls;
  }

  #mistakeOf(gate: Gate): number {
    const share = this.#shareOf(gate);
    const byCalls = chanceByCalls(gate) / share;
    // It is looked at after every call: users are only asked about where calls say something.
    return byCalls > MISTAKES ? byCalls : Math.max(byCalls, this.#chanceByUsers(gate) / share);
  }

  #verdictOf(gate: Gate): Verdict {
    const { totals } = gate.test;
    if (totals.candidate.calls === 0 || totals.stable?.calls === 0) return 'no_calls';
    if (chanceByCalls(gate) / this.#shareOf(gate) > MISTAKES) return 'kept';
    if (this.#mistakeOf(gate) > MISTAKES) return 'too_few_users';
    return this.#hasTooFew ? 'too_few_calls' : 'failed';
  }

  #chanceByUsers({ test, isPaired }: Gate): number {
    const byUsers = test.chanceByUsers;
    if (byUsers === undefined || !isPaired) return byUsers ?? 0;
    const { calls, chance } = this.#standIns;
    // Of copies no user has more than another.
    if (calls === 0) return 0;
    // Either may be wrong: a tenth of the mistakes are for the one that needs few calls where it says anything.
    return Math.min(1, byUsers / 0.9, chance / 0.1);
  }

  /** Of the mistakes that may be made. Errors are what hurts most: they have half of them, and are found the sooner for it. */
  #shareOf(gate: Gate): number {
    return isOfErrors(gate) ? 0.5 : 0.5 / (this.#gates.length - 1);
  }
}

/** Of a call of the candidate's, whether it was asked, and it or who was asked next could answer. */
function isAnsweredByEither({ side, failed, next }: Observation): boolean {
  return side === 'candidate' && (failed === false || next === 'answered');
}

function isOfErrors({ gate, what }: Gate): boolean {
  return gate === 'compared' && what === ERRORS;
}

function chanceByCalls({ test }: Gate): number {
  return Math.exp(-test.log);
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
