import type { JsonObject } from './json.ts';
import type { Usage } from './usage.ts';

/** Every kind of error that a caller can meet, with the status it is answered with. */
export const ERROR_KINDS = {
  invalid_request: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  payload_too_large: 413,
  rate_limited: 429,
  budget_exceeded: 402,
  /** The provider refused what was sent: the caller's to mend. Carries the provider's own 4xx status. */
  upstream_rejected: 400,
  upstream_rate_limited: 429,
  upstream_unavailable: 502,
  upstream_timeout: 504,
  overloaded: 503,
  /** The client went away; nobody reads this status, the usage record does (nginx's 499). */
  cancelled: 499,
  internal: 500,
} as const;

export type ErrorKind = keyof typeof ERROR_KINDS;

export interface ErrorDetails {
  /** Path of the offending parameter in the caller's own words, e.g. `messages[2].content[0].type`. */
  param?: string;
  /** A stable machine-readable code; the provider's own where it gave one. */
  code?: string;
  /** The provider's own word for the kind of error, where its code is a narrower one. */
  type?: string | undefined;
  /** Replaces the kind's status: only `upstream_rejected` uses it. */
  status?: number;
  retryAfterMs?: number;
  /** What the provider says that the failed answer used. */
  usage?: Usage | undefined;
  /** `false`: clients whose SDKs try this status again are told not to. */
  retryable?: boolean;
  /** What there was too much of, of an error about a rate; requests where nothing is said. */
  measure?: 'tokens' | undefined;
  /** What Anthropic's errors say beside their words (`error.details`): its SDKs recover by the `error_code` in it. */
  details?: JsonObject | undefined;
  /** What went wrong between the gateway and a provider, as one word for the attempt's record: callers are not told. */
  reason?: string | undefined;
  cause?: unknown;
}

/** The one error of the gateway. Its message goes to the caller: it says what to do, and never holds a secret. */
export class GatewayError extends Error {
  readonly kind: ErrorKind;
  readonly status: number;
  readonly param: string | undefined;
  readonly code: string | undefined;
  readonly type: string | undefined;
  readonly retryAfterMs: number | undefined;
  readonly usage: Usage | undefined;
  readonly retryable: boolean | undefined;
  readonly measure: 'tokens' | undefined;
  readonly details: JsonObject | undefined;
  readonly reason: string | undefined;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'GatewayError';
    this.kind = kind;
    this.status = details.status ?? ERROR_KINDS[kind];
    this.param = details.param;
    this.code = details.code;
    this.type = details.type;
    this.retryAfterMs = details.retryAfterMs;
    this.usage = details.usage;
    this.retryable = details.retryable;
    this.measure = details.measure;
    this.details = details.details;
    this.reason = details.reason;
  }
}

/** A request that cannot be understood or served as it stands. */
export function invalidRequest(message: string, param?: string, code?: string): GatewayError {
  return new GatewayError('invalid_request', message, { param, code });
}
