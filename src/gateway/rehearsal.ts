import { AnswerTap } from '../captures/capture.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { RANKS } from '../overload/bounds.ts';
import { Holder } from '../overload/share.ts';
import type { Side } from '../rollouts/comparisons.ts';
import type { Observation } from '../rollouts/observation.ts';
import { observe } from '../rollouts/observe.ts';
import type { Rollout } from '../rollouts/rollout-book.ts';
import type { Target } from '../routing/target.ts';
import { boundUsage, toCallRow } from '../usage/call-row.ts';
import { OPERATOR } from '../usage/operator.ts';
import type { UsageRecord } from '../usage/record.ts';
import type { Scores } from '../usage/rollout-note.ts';
import { admitCall } from './admit.ts';
import type { Call, CallAddress } from './call.ts';
import { findAble } from './call-needs.ts';
import { isAttemptAt, isSameTarget, type ModelRollout, noteRollout } from './choose-side.ts';
import { copiedBody } from './copied-body.ts';
import type { Door } from './door.ts';
import type { Gateway } from './gateway.ts';
import { type JudgedCall, judgeLater } from './judge-answer.ts';
import type { OwnCalls } from './own-calls.ts';
import type { PairJudge } from './pair-judge.ts';
import { hasPlaceFor, type Regions } from './regions.ts';
import type { Caller } from './snapshot.ts';

/** The key that calls of rehearsals are recorded under. */
const REHEARSAL_KEY = 'rehearsal';

/** A call that is made again. */
export interface RehearsedRequest {
  door: Door;
  body: Buffer;
  address?: CallAddress | undefined;
  /** Where it may be served, where it was a tenant's. */
  regions?: Regions | undefined;
  /** How it went, where that is known: the stable is not asked again then, if it was the stable that answered. */
  answered?: { record: UsageRecord; response: JsonObject } | undefined;
}

/** What a side made of it. */
export type SideResult = Observation & Pick<UsageRecord, 'target' | 'outcome'>;

export type Rehearsed =
  | {
      stable: SideResult | null;
      candidate: SideResult | null;
      /** What a judge makes of both: `unread` where that cannot be read, `null` where it was not asked. */
      scores: Scores | 'unread' | null;
    }
  | { skipped: string };

/** What a side made of it, and its answer. */
interface Answered {
  result: SideResult | undefined;
  call: JudgedCall;
  /** Nobody was asked, for it cannot be said in the dialect of who was to be. */
  isUntold?: boolean;
}

export interface RehearsalOptions {
  gateway: () => Gateway;
  own: OwnCalls;
  judge: Pick<PairJudge, 'wants' | 'judge'>;
}

/**
 * Makes calls again at the candidate of a rollout, and at its stable where it is not known how those went: for what both came to. They cost
 * the operator, and are no evidence of the rollout itself.
 */
export class Rehearsal {
  readonly #options: RehearsalOptions;
  readonly #caller: Caller = {
    ...{ tenant: OPERATOR, key: REHEARSAL_KEY, mayCall: () => true, mayPrompt: () => true },
    ...{ limits: undefined, holder: new Holder(), rank: RANKS.low },
  };

  constructor(options: RehearsalOptions) {
    this.#options = options;
  }

  /** @throws GatewayError where the model is in no rollout, or the gateway stops */
  async rehearse(model: string, request: RehearsedRequest): Promise<Rehearsed> {
    const { snapshot } = this.#options.gateway();
    const moved = snapshot.rollouts.get(model);
    const route = snapshot.routes.resolve(model);
    if (!moved || !route) throw new GatewayError('not_found', `No model '${model}' is in a rollout.`);
    const { candidate, wayBack } = moved;
    // All that the model has behind the candidate, or had before that was in the stable's place.
    const stables = (wayBack?.().candidate ?? moved.route).targets.slice(1);
    const probe = this.#make(request, stables, route.retries).call;
    const mistake = readMistake(probe);
    if (mistake !== undefined) return { skipped: mistake };
    const body = copiedBody(probe);
    if (!body) return { skipped: 'its provider would do more than answer it, or keeps what it goes on from' };
    if (findAble(probe, [candidate]).length === 0)
      return { skipped: 'it asks for what the candidate cannot do' };
    if (!hasPlaceFor(request, candidate))
      return { skipped: 'its tenant does not allow the region of the candidate' };
    const again = { ...request, body };
    const [ofStable, ofCandidate] = await Promise.all([
      this.#ofStable(again, stables, moved, route.retries),
      this.#call(again, 'candidate', [candidate], moved, route.retries),
    ]);
    if (ofCandidate.isUntold) return { skipped: 'the candidate cannot be told it' };
    if (!ofStable.result) return { skipped: 'the stable does not answer it' };
    const scores = await this.#judge(moved.rollout, again, ofStable, ofCandidate);
    return { stable: ofStable.result ?? null, candidate: ofCandidate.result ?? null, scores: scores ?? null };
  }

  async #judge(
    rollout: Rollout,
    { door, body, address, regions }: RehearsedRequest,
    stable: Answered,
    candidate: Answered,
  ): Promise<Scores | 'unread' | undefined> {
    const { judge } = this.#options;
    const areAnswered = [stable, candidate].every(({ result }) => result?.outcome === 'ok');
    if (!areAnswered || !judge.wants(rollout)) return undefined;
    const pair = {
      request: { door, body, address, regions },
      ...{ stable: stable.call, candidate: candidate.call },
    };
    return judge.judge(rollout, pair, false);
  }

  #ofStable(
    request: RehearsedRequest,
    stables: readonly Target[],
    moved: ModelRollout,
    retries: number,
  ): Promise<Answered> {
    const { door, body, address, answered } = request;
    if (!answered || !isAnsweredBy(answered.record, stables, moved))
      return this.#call(request, 'stable', stables, moved, retries);
    const tap = new AnswerTap();
    tap.push(JSON.stringify(answered.response));
    const { name } = moved.rollout.spec;
    const record: UsageRecord = { ...answered.record, rollout: { name, side: 'stable', flags: [] } };
    // What was streamed is kept whole.
    return this.#observe({ door, body, address, caller: this.#caller, stream: false, tap }, record);
  }

  async #call(
    request: RehearsedRequest,
    side: Side,
    targets: readonly Target[],
    moved: ModelRollout,
    retries: number,
  ): Promise<Answered> {
    const { own } = this.#options;
    if (own.isStopped) throw new GatewayError('overloaded', 'The gateway is stopping; try again.');
    const made = own.send(this.#make(request, targets, retries));
    const record = await made.over;
    const { call } = made;
    if (record.outcome === 'invalid_request' && call.attempts.length === 0)
      return { result: undefined, call, isUntold: true };
    const { candidate, stable } = moved;
    // Only now: what is noted in a record is learned from.
    call.rollout = {
      ...{ name: moved.rollout.spec.name, side, isWatched: true, candidate, stable },
      ...(side === 'stable' && { moved }),
    };
    const rollout = noteRollout(call, record.outcome);
    return rollout ? this.#observe(call, this.#price({ ...record, rollout })) : { result: undefined, call };
  }

  /** As the ledger does when it writes the record. */
  #price(record: UsageRecord): UsageRecord {
    const { target, usage, costMicroUsd, startedAt } = record;
    if (costMicroUsd !== null || target === null || !usage) return record;
    const { prices } = this.#options.gateway();
    return { ...record, costMicroUsd: prices.costMicroUsd(target, boundUsage(usage), startedAt, false) };
  }

  async #observe(call: JudgedCall, record: UsageRecord): Promise<Answered> {
    await judgeLater(this.#options.gateway(), call, record, undefined)?.count();
    const observation = observe(toCallRow(record));
    const { target, outcome } = record;
    return { result: observation && { ...observation, target, outcome }, call };
  }

  #make({ door, body, address, regions }: RehearsedRequest, targets: readonly Target[], retries: number) {
    const { own, gateway } = this.#options;
    const { snapshot } = gateway();
    const model = targets[0]?.name;
    const caller = { ...this.#caller, regions };
    return own.make({ door, body, address, snapshot, caller, targets, retries, model });
  }
}

/** Whether a stable answered a call. Where both are releases of one target, the record says which of them. */
function isAnsweredBy(
  { outcome, attempts, rollout }: UsageRecord,
  stables: readonly Target[],
  { candidate, stable }: ModelRollout,
): boolean {
  const last = attempts.findLast((attempt) => attempt.outcome === 'ok');
  if (outcome !== 'ok' || !last || !stables.some((target) => isAttemptAt(last, target))) return false;
  return !isSameTarget(candidate, stable) || rollout?.side !== 'candidate';
}

/** What is wrong with a request that is none. */
function readMistake(call: Call): string | undefined {
  try {
    admitCall(call);
    return undefined;
  } catch (thrown) {
    if (thrown instanceof GatewayError) return thrown.message;
    throw thrown;
  }
}
