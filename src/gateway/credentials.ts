import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Lane } from '../routing/lane.ts';
import type { Target } from '../routing/target.ts';
import type { Account, NextCredential, Upstream } from '../upstream/upstream.ts';
import type { Gateway } from './gateway.ts';
import { isModelGone } from './missing-model.ts';
import type { PlannedAttempt } from './plan.ts';
import type { Snapshot } from './snapshot.ts';

/** Told of what providers make of our credentials. Nothing is told of calls that change nothing. */
export interface CredentialReports {
  /** It is taken out; or, where it was to replace another, dropped. */
  rejected(credential: ReportedCredential, reason: string): void;
  /** It had been rejected, and is taken again. */
  accepted(credential: ReportedCredential): void;
  /** It is to replace the account's, and has shown that it can. */
  proven(credential: ReportedCredential): void;
}

export interface ReportedCredential {
  provider: string;
  account: string;
  /** Of one that is to replace the account's: its configuration. */
  next: NextCredential | undefined;
}

/** The code of what `upstream-failure.ts` makes of a rejected credential. */
const REJECTED = 'upstream_credentials_rejected';

/** Refusals that a credential on trial has to answer for: the one that it is to replace might not have had them. */
const FAILS_TRIAL: ReadonlySet<string | undefined> = new Set([
  REJECTED,
  'upstream_payment_required',
  'upstream_credit_short',
  'upstream_account_shut',
  'upstream_permission_denied',
]);

/** Statuses of refusals that may be about the credential or about the call: with the account's own it turns out. */
const MAY_BE_CREDENTIAL: ReadonlySet<number> = new Set([403, 404]);

/** An attempt with one of an account's credentials; `undefined` where the provider takes none of them. */
export function planAccount(
  target: Target,
  account: Account,
  lane?: Lane | undefined,
): PlannedAttempt | undefined {
  const { next, standing } = account;
  if (next === undefined || next.standing.isOut) {
    return standing.isOut ? undefined : { target, account, lane, standIn: undefined };
  }
  if (standing.isOut) return { target, account: next, lane, standIn: undefined };
  return next.standing.trial?.takesCall() === true
    ? { target, account: next, lane, standIn: account }
    : { target, account, lane, standIn: next };
}

/** The account with the credential that is in use, where nothing can take its place. */
export function inUse(account: Account): Account {
  const { next, standing } = account;
  return standing.isOut && next && !next.standing.isOut ? next : account;
}

/**
 * The same account with its other credential, where the failure may be the credential's: one that is on trial costs no call,
 * and one that was rejected is replaced at once. The call goes on with it.
 */
export function standInFor(
  { target, account, lane, standIn }: PlannedAttempt,
  failure: GatewayError,
): PlannedAttempt | undefined {
  if (!standIn) return undefined;
  const onTrial = account.standing.trial !== undefined;
  const isAtFault =
    failure.code === REJECTED ||
    (onTrial && (mayBeCredential(failure) || failure.kind !== 'upstream_rejected'));
  return isAtFault
    ? { target, account: standIn, lane, standIn: undefined, insteadOf: onTrial ? account : undefined }
    : undefined;
}

export function mayBeCredential({ kind, status, code }: GatewayError): boolean {
  return isModelGone(code) || (kind === 'upstream_rejected' && MAY_BE_CREDENTIAL.has(status));
}

/** Kinds of refusals that nobody gets whose credential is not accepted. */
const NEEDS_CREDENTIAL: ReadonlySet<ErrorKind> = new Set(['upstream_rejected', 'upstream_rate_limited']);

/** What a failed attempt says of its credential. */
export function noteFailure(
  gateway: Gateway,
  planned: Pick<PlannedAttempt, 'target' | 'account'>,
  { code, kind, message }: GatewayError,
): void {
  const { target, account } = planned;
  const { standing } = account;
  if (code === REJECTED || (standing.trial && FAILS_TRIAL.has(code))) {
    if (standing.reject()) reject(gateway, target.upstream, account, message);
  } else if (standing.isRejected && !standing.trial) {
    const isTaken = NEEDS_CREDENTIAL.has(kind) || FAILS_TRIAL.has(code) || isModelGone(code);
    if (isTaken) noteAcceptance(gateway, planned);
    else noteNothing(planned);
  }
}

/** Nothing was sent, the provider was down, or the client left: that says nothing of a rejected credential, and the next call is the probe. */
export function noteNothing({ account }: Pick<PlannedAttempt, 'account'>): void {
  const { standing } = account;
  if (standing.isRejected && !standing.trial) standing.probeNext();
}

/** What an attempt that went well says of its credential, where there is something to learn. */
export function noteAcceptance(
  gateway: Gateway,
  { target, account }: Pick<PlannedAttempt, 'target' | 'account'>,
): void {
  const news = account.standing.accept();
  if (news) gateway.credentials[news](describe(target.upstream, account));
}

/** The account's own credential was answered where the one on trial was refused: that was about the credential. */
export function noteStandIn(
  gateway: Gateway,
  { target, insteadOf }: PlannedAttempt,
  failure: GatewayError,
): void {
  if (!insteadOf || !mayBeCredential(failure)) return;
  if (insteadOf.standing.trial?.fail()) reject(gateway, target.upstream, insteadOf, failure.message);
}

/** Where no account is left whose credential the provider takes. */
export function credentialsRejected({ name }: Pick<Upstream, 'name'>): GatewayError {
  return new GatewayError(
    'upstream_unavailable',
    `The provider '${name}' did not accept the gateway's own credentials. Tell the gateway's operator; your key is fine.`,
    { code: REJECTED, retryable: false },
  );
}

function reject(gateway: Gateway, upstream: Upstream, account: Account, reason: string): void {
  gateway.credentials.rejected(describe(upstream, account), reason);
}

function describe({ name: provider }: Upstream, { name: account, replaces }: Account): ReportedCredential {
  return { provider, account, next: replaces };
}

/**
 * Has the next call of this instance probe a rejected credential. Gives whether it was rejected; `undefined` where there is no
 * such account.
 */
export function probeCredential(
  { routes }: Snapshot,
  provider: string,
  account: string,
): boolean | undefined {
  const found = routes.upstreams.get(provider)?.accounts.find(({ name }) => name === account);
  return found?.standing.probeNext();
}

/** The accounts whose credential their provider does not take, as this instance saw it. */
export function listRejected({ routes }: Snapshot): { provider: string; account: string }[] {
  return [...routes.upstreams.values()].flatMap(({ name: provider, accounts }) =>
    accounts
      .filter(({ standing }) => standing.isRejected)
      .map(({ name: account }) => ({ provider, account })),
  );
}

/** How calls of this instance stand with the credentials of a provider's accounts; `undefined` where there is no such provider. */
export function describeCredentials({ routes }: Snapshot, provider: string): JsonObject[] | undefined {
  return routes.upstreams.get(provider)?.accounts.map(({ name, standing, next }) => {
    const trial = next?.standing.trial;
    return {
      name,
      credential: standing.isRejected ? 'rejected' : 'in use',
      next: trial
        ? {
            outcome: trial.outcome,
            good: trial.good,
            share: trial.options.share,
            proveAfter: trial.options.proveAfter,
          }
        : null,
    };
  });
}
