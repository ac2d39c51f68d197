import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { NO_USAGE } from '../conversation/usage.ts';
import type { Hedging } from '../routing/hedging.ts';
import type { Lane } from '../routing/lane.ts';
import { orderAccounts } from '../routing/order-accounts.ts';
import { orderTargets } from '../routing/order-targets.ts';
import type { DivertedRefusal } from '../routing/refusals.ts';
import type { Route, Target } from '../routing/target.ts';
import type { Address } from '../upstream/addresses/address.ts';
import type { Account, Upstream } from '../upstream/upstream.ts';
import type { Operation } from '../usage/record.ts';
import { adviseAccess } from './advise-access.ts';
import { takenOutputAt } from './bound-call.ts';
import type { Call, PinnedAccount } from './call.ts';
import { ableTargets, inputEstimate } from './call-needs.ts';
import { putUnwellLast } from './choose-address.ts';
import { chooseSide, notePlanned } from './choose-side.ts';
import { mustCountLocally } from './count-locally.ts';
import { credentialsRejected, planAccount } from './credentials.ts';
import type { Gateway } from './gateway.ts';
import { hasPlaceFor, mayServe, outOfRegion } from './regions.ts';
import { followSuccessors } from './retire-model.ts';
import { runsOn } from './settle.ts';

/** One thing to try: a target with one of the accounts at its provider. */
export interface PlannedAttempt {
  target: Target;
  account: Account;
  /** How attempts there do; absent where nobody is asked. */
  lane?: Lane | undefined;
  /** The account with its other credential, for when this one is at fault. */
  standIn?: Account | undefined;
  /** Only for calls that others refused for this. */
  only?: DivertedRefusal | undefined;
  /** The credential on trial that was refused, where this is the attempt that shows whether the call is to blame. */
  insteadOf?: Account | undefined;
  /** The addresses that it was made at. */
  tried?: Address[] | undefined;
}

/** However it is configured, a call makes no more upstream requests than this. */
export const MAX_ATTEMPTS = 11;

/** So many places are looked at, of which some may not be there to be called. */
const MOST_PLANNED = 64;

/**
 * The second step: what to try, in order: each target, as the model's strategy has it, with each of its provider's accounts.
 *
 * @throws GatewayError `forbidden` or `not_found`. A model that the caller may not call is forbidden whether it
 * exists or not, so the answer tells nothing about what others have. `upstream_unavailable` where no account is left
 * whose credential is accepted.
 */
export function planAttempts(gateway: Gateway, call: Call): PlannedAttempt[] {
  const { caller, model = '' } = call;
  if (!caller.mayCall(model)) {
    throw new GatewayError(
      'forbidden',
      `This key may not call the model '${model}'. ${adviseAccess(caller, model)}`,
      {
        param: 'model',
        code: 'model_not_allowed',
      },
    );
  }
  const { model: answering, route: resolved } = followSuccessors(call.snapshot, model, gateway.now());
  if (!resolved) throw unknownModel(call, answering);
  const rollout = call.snapshot.rollouts.get(answering);
  const route = rollout ? chooseSide(call, resolved, rollout) : resolved;
  call.retries = route.retries;
  call.recoveryMs = route.recoveryMs ?? 0;
  call.unsaidOutput = route.unsaidOutput;
  const plan: PlannedAttempt[] = [];
  let rejecting: Upstream | undefined;
  const order = targetsInOrder(gateway, call, route);
  if (call.rollout) notePlanned(call, order[0]);
  for (const target of order) {
    const ofTarget = addPlaces(gateway, call, plan, target);
    rejecting ??= ofTarget;
  }
  if (plan.length === 0) throw rejecting ? credentialsRejected(rejecting) : nowhere(call, route);
  call.continues = route.continueStreams === true && mayGoOn(call);
  if (route.hedging) planHedge(call, route.hedging, plan.length > 1);
  const { contextLength, contentPolicy } = route.fallbacks;
  for (const target of contextLength ?? []) addPlaces(gateway, call, plan, target, 'contextLength');
  for (const target of contentPolicy ?? []) addPlaces(gateway, call, plan, target, 'contentPolicy');
  return putUnwellLast(plan);
}

/** What to try of given targets, in their order: each with its accounts. For calls that no client made. */
export function planTargets(gateway: Gateway, call: Call, targets: readonly Target[]): PlannedAttempt[] {
  const plan: PlannedAttempt[] = [];
  let rejecting: Upstream | undefined;
  for (const target of targets) {
    const ofTarget = addPlaces(gateway, call, plan, target);
    rejecting ??= ofTarget;
  }
  if (plan.length === 0 && rejecting) throw credentialsRejected(rejecting);
  return putUnwellLast(plan);
}

/** Calls that get a second attempt: what they may use is bounded, and nothing comes of it but their answer. */
const HEDGED: ReadonlySet<Operation> = new Set(['generate', 'embed']);

/** What is kept at one account, or may run on there, is nobody else's to go on with. */
function mayGoOn(call: Call): boolean {
  const { door, stream, spans } = call;
  const isGenerated = stream && door.operation === 'generate' && door.relaysAs === undefined;
  return isGenerated && spans['thread'] === undefined && !runsOn(call);
}

/** When the call may get a second attempt beside its first. */
function planHedge(call: Call, hedging: Hedging, hasOther: boolean): void {
  hedging.countCall();
  if (call.upload || !HEDGED.has(call.door.operation) || runsOn(call)) return;
  call.hedging = hedging;
  if (hasOther) call.hedgeAfterMs = hedging.delayMs(call.stream);
}

/** Adds a target with each of its accounts. Gives the upstream where it takes the credential of one of them no more. */
function addPlaces(
  gateway: Gateway,
  call: Call,
  plan: PlannedAttempt[],
  target: Target,
  only?: DivertedRefusal,
): Upstream | undefined {
  let rejecting: Upstream | undefined;
  const asksNobody = mustCountLocally(call, target);
  const isCount = call.door.operation === 'count';
  const { accounts } = target.upstream;
  for (const index of accounts.length === 1 ? ONLY : accountsInOrder(gateway, target)) {
    const account = accounts[index] as Account;
    if (!isPlanned(call, target, account) || plan.length >= MOST_PLANNED) continue;
    const lane = target.lanes?.[index];
    const planned: PlannedAttempt | undefined = asksNobody
      ? { target, account }
      : planAccount(target, account, isCount ? lane?.counting : lane);
    if (planned && only) planned.only = only;
    if (planned) plan.push(planned);
    else rejecting = target.upstream;
  }
  return rejecting;
}

const ONLY = [0];

function accountsInOrder({ monotonicMs, random }: Gateway, target: Target): number[] {
  return orderAccounts(target, monotonicMs(), random);
}

function targetsInOrder(gateway: Gateway, call: Call, route: Route): readonly Target[] {
  const { random, monotonicMs } = gateway;
  const { stream } = call;
  const order = orderTargets(route, {
    stream,
    random,
    monotonicMs,
    costOf: (target) => estimateCost(gateway, call, target),
  });
  return route.isSelective ? ableTargets(call, order) : order;
}

/** For comparing targets: what the input is likely to cost, and as much output as it may have there. */
function estimateCost({ prices, now }: Gateway, call: Call, target: Target): number | null {
  const usage = { ...NO_USAGE, input: inputEstimate(call), output: takenOutputAt(call, target) };
  return prices.costMicroUsd(target.name, usage, now());
}

function isPlanned({ pinned, caller }: Call, target: Target, account: Account): boolean {
  const { upstream, account: only } = target;
  const { name } = account;
  if ((only !== undefined && only !== name) || !mayServe(caller, target, account)) return false;
  return !pinned || (pinned.provider === upstream.name && pinned.account === name);
}

/** Whether the model of a call has other accounts than the one that it is pinned to. */
export function leadsElsewhere(
  { snapshot, model = '' }: Call,
  { provider, account }: PinnedAccount,
): boolean {
  const { targets = [] } = snapshot.routes.resolve(model) ?? {};
  return targets.some((target) =>
    target.upstream.accounts.some(
      ({ name }) =>
        (target.account ?? name) === name && (target.upstream.name !== provider || name !== account),
    ),
  );
}

/** No target is left: none of them is where the caller may be served, or what the call is pinned to. */
function nowhere(call: Call, { targets }: Route): GatewayError {
  const { caller, model = '' } = call;
  if (targets.some((target) => hasPlaceFor(caller, target))) return keptElsewhere(call);
  return outOfRegion(caller, `The model '${model}'`);
}

/** A call that is pinned to what none of its targets are. */
function keptElsewhere({ model = '', pinned }: Call): GatewayError {
  if (pinned?.refuse) return pinned.refuse();
  return invalidRequest(
    `${pinned?.what ?? 'What it names'} is kept by a provider account that the model '${model}' does not lead to. Call a model of that provider, or send what is meant itself.`,
    pinned?.param,
    pinned?.code,
  );
}

function unknownModel(call: Call, model: string): GatewayError {
  const advice =
    call.snapshot.missingProviders.get(model.split('/', 1)[0] ?? '') ??
    "GET /v1/models lists the configured models that this key may call; 'provider/model' names one of a provider's directly.";
  return new GatewayError('not_found', `The model '${model}' does not exist. ${advice}`, {
    param: 'model',
    code: 'model_not_found',
  });
}
