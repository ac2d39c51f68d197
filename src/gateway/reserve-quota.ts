import { setImmediate } from 'node:timers';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import {
  addUsage,
  inputTokens,
  NO_USAGE,
  outputTokens,
  subtractUsage,
  type Usage,
} from '../conversation/usage.ts';
import { findBackground } from '../dialects/background.ts';
import { type Demand, type Limit, reservedNanoUsd, spentNanoUsd } from '../quotas/limit.ts';
import { describeRefusal } from '../quotas/refusals.ts';
import { type Refusal, Reservation, USED_NOTHING, type Used } from '../quotas/reservation.ts';
import { boundTokens } from '../tokens/bound-tokens.ts';
import type { Recount } from '../usage/ledger.ts';
import { isPricedByAttempt, OPERATIONS, type Operation, type UsageRecord } from '../usage/record.ts';
import { askedKinds } from './asked-kinds.ts';
import { findAskedTier } from './asked-tier.ts';
import { attemptsAtOnce, boundOutput } from './bound-call.ts';
import type { Call } from './call.ts';
import { boundInput } from './count-input.ts';
import type { Gateway } from './gateway.ts';
import { isFree } from './object-call.ts';
import { boundOtherCost, findOtherModels } from './other-models.ts';
import type { PlannedAttempt } from './plan.ts';
import { tierWithoutPrice } from './refuse-unpriced.ts';

/** Operations whose tokens are bounded and reserved. What others (images, audio) use is counted when it is known. */
const RESERVES_TOKENS: ReadonlySet<Operation> = new Set(['generate', 'embed']);

/** A larger body is refused by the bound: counting it would take longer than waiting. Those of many pictures are within it. */
const MAX_COUNTED_BYTES = 32 * 1024 * 1024;

/**
 * A bound by bytes is several times what ordinary text comes to. Where not so much more than it is left, one that is worth it and soon
 * counted is counted first, so that calls do not keep each other out by what they do not use.
 */
const SPARE = 3;
const [LEAST_COUNTED_FIRST, MOST_COUNTED_FIRST] = [4 * 1024, 1024 * 1024];

/**
 * Takes what a call may need of all its limits before anything is sent: one call each, and tokens and money by an upper
 * bound, of the dearest target that it may come to. Gives nothing to wait for where no limit applies or all counters are
 * in this process.
 *
 * @throws GatewayError `rate_limited`, `budget_exceeded`, `overloaded`; `invalid_request` for a limit of output that is none
 */
export function reserveQuota(
  gateway: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
): Promise<void> | undefined {
  const limits = call.caller.limits?.find(call.model ?? batchTarget(call, plan), call.door.prompt);
  if (!limits || limits.length === 0) return undefined;
  const demand = boundDemand(gateway, call, plan, limits, undefined);
  const outcome = gateway.quotas.reserve(limits, demand, call.id);
  if (outcome instanceof Promise) {
    return outcome.then((answer) => takeOrCount(gateway, call, plan, answer));
  }
  return takeOrCount(gateway, call, plan, outcome);
}

/**
 * The same for a call that asks nobody: one call of each limit, and nothing of tokens and money, however spent they are.
 *
 * @throws GatewayError `rate_limited`, `overloaded`
 */
export function reserveRequest(gateway: Gateway, call: Call): Promise<void> | undefined {
  const limits = call.caller.limits?.find(call.model, call.door.prompt);
  if (!limits || limits.length === 0) return undefined;
  const takeOrRefuse = (outcome: Reservation | Refusal) => {
    if (!(outcome instanceof Reservation)) throw refuse(call, outcome, outcome.amount);
    take(gateway, call, outcome);
  };
  const demand: Demand = { calls: 1, tokens: 0, nanoUsd: 0, costs: false, spare: 0 };
  const outcome = gateway.quotas.reserve(limits, demand, call.id);
  if (outcome instanceof Promise) return outcome.then(takeOrRefuse);
  takeOrRefuse(outcome);
  return undefined;
}

type Settling = Pick<Gateway, 'quotas' | 'prices' | 'log'>;

/** Which models the lines of a batch name is not known when it is made: it meets the limits on all of its provider's, as `openai/batches`. */
function batchTarget({ object }: Call, plan: readonly PlannedAttempt[]): string | undefined {
  return object && !isFree(object) ? plan[0]?.target.name : undefined;
}

/** What was used, where nothing is known of it (the call failed, or nobody said), is nothing. */
export function settleQuota(gateway: Settling, reservation: Reservation, record: UsageRecord): void {
  gateway.quotas.settle(reservation, usedBy(gateway, reservation, record));
}

/**
 * The same of a call that is over and of which is counted later what it used: its budgets are settled with the count, as its record is.
 * Until then they have what it reserved. Gives what the ledger is to be handed, and what begins to count.
 */
export function settleQuotaLate(
  gateway: Settling,
  reservation: Reservation,
  record: UsageRecord,
  recount: Recount,
): Recount & { begin(): void } {
  gateway.quotas.end(reservation, usedBy(gateway, reservation, record));
  const counted = Promise.withResolvers<Usage | undefined>();
  let isDropped = false;
  // Nobody waits for it: what it threw would end the process.
  const count = async () => {
    let usage: Usage | undefined;
    try {
      usage = await recount.count();
      const final = usage ? { ...record, usage: { ...record.usage, ...usage } } : record;
      settleQuota(gateway, reservation, final);
    } catch (err) {
      const { tokens, nanoUsd } = reservation.demand;
      gateway.quotas.settle(reservation, { calls: 1, tokens, nanoUsd });
      gateway.log.error(
        { call: record.id, err },
        'a call could not be settled: it is taken to have used all that it reserved',
      );
    } finally {
      // The ledger waits for it, whatever became of the budgets.
      counted.resolve(usage);
    }
  };
  return {
    // After the answer went out.
    begin: () => {
      if (!isDropped) setImmediate(() => void count());
    },
    count: () => counted.promise,
    drop: () => {
      isDropped = true;
      recount.drop();
      settleQuota(gateway, reservation, record);
    },
  };
}

function usedBy(gateway: Settling, reservation: Reservation, record: UsageRecord): Used {
  const { usage, target, operation, startedAt, costMicroUsd } = record;
  if (!usage || !reservation.demand.costs) return USED_NOTHING;
  const isOwnKind = 'unpublished' in OPERATIONS[operation];
  let cost: number | null = 0;
  if (target !== null && hasMoney(reservation.limits)) {
    const isKnown = costMicroUsd !== null || isPricedByAttempt(record);
    cost = isKnown ? costMicroUsd : gateway.prices.costMicroUsd(target, usage, startedAt, isOwnKind);
    // The ledger need not price it again, unless it is to be counted first.
    if (!usage.estimated) record.costMicroUsd = cost;
    cost ??= leastCost(gateway, record, target, usage, isOwnKind);
  }
  return {
    calls: 1,
    tokens: inputTokens(usage) + outputTokens(usage),
    nanoUsd: spentNanoUsd(cost ?? 0),
  };
}

/**
 * What a budget counts of a call that has no price because of its tiers, or of other models: nobody asked for those (the account has
 * them, a stored prompt had them), so it was not refused. No less than the standard price of what was called; what that is not known of
 * either, no budget counts.
 */
function leastCost(
  { prices }: Settling,
  record: UsageRecord,
  target: string,
  usage: Usage,
  isOwnKind: boolean,
): number {
  const { attempts, startedAt } = record;
  let cost = 0;
  let ofLast = addUsage(NO_USAGE, usage);
  for (const { target: earlier, usage: used, costMicroUsd } of attempts) {
    if (!used) continue;
    cost += costMicroUsd ?? prices.costMicroUsd(earlier, addUsage(NO_USAGE, used), startedAt, isOwnKind) ?? 0;
    ofLast = subtractUsage(ofLast, used);
  }
  const { tier } = usage;
  const inTier =
    tier === undefined ? null : prices.costMicroUsd(target, { ...ofLast, tier }, startedAt, isOwnKind);
  return cost + (inTier ?? prices.costMicroUsd(target, ofLast, startedAt, isOwnKind) ?? 0);
}

function takeOrCount(
  gateway: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
  outcome: Reservation | Refusal,
): Promise<void> | undefined {
  if (outcome instanceof Reservation) {
    take(gateway, call, outcome);
    return undefined;
  }
  const least = leastDemand(gateway, call, plan, outcome);
  const { available, amount } = outcome;
  // What fits by its bound was only kept from taking much of what is left.
  const mayFit = least < amount ? least <= available : amount <= available;
  if (available > 0 && mayFit) return reserveCounted(gateway, call, plan);
  throw refuse(call, outcome, least);
}

/** The answer tells of the rate that refuses. */
function refuse(call: Call, refusal: Refusal, least: number): GatewayError {
  call.refusal = refusal;
  return describeRefusal(refusal, least);
}

function take(gateway: Gateway, call: Call, reservation: Reservation): void {
  // Its client left while the counters were asked: nobody will settle it any more.
  if (call.settled) gateway.quotas.settle(reservation, USED_NOTHING);
  else {
    call.reservation = reservation;
    // What a crash that cuts the call off is recorded to have cost.
    if (hasMoney(reservation.limits)) call.reservedCostMicroUsd = reservation.demand.nanoUsd / 1000;
  }
}

/** What the call would take if its input came to nothing: as long as that fits, what the input really comes to decides. */
function leastDemand(
  gateway: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
  { limit, amount }: Refusal,
): number {
  const { body, door } = call;
  if (limit.measure === 'calls' || !RESERVES_TOKENS.has(door.operation)) return amount;
  if (body.length > MAX_COUNTED_BYTES || !plan[0]) return amount;
  return boundDemand(gateway, call, plan, [limit], 0)[limit.measure];
}

/** The bound by bytes does not fit, or takes much of what is left: the input is counted, and what it comes to decides. */
async function reserveCounted(gateway: Gateway, call: Call, plan: readonly PlannedAttempt[]): Promise<void> {
  const model = plan[0]?.target.model ?? '';
  let counted: number | undefined;
  let busy: GatewayError | undefined;
  try {
    counted = Math.min(await boundInput(gateway.tokens, call, model), boundTokens(call.body.length));
  } catch (thrown) {
    // What cannot be read, or too much that waits to be counted: then the bound is all there is, of the latter for the moment.
    const message = thrown instanceof GatewayError ? thrown.message : String(thrown);
    if (thrown instanceof GatewayError && thrown.kind === 'overloaded') busy = thrown;
    gateway.log.warn(
      { call: call.id, reason: message },
      'a call could not be counted and is limited by its size',
    );
  }
  if (call.settled) return;
  const limits = call.caller.limits?.find(call.model, call.door.prompt) ?? [];
  const demand = { ...boundDemand(gateway, call, plan, limits, counted), spare: 0 };
  const outcome = await gateway.quotas.reserve(limits, demand, call.id);
  if (!(outcome instanceof Reservation)) throw busy ?? refuse(call, outcome, outcome.amount);
  take(gateway, call, outcome);
}

/** `counted`: the input in tokens, where it was counted. */
function boundDemand(
  gateway: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
  limits: readonly Limit[],
  counted: number | undefined,
): Demand {
  const { door, body, object } = call;
  const costs = door.operation !== 'count' && !(object && isFree(object));
  const isLarge = body.length >= LEAST_COUNTED_FIRST && body.length <= MOST_COUNTED_FIRST;
  const demand: Demand = { calls: 1, tokens: 0, nanoUsd: 0, costs, spare: isLarge ? SPARE : 0 };
  if (!costs || !RESERVES_TOKENS.has(door.operation) || !hasTokens(limits)) return demand;
  const background = findBackground(body, call.spans, door.dialect.name);
  if (background !== undefined) throw unboundedRun(background);
  const input = counted ?? boundTokens(body.length);
  const output = requireBound(call);
  demand.tokens = (input + output) * attemptsAtOnce(call);
  if (hasMoney(limits)) demand.nanoUsd = boundCost(gateway, call, plan, input, output);
  return demand;
}

/** What servers would read in different ways bounds nothing. It is refused only to whom a limit is on. */
function requireBound(call: Call): number {
  const bound = boundOutput(call);
  if (typeof bound === 'number') return bound;
  const { param } = bound;
  throw invalidRequest(
    `'${param}' must be a whole number, or be left out: tokens or money are limited here, and this sets no limit for the answer.`,
    param,
  );
}

/**
 * Of the dearest target, in the tier and of the kinds of tokens that are asked for, so that a failover needs no more; twice where a second
 * attempt may run beside the first. What has no price is not bounded by money.
 */
function boundCost(
  gateway: Gateway,
  call: Call,
  plan: readonly PlannedAttempt[],
  input: number,
  output: number,
): number {
  const asks = askedKinds(call.body);
  const usage = { ...NO_USAGE, input, output };
  const others = findOtherModels(call);
  let dearest = 0;
  let priced: string | undefined;
  for (const planned of plan) {
    const { name } = planned.target;
    // Accounts of one target stand next to each other.
    if (name === priced) continue;
    priced = name;
    const standard = gateway.prices.mostMicroUsd(name, { input, output }, call.startedAt, asks) ?? 0;
    const asked = standard > 0 ? findAskedTier(call, planned) : undefined;
    const tiered =
      asked && gateway.prices.mostMicroUsd(name, { input, output, tier: asked.tier }, call.startedAt, asks);
    if (asked && tiered === null) throw tierWithoutPrice(call.model ?? '', asked);
    const beside = others && standard > 0 ? boundOtherCost(gateway, call, planned, others, usage) : 0;
    dearest = Math.max(dearest, Math.max(standard, tiered ?? 0) + beside);
  }
  return reservedNanoUsd(dearest * attemptsAtOnce(call));
}

/** What runs on after the call is not counted when the call ends, and nobody tells when it ends. */
function unboundedRun(param: string): GatewayError {
  return invalidRequest(
    `'${param}' asks for a run that goes on when this call is over, and tokens or money are limited here. Leave it out: a stream can run as long.`,
    param,
    'background_not_counted',
  );
}

function hasMoney(limits: readonly Limit[]): boolean {
  for (const limit of limits) if (limit.measure === 'nanoUsd') return true;
  return false;
}

function hasTokens(limits: readonly Limit[]): boolean {
  for (const limit of limits) if (limit.measure !== 'calls') return true;
  return false;
}
