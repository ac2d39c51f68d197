import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { tryParseJson } from '../conversation/json.ts';
import { type AccountMeaning, accountMeaning } from '../dialects/account-failures.ts';
import type { UpstreamDialect, UpstreamFailure } from '../dialects/dialect.ts';
import type { Target } from '../routing/target.ts';
import { redactSecrets } from '../upstream/secrets.ts';
import type { Call } from './call.ts';
import type { Log } from './gateway.ts';
import { isModelMissing, MODEL_MISSING } from './missing-model.ts';

/**
 * What a provider's error status means for the caller. A status that is not listed is the caller's to mend
 * (4xx: `upstream_rejected`, with the provider's own status) or the provider's fault (the rest).
 */
const STATUS_KINDS: Record<number, ErrorKind> = {
  401: 'upstream_unavailable',
  402: 'upstream_unavailable',
  407: 'upstream_unavailable',
  408: 'upstream_timeout',
  425: 'upstream_unavailable',
  429: 'upstream_rate_limited',
  504: 'upstream_timeout',
};

/** Refusals that are about us at the provider, not about the call: the operator must see to it. By their codes. */
const ALARMS = {
  [MODEL_MISSING]: 'a provider does not have the model that a target names',
  upstream_credentials_rejected: 'a provider rejected our credentials',
  upstream_payment_required: 'a provider wants to be paid',
  upstream_permission_denied: 'a provider does not let our account do this',
} as const;

type Alarm = keyof typeof ALARMS;

/** More of an error answer than this says nothing new. */
export const MAX_ERROR_BYTES = 256 * 1024;

export interface FailedAnswer {
  error: GatewayError;
  alarm: Alarm | undefined;
  /** The provider's own words, which may hold secrets. */
  reason: string;
}

/** Reads an error answer of a provider into an error for the caller. `call`: where a model was called. */
export function readFailedAnswer(
  dialect: UpstreamDialect,
  target: Target,
  status: number,
  headers: Record<string, string | string[] | undefined>,
  body: string,
  now: number,
  call?: Call,
): FailedAnswer {
  const failure = dialect.decodeError(status, tryParseJson(body) ?? body, headers);
  const reason = failure.message;
  const isMissing = call !== undefined && isModelMissing(call, status, failure);
  const alarm = alarmOf(dialect, status, failure) ?? (isMissing ? MODEL_MISSING : undefined);
  if (alarm === 'upstream_credentials_rejected') {
    // Its words may quote the credential.
    const message = `The provider '${target.upstream.name}' did not accept the gateway's own credentials. Tell the gateway's operator; your key is fine.`;
    return {
      error: new GatewayError('upstream_unavailable', message, { code: alarm, retryable: false }),
      alarm,
      reason,
    };
  }
  if (alarm) {
    const about =
      alarm === MODEL_MISSING
        ? `its target '${target.name}' is not there`
        : "this is about the gateway's own account";
    const said = reason.replace(/\.$/, '');
    const message = `The provider '${target.upstream.name}' answered ${status}: ${said}. Tell the gateway's operator: ${about}.`;
    const error = new GatewayError('upstream_unavailable', message, { code: alarm, retryable: false });
    return { error, alarm, reason };
  }
  const kind =
    failure.kind ??
    STATUS_KINDS[status] ??
    (status >= 400 && status < 500 ? 'upstream_rejected' : 'upstream_unavailable');
  return {
    error: describeFailure(kind, target, status, failure, retryAfterMs(headers, failure, now)),
    alarm,
    reason,
  };
}

/** A 403 says by its words whom it is about; where it has none it is the caller's, who is told what the provider says. */
function alarmOf(dialect: UpstreamDialect, status: number, failure: UpstreamFailure): Alarm | undefined {
  const meaning = accountMeaning(dialect.name, status, failure);
  if (meaning) return ALARM_OF[meaning];
  const isKeyRefused = status === 403 && KEY_REFUSED.test(failure.message);
  if (status === 401 && LACKS_PERMISSION.test(failure.message)) return 'upstream_permission_denied';
  if (status === 401 || status === 407 || failure.credentialRejected === true || isKeyRefused) {
    return 'upstream_credentials_rejected';
  }
  if (status === 402) return 'upstream_payment_required';
  return failure.permissionDenied === true ? 'upstream_permission_denied' : undefined;
}

const ALARM_OF: Record<AccountMeaning, Alarm> = {
  payment: 'upstream_payment_required',
  permission: 'upstream_permission_denied',
};

/** OpenAI answers 401 where a restricted key may not do this; what else it may do it still may. */
const LACKS_PERMISSION = /\binsufficient permissions?\b|\bmissing scopes?\b/i;

/** Some servers say 403 where others say 401, with nothing but a sentence. */
const KEY_REFUSED =
  /\b(?:invalid|incorrect|wrong|missing|expired)\b.{0,20}\b(?:api[ _-]?key|token|credentials?)\b/i;

/** Where providers tell the id by which their support finds a request: OpenAI and its kin, Anthropic, Amazon, Azure. */
const REQUEST_ID_HEADERS = ['x-request-id', 'request-id', 'x-amzn-requestid', 'apim-request-id'];
const MAX_REQUEST_ID_LENGTH = 200;

/** The provider's own id of a request, for the log. */
export function providerRequestId(
  headers: Record<string, string | string[] | undefined>,
): string | undefined {
  for (const name of REQUEST_ID_HEADERS) {
    const id = headers[name];
    if (typeof id === 'string' && id !== '') return id.slice(0, MAX_REQUEST_ID_LENGTH);
  }
  return undefined;
}

/** Tells the operator of a failed answer in the provider's words: an alarm where it is about us. */
export function logFailedAnswer(
  log: Log,
  { error, alarm, reason }: FailedAnswer,
  secrets: readonly string[],
  fields: Record<string, unknown>,
): void {
  const said = { ...fields, kind: error.kind, reason: redactSecrets(reason, secrets) };
  if (alarm) log.error({ ...said, event: alarm }, ALARMS[alarm]);
  else if (error.kind === 'upstream_rejected') log.info(said, 'a provider rejected a call');
  else log.warn(said, 'a provider failed');
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
    ...(error.retryable === undefined ? {} : { retryable: error.retryable }),
  });
}
