import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import type { UpstreamDialect, UpstreamFailure } from '../dialects/dialect.ts';
import type { Target } from '../routing/target.ts';
import { redactSecrets } from '../upstream/secrets.ts';
import type { Account } from '../upstream/upstream.ts';
import type { Gateway } from './gateway.ts';

/**
 * What a provider's error status means for the caller. A status that is not listed is the caller's to mend
 * (4xx: `upstream_rejected`, with the provider's own status) or the provider's fault (the rest).
 */
const STATUS_KINDS: Record<number, ErrorKind> = {
  401: 'upstream_unavailable',
  402: 'upstream_unavailable',
  403: 'upstream_unavailable',
  407: 'upstream_unavailable',
  408: 'upstream_timeout',
  425: 'upstream_unavailable',
  429: 'upstream_rate_limited',
  504: 'upstream_timeout',
};

/** A refusal that is about us at the provider, not about the call: the operator must see to it. */
const CREDENTIAL_STATUSES = new Set([401, 402, 403, 407]);

/** More of an error answer than this says nothing new. */
export const MAX_ERROR_BYTES = 256 * 1024;

/** Tells the operator that a provider does not take our credentials. */
export function reportRejection(gateway: Gateway, { target, account }: Where, fields: object): void {
  gateway.log.error(
    { ...fields, target: target.name, account: account.name, event: 'upstream_credentials_rejected' },
    'a provider rejected our credentials',
  );
}

interface Where {
  target: Target;
  account: Account;
}

export interface FailedAnswer {
  error: GatewayError;
  /** Our credential at the provider was refused. */
  credentialRejected: boolean;
}

/** Reads an error answer of a provider into an error for the caller. */
export function readFailedAnswer(
  dialect: UpstreamDialect,
  target: Target,
  status: number,
  headers: Record<string, string | string[] | undefined>,
  body: string,
  now: number,
): FailedAnswer {
  const failure = dialect.decodeError(status, tryParseJson(body) ?? body, headers);
  const credentialRejected = CREDENTIAL_STATUSES.has(status) || failure.credentialRejected === true;
  if (credentialRejected) {
    const message = `The provider '${target.upstream.name}' did not accept the gateway's own credentials. Tell the gateway's operator; your key is fine.`;
    return {
      error: new GatewayError('upstream_unavailable', message, { code: 'upstream_credentials_rejected' }),
      credentialRejected,
    };
  }
  const kind =
    failure.kind ??
    STATUS_KINDS[status] ??
    (status >= 400 && status < 500 ? 'upstream_rejected' : 'upstream_unavailable');
  return {
    error: describeFailure(kind, target, status, failure, retryAfterMs(headers, failure, now)),
    credentialRejected,
  };
}

function describeFailure(
  kind: ErrorKind,
  target: Target,
  status: number,
  failure: UpstreamFailure,
  retryAfter: number | undefined,
): GatewayError {
  // The caller's own mistakes are told in the provider's words; its breakdowns with its name before them.
  const message =
    kind === 'upstream_rejected' && failure.message !== ''
      ? failure.message
      : `The provider '${target.upstream.name}' answered ${status}${failure.message === '' ? '.' : `: ${failure.message}`}`;
  return new GatewayError(kind, message, {
    status: kind === 'upstream_rejected' ? status : undefined,
    code: failure.code,
    param: failure.param,
    retryAfterMs: retryAfter,
  });
}

/** `retry-after-ms`, `retry-after` in seconds or as a date (RFC 9110 10.2.3), or what the body says. */
function retryAfterMs(
  headers: Record<string, string | string[] | undefined>,
  failure: UpstreamFailure,
  now: number,
): number | undefined {
  const precise = readNumber(headers['retry-after-ms']);
  if (precise !== undefined) return precise;
  const header = headers['retry-after'];
  const seconds = readNumber(header);
  if (seconds !== undefined) return seconds * 1000;
  const date = typeof header === 'string' ? Date.parse(header) : Number.NaN;
  if (!Number.isNaN(date)) return Math.max(0, date - now);
  return failure.retryAfterMs;
}

function readNumber(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,9}(\.\d+)?$/.test(header) ? Number(header) : undefined;
}

/** The same error without our secrets, in case the provider quoted them. */
export function withoutSecrets(error: GatewayError, secrets: readonly string[]): GatewayError {
  const { message, code, param } = error;
  const clean = (text: string | undefined) => text && redactSecrets(text, secrets);
  const [cleanMessage = '', cleanCode, cleanParam] = [message, code, param].map(clean);
  if (cleanMessage === message && cleanCode === code && cleanParam === param) return error;
  return new GatewayError(error.kind, cleanMessage, {
    status: error.status,
    code: cleanCode,
    param: cleanParam,
    retryAfterMs: error.retryAfterMs,
  });
}
