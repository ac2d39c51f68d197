import { dayOf } from '../config/days.ts';
import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import { InvalidOutput } from '../conversation/invalid-output.ts';
import { isObject, tryParseJson } from '../conversation/json.ts';
import { type AccountMeaning, accountMeaning } from '../dialects/account-failures.ts';
import type { ResponseHeaders, UpstreamDialect, UpstreamFailure } from '../dialects/dialect.ts';
import { LARGER_THAN_LIMIT, saysLargerThanLimit } from '../dialects/larger-than-limit.ts';
import { kindOfStatus, ReportedError } from '../dialects/reported-error.ts';
import type { Target } from '../routing/target.ts';
import { redactSecrets } from '../upstream/secrets.ts';
import { describeReason } from '../upstream/sign-in/create-signer.ts';
import type { Signer } from '../upstream/sign-in/signer.ts';
import { withoutAccountIds } from './account-ids.ts';
import type { Call } from './call.ts';
import { credentialsRejected } from './credentials.ts';
import type { Gateway, Log } from './gateway.ts';
import {
  findModelGone,
  hidesRetirement,
  isModelGone,
  isPastRetirement,
  MODEL_MISSING,
  MODEL_RETIRED,
  type ModelGone,
} from './missing-model.ts';
import { namedWaitMs } from './named-wait.ts';
import type { PlannedAttempt } from './plan.ts';
import { isStrangersRefusal } from './web-page.ts';

/** Refusals that are about us at the provider, not about the call: the operator must see to it. By their codes. */
const ALARMS = {
  [MODEL_MISSING]: 'a provider does not have the model that a target names',
  [MODEL_RETIRED]: 'a provider has taken away the model that a target names',
  upstream_credentials_rejected: 'a provider rejected our credentials',
  upstream_payment_required: 'a provider wants to be paid',
  upstream_credit_short: "our account's credit at a provider is too short for a call",
  upstream_account_shut: 'a provider has shut our account',
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
  /** As the provider says it, wherever it does. */
  status: number | undefined;
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
  const isTooLarge = saysLargerThanLimit(status, failure);
  const kind = isTooLarge ? 'upstream_rate_limited' : (failure.kind ?? kindOfStatus(status));
  const waitMs = namedWaitMs({ ...failure, kind }, headers, now);
  if (kind === 'upstream_rejected' && isStrangersRefusal(status, headers['content-type'], body)) {
    if (!alarmOf(dialect, status, failure)) return notTheApi(target, status, failure.message);
  }
  const said = { status, failure: { ...failure, kind }, isTooLarge, said: `answered ${status}` };
  return readFailure(dialect, target, said, {
    waitMs,
    retryable: asksForNoRepeat(headers),
    nowMs: now,
    call,
  });
}

/**
 * `false` where a provider says `x-should-retry: false`, which the SDKs of OpenAI and Anthropic obey whatever the status. The opposite
 * says nothing that the status does not.
 */
function asksForNoRepeat(headers: ResponseHeaders): false | undefined {
  return headers['x-should-retry'] === 'false' ? false : undefined;
}

function notTheApi({ upstream: { name } }: Target, status: number, reason: string): FailedAnswer {
  const message = `The provider '${name}' answered ${status} with a web page: something else than its API is at its address. Tell the gateway's operator: its baseUrl may be wrong.`;
  return { error: new GatewayError('upstream_unavailable', message), alarm: undefined, reason, status };
}

/** Reads what made an attempt fail behind a status of success: an error that is reported there means what it would as an answer. */
export function readFailureWithin(
  dialect: UpstreamDialect,
  target: Target,
  error: GatewayError,
  headers: ResponseHeaders,
  now: number,
  call: Call,
): FailedAnswer {
  if (!(error instanceof ReportedError)) {
    return { error, alarm: undefined, reason: error.message, status: undefined };
  }
  const { reported: status } = error;
  const isTooLarge = saysLargerThanLimit(status, error.failure);
  const failure = { ...error.failure, kind: isTooLarge ? ('upstream_rate_limited' as const) : error.kind };
  // The headers of a stream are older than the error: they say nothing of it.
  const ofError = isStream(headers) ? {} : headers;
  const waitMs = namedWaitMs(failure, ofError, now);
  const said = { status, failure, isTooLarge, said: 'reported an error' };
  return readFailure(dialect, target, said, {
    waitMs,
    retryable: asksForNoRepeat(ofError),
    nowMs: now,
    call,
  });
}

/** Its parts are said one after the other. */
function isStream({ 'content-type': type }: ResponseHeaders): boolean {
  return typeof type === 'string' && /event-stream|eventstream/i.test(type);
}

interface Said {
  status: number | undefined;
  failure: UpstreamFailure & { kind: ErrorKind };
  /** The call is larger than a limit of our account. */
  isTooLarge: boolean;
  /** How it was said. */
  said: string;
}

/**
 * Of which call, and when; `waitMs`: for how long the provider wants to be left alone; `retryable`: `false` where it says that the same is
 * not to be sent again.
 */
interface Circumstances {
  waitMs: number | undefined;
  retryable: false | undefined;
  nowMs: number;
  call: Call | undefined;
}

function readFailure(
  dialect: UpstreamDialect,
  target: Target,
  { status, failure, isTooLarge, said }: Said,
  { waitMs, retryable, nowMs, call }: Circumstances,
): FailedAnswer {
  const reason = failure.message;
  const gone = call && findModelGone(call, target, status, failure, nowMs);
  const alarm = gone === MODEL_RETIRED ? gone : (alarmOf(dialect, status, failure) ?? gone);
  if (!gone && isPastRetirement(target, nowMs) && hidesRetirement(status, failure)) {
    return { error: retiredForCaller(target), alarm: undefined, reason, status };
  }
  if (alarm)
    return { error: describeAlarm(alarm, target, reason, said, { waitMs, nowMs }), alarm, reason, status };
  const { kind, code, type, details, param } = failure;
  // The caller's own mistakes are told in the provider's words; its breakdowns with its name before them.
  const message =
    kind === 'upstream_rejected' && reason !== ''
      ? reason
      : `The provider '${target.upstream.name}' ${said}${reason === '' ? '.' : `: ${reason}`}`;
  const error = new GatewayError(kind, message, {
    status: kind === 'upstream_rejected' ? status : undefined,
    code,
    type,
    details,
    param,
    retryAfterMs: waitMs,
    ...(retryable === undefined ? {} : { retryable }),
    ...(isTooLarge && { reason: LARGER_THAN_LIMIT, retryable: false, measure: 'tokens' }),
  });
  return { error, alarm, reason, status };
}

function describeAlarm(
  alarm: Alarm,
  target: Target,
  reason: string,
  said: string,
  { waitMs, nowMs }: Pick<Circumstances, 'waitMs' | 'nowMs'>,
): GatewayError {
  const { name } = target.upstream;
  if (alarm === 'upstream_credentials_rejected') return credentialsRejected(target.upstream);
  const about = isModelGone(alarm) ? describeGone(target, alarm, nowMs) : ABOUT_ACCOUNT[alarm];
  const message = `The provider '${name}' ${said}: ${reason.replace(/\.$/, '')}. Tell the gateway's operator: ${about}.`;
  // What an account may spend may be renewed at a time that is named.
  const retryAfterMs = alarm === 'upstream_payment_required' ? waitMs : undefined;
  return new GatewayError('upstream_unavailable', message, { code: alarm, retryable: false, retryAfterMs });
}

function describeGone(target: Target, gone: ModelGone, nowMs: number): string {
  const { name, retirement } = target;
  if (gone === MODEL_MISSING) return `its target '${name}' is not there`;
  if (!retirement) return `its target '${name}' is retired`;
  const { atMs, successor } = retirement;
  const instead = successor === undefined ? '' : `; its successor is '${successor}'`;
  // Some are taken away before the day that was said.
  const since = isPastRetirement(target, nowMs) ? ` since ${dayOf(atMs)}` : '';
  return `its target '${name}' is retired${since}${instead}`;
}

/** Who names a model at its provider is told what became of it, not to wait for a limit. */
function retiredForCaller({ name, retirement }: Target): GatewayError {
  const { atMs = 0, successor } = retirement ?? {};
  const advice = successor === undefined ? '' : ` Call '${successor}' instead.`;
  const message = `The model '${name}' was retired by its provider on ${dayOf(atMs)}.${advice}`;
  return new GatewayError('upstream_rejected', message, {
    status: 404,
    code: 'model_not_found',
    param: 'model',
  });
}

const ABOUT_OURS = "this is about the gateway's own account";

const ABOUT_ACCOUNT = {
  upstream_payment_required: ABOUT_OURS,
  upstream_account_shut: ABOUT_OURS,
  upstream_permission_denied: ABOUT_OURS,
  upstream_credit_short: "what the gateway's own account has left is too little for this call",
} as const;

/** A 403 says by its words whom it is about; where it has none it is the caller's, who is told what the provider says. */
function alarmOf(
  dialect: UpstreamDialect,
  status: number | undefined,
  failure: UpstreamFailure,
): Alarm | undefined {
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
  shut: 'upstream_account_shut',
  permission: 'upstream_permission_denied',
  shortage: 'upstream_credit_short',
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

interface AnswerHead {
  /** `null`: there was no answer. */
  status: number | null;
  headers: Record<string, string | string[] | undefined> | undefined;
}

/** Tells the operator that an attempt was not sent, for want of a signature. */
export function tellSignFailure(
  { log }: Pick<Gateway, 'log'>,
  call: Call,
  { target, account }: PlannedAttempt,
  signer: Signer,
  thrown: unknown,
): void {
  if (!(thrown instanceof GatewayError)) return;
  const fields = { call: call.id, target: target.name, account: account.name, event: thrown.code };
  const reason = describeReason(thrown.cause, signer.secrets());
  log.error({ ...fields, reason }, 'signing in at a provider failed');
}

/** Tells of an attempt that failed: the operator, and who signs requests that the provider does not accept. */
export function tellFailure(
  { log, gone }: Pick<Gateway, 'log' | 'gone'>,
  call: Call,
  { target, account }: PlannedAttempt,
  failed: FailedAnswer,
  { status, headers = {} }: AnswerHead,
): void {
  if (failed.status === 401) account.signer?.reject();
  // What breaks off once it has begun is told as that, what is no provider's failure where it arose, and what a model says in the record.
  const isToldElsewhere =
    call.committed || !failed.error.kind.startsWith('upstream_') || failed.error instanceof InvalidOutput;
  if (isToldElsewhere && !failed.alarm) return;
  const providerRequest = providerRequestId(headers);
  const fields = { call: call.id, target: target.name, account: account.name, status, providerRequest };
  logFailedAnswer(log, failed, account.secrets(), fields);
  if (isModelGone(failed.alarm)) gone.note(target, failed.alarm === MODEL_RETIRED);
}

/** Logs a failed answer in the provider's words: an alarm where it is about us. */
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

/** The same error without our secrets, in case the provider quoted them, and without what says whose account it was. */
export function withoutSecrets(error: GatewayError, secrets: readonly string[]): GatewayError {
  const { message, code, param, details } = error;
  const said = [message, code, param, details && JSON.stringify(details)];
  const clean = said.map((text) => text && withoutAccountIds(redactSecrets(text, secrets)));
  if (clean.every((text, index) => text === said[index])) return error;
  const [cleanMessage = '', cleanCode, cleanParam, cleanDetails] = clean;
  const toldDetails = cleanDetails ? tryParseJson(cleanDetails) : undefined;
  return new GatewayError(error.kind, cleanMessage, {
    status: error.status,
    code: cleanCode,
    type: error.type,
    details: isObject(toldDetails) ? toldDetails : undefined,
    param: cleanParam,
    retryAfterMs: error.retryAfterMs,
    reason: error.reason,
    measure: error.measure,
    ...(error.retryable === undefined ? {} : { retryable: error.retryable }),
  });
}
