import type { ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { LARGER_THAN_LIMIT } from '../dialects/larger-than-limit.ts';
import { isTlsCode } from '../upstream/network-errors.ts';

/** What follows from a failed attempt. */
export interface Verdict {
  /**
   * Where the call goes on: at the next account of the same target first, at the next target first (other accounts of this one after
   * all others), or nowhere: the failure is the answer.
   */
  next: 'account' | 'target' | 'none';
  /** The same may be tried again at the same place, after a pause. */
  again: boolean;
  /**
   * What it says of the place. `limited`: it is well, and wants to be left alone for a while; `spent`: its account is out of credit, `shut`:
   * its provider lets it do nothing any more, both for all that is called there.
   */
  says: 'failing' | 'limited' | 'spent' | 'shut' | 'well' | 'nothing';
  /** Of the connection, and so of everything at the same address. */
  unreachable?: true;
  /** The connection was lost behind the request: of several servers this one may be gone. */
  lost?: true;
  /** It took a time-out to fail. */
  slow?: true;
}

const FINAL: Verdict = { next: 'none', again: false, says: 'nothing' };

/** The provider is well, and does not take this call. */
const REFUSED: Verdict = { next: 'none', again: false, says: 'well' };

/** The provider is well, and does not go on with what another began: that says nothing of the call. */
const NOT_CONTINUED: Verdict = { ...REFUSED, next: 'target' };

const FAILING: Verdict = { next: 'target', again: true, says: 'failing' };

const LOST: Verdict = { ...FAILING, lost: true };

const UNREACHABLE: Verdict = { ...FAILING, unreachable: true };

/** It may still be at work on the call: that is not begun there a second time. */
const SLOW: Verdict = { next: 'target', again: false, says: 'failing', slow: true };

/** By what the account is, another may do better; the operator has been told. */
const ACCOUNT: Verdict = { next: 'account', again: false, says: 'nothing' };

/** The model is gone there, whatever is called: another target may do better. */
const MODEL_GONE: Verdict = { next: 'target', again: false, says: 'failing' };

/** By the kinds of errors; others are no provider's, and final. */
const BY_KIND: Partial<Record<ErrorKind, Verdict>> = {
  upstream_rejected: REFUSED,
  upstream_rate_limited: { next: 'account', again: true, says: 'limited' },
  upstream_unavailable: FAILING,
  upstream_timeout: FAILING,
};

/** The code of an attempt at which its call took longer than the target's `timeouts.total`. */
export const TOTAL_TIMEOUT = 'upstream_total_timeout';

/** By the codes that the gateway gives failures: they say more than their kinds. */
const BY_CODE: Record<string, Verdict> = {
  upstream_credentials_rejected: ACCOUNT,
  upstream_payment_required: { ...ACCOUNT, says: 'spent' },
  // Smaller calls may go well.
  upstream_credit_short: ACCOUNT,
  upstream_account_shut: { ...ACCOUNT, says: 'shut' },
  upstream_permission_denied: ACCOUNT,
  upstream_model_missing: MODEL_GONE,
  upstream_model_retired: MODEL_GONE,
  // As long as the caller would ever wait has passed.
  [TOTAL_TIMEOUT]: { ...SLOW, next: 'none' },
};

/** By what became of the connection: codes of ours, of Node, of undici. */
const BY_NETWORK: Record<string, Verdict> = {
  CONNECT_TIMEOUT: { ...UNREACHABLE, slow: true },
  UND_ERR_CONNECT_TIMEOUT: { ...UNREACHABLE, slow: true },
  NOT_CONNECTED: UNREACHABLE,
  FIRST_BYTE_TIMEOUT: SLOW,
  IDLE_TIMEOUT: SLOW,
  UND_ERR_HEADERS_TIMEOUT: SLOW,
  UND_ERR_BODY_TIMEOUT: SLOW,
  ECONNRESET: LOST,
  EPIPE: LOST,
  CLOSED_EARLY: LOST,
  ECONNREFUSED: UNREACHABLE,
  ENOTFOUND: UNREACHABLE,
  EAI_AGAIN: UNREACHABLE,
  EHOSTUNREACH: UNREACHABLE,
  ENETUNREACH: UNREACHABLE,
};

/** By reasons that only the gateway gives: what a model says that is no output is none of its provider's failures. */
const BY_REASON: Record<string, Verdict> = {
  invalid_output: REFUSED,
  refused: REFUSED,
  // Smaller calls may go well.
  [LARGER_THAN_LIMIT]: ACCOUNT,
};

/** The one table of what is tried again, where, and what it says of whom. Who says so is not sent the same again. */
export function verdictOf(error: GatewayError): Verdict {
  const verdict = verdictOfTable(error);
  return verdict.again && error.retryable === false ? { ...verdict, again: false } : verdict;
}

/** The same of an attempt that was to go on with a begun answer, and said nothing of the rest. */
export function verdictOfContinuation(error: GatewayError): Verdict {
  const verdict = verdictOf(error);
  return verdict.next === 'none' && verdict.says === 'well' ? NOT_CONTINUED : verdict;
}

function verdictOfTable({ kind, code, reason, cause, retryAfterMs }: GatewayError): Verdict {
  // What is too large for a limit may be told beside a time, before which nothing is wanted.
  if (reason === LARGER_THAN_LIMIT && retryAfterMs !== undefined) return { ...ACCOUNT, says: 'limited' };
  const ofReason = reason === undefined ? undefined : BY_REASON[reason];
  const ofCode = code === undefined ? undefined : BY_CODE[code];
  return ofReason ?? ofCode ?? ofNetwork(networkCode(cause)) ?? BY_KIND[kind] ?? FINAL;
}

function ofNetwork(code: string): Verdict | undefined {
  return BY_NETWORK[code] ?? (isTlsCode(code) ? UNREACHABLE : undefined);
}

function networkCode(cause: unknown): string {
  return typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
}
