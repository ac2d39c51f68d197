import { GatewayError } from '../conversation/gateway-error.ts';
import { MOST_SERVERS } from '../routing/resolve-targets.ts';
import type { Verdict } from '../routing/verdict.ts';
import type { Address } from '../upstream/addresses/address.ts';
import type { AddressFailure, AddressPool } from '../upstream/addresses/address-pool.ts';
import { describeNetworkError, networkError } from '../upstream/network-errors.ts';
import { redactSecrets } from '../upstream/secrets.ts';
import type { Account, Upstream } from '../upstream/upstream.ts';
import type { AttemptRecord } from '../usage/record.ts';
import type { Call } from './call.ts';
import type { Gateway } from './gateway.ts';
import { isModelGone } from './missing-model.ts';
import type { PlannedAttempt } from './plan.ts';

/** Codes of what ends a request of ours before it is sent. */
const OUR_DOING: ReadonlySet<unknown> = new Set(['UND_ERR_ABORTED', 'UND_ERR_DESTROYED', 'ABORT_ERR']);

/** What a request is sent to, where its account's addresses are looked up or checked. */
export interface TakenAddress {
  address: Address;
  pool: AddressPool;
}

/** Whether there is anything to send an attempt to: not where its account's servers are looked up, and none was found. */
export function hasAddress({ target, account }: Pick<PlannedAttempt, 'target' | 'account'>): boolean {
  return poolOf(target.upstream, account)?.addresses.length !== 0;
}

export function noAddress({ name }: Upstream): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    `The provider '${name}' has no server that is known at the moment.`,
  );
}

/**
 * Takes an address for an attempt, another than those that the call has tried; `undefined` where the base URL is all there is.
 * It is to be given back by `leaveAddress`. The attempt's record has it where there is a choice.
 *
 * @throws GatewayError `upstream_unavailable` where none is known yet
 */
export function takeAddress(
  planned: Pick<PlannedAttempt, 'target' | 'account' | 'tried'>,
  record?: Pick<AttemptRecord, 'address'>,
): TakenAddress | undefined {
  const { upstream } = planned.target;
  const pool = poolOf(upstream, planned.account);
  if (!pool) return undefined;
  planned.tried ??= [];
  const address = pool.choose(planned.tried);
  if (!address) throw noAddress(upstream);
  planned.tried.push(address);
  address.inFlight += 1;
  if (record && upstream.servers?.discovery) record.address = address.origin;
  return { address, pool };
}

export function leaveAddress({ address }: TakenAddress): void {
  address.inFlight -= 1;
}

/** The request was never sent. Where that is the address's fault, there was no connection to be had. */
export function refuseAddress({ address, pool }: TakenAddress, error: Error): void {
  const isNetwork = 'code' in error && typeof error.code === 'string' && !OUR_DOING.has(error.code);
  if (isNetwork && !(error instanceof GatewayError)) pool.refuse(address, describeNetworkError(error));
}

/** What a failure says of the address that the attempt was made at. */
export function failAddress(
  { address, pool }: TakenAddress,
  { code, cause }: GatewayError,
  { says, slow }: Verdict,
  attempt: Omit<AddressFailure, 'isBroken'>,
): void {
  if ((says === 'well' || says === 'limited') && attempt.wasAnswered !== true) pool.succeed(address);
  // A model that is missing is missing for who names it.
  if (says !== 'failing' || isModelGone(code)) return;
  pool.fail(address, { ...attempt, isBroken: cause !== undefined && !slow });
}

/** Tells the operator of a connection that failed; what it gives is for the caller. */
export function tellLostConnection(
  { log }: Pick<Gateway, 'log'>,
  { id: call }: Pick<Call, 'id'>,
  { target, account }: PlannedAttempt,
  taken: TakenAddress | undefined,
  error: Error,
): GatewayError {
  const failure = networkError(target.upstream.name, error);
  const reason = redactSecrets(describeNetworkError(error), account.secrets());
  const address = taken && { address: taken.address.origin };
  log.warn(
    { call, target: target.name, account: account.name, ...address, kind: failure.kind, reason },
    'the connection to a provider failed',
  );
  return failure;
}

/**
 * Whether an attempt that failed at one address is to be made at another. `room`: attempts that are left for that. Addresses where no
 * connection was to be had cost nothing.
 */
export function hasOtherAddress({ target, account, tried }: PlannedAttempt, room: number): boolean {
  if (!tried || room <= 0) return false;
  if (tried.filter(({ isWell }) => isWell).length >= MOST_SERVERS) return false;
  return poolOf(target.upstream, account)?.hasOther(tried) === true;
}

/**
 * The server of the last attempt wants to be left alone. Gives whether it is one of those that are looked up: then its place is left alone
 * for as long as all that are there say so. Else it is the place.
 */
export function restAddress({ target, account, tried }: PlannedAttempt, forMs: number): boolean {
  const { servers } = target.upstream;
  const address = tried?.at(-1);
  if (!servers?.discovery || !address) return false;
  servers.pools.get(account.name)?.rest(address, forMs);
  return true;
}

/** Attempts at accounts none of whose addresses is well come last; they are not left out. */
export function putUnwellLast(plan: PlannedAttempt[]): PlannedAttempt[] {
  if (plan.length < 2 || !plan.some(isUnwell)) return plan;
  return [...plan.filter((planned) => !isUnwell(planned)), ...plan.filter(isUnwell)];
}

function isUnwell({ target, account }: PlannedAttempt): boolean {
  const pool = poolOf(target.upstream, account);
  return pool !== undefined && !pool.isWell;
}

function poolOf({ servers }: Upstream, { name }: Account): AddressPool | undefined {
  return servers?.pools.get(name);
}
