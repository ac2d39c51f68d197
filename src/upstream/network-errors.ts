import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';

/** `reason`: as attempts are recorded with it. */
type Failure = { kind: ErrorKind; reason: string; message: string };

const CONNECT_TIMEOUT: Failure = {
  kind: 'upstream_timeout',
  reason: 'connect_timeout',
  message: 'could not be connected to in time',
};
const NOT_CONNECTED: Failure = {
  kind: 'upstream_unavailable',
  reason: 'connection_failed',
  message: 'could not be reached',
};
const FIRST_BYTE_TIMEOUT: Failure = {
  kind: 'upstream_timeout',
  reason: 'first_byte_timeout',
  message: 'did not begin to answer in time',
};
const IDLE_TIMEOUT: Failure = {
  kind: 'upstream_timeout',
  reason: 'idle_timeout',
  message: 'stopped sending in the middle of its answer',
};
const CLOSED_EARLY: Failure = {
  kind: 'upstream_unavailable',
  reason: 'closed_early',
  message: 'closed the connection before its answer was complete',
};
const HEADERS_OVERFLOW: Failure = {
  kind: 'upstream_unavailable',
  reason: 'headers_overflow',
  message: 'sent more headers than are taken',
};
const NOT_HTTP: Failure = {
  kind: 'upstream_unavailable',
  reason: 'not_http',
  message: 'answered with something that is not HTTP',
};

/** By the code of a connection of ours, of Node or (uploads) of undici, with the words for the caller. */
const NETWORK_ERRORS: Record<string, Failure> = {
  CONNECT_TIMEOUT,
  NOT_CONNECTED,
  FIRST_BYTE_TIMEOUT,
  IDLE_TIMEOUT,
  CLOSED_EARLY,
  HEADERS_OVERFLOW,
  NOT_HTTP,
  UND_ERR_CONNECT_TIMEOUT: CONNECT_TIMEOUT,
  UND_ERR_HEADERS_TIMEOUT: FIRST_BYTE_TIMEOUT,
  UND_ERR_BODY_TIMEOUT: IDLE_TIMEOUT,
  UND_ERR_SOCKET: CLOSED_EARLY,
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: {
    kind: 'upstream_unavailable',
    reason: 'wrong_length',
    message: 'sent an answer of another length than it announced',
  },
  UND_ERR_HEADERS_OVERFLOW: HEADERS_OVERFLOW,
  ECONNREFUSED: {
    kind: 'upstream_unavailable',
    reason: 'connection_refused',
    message: 'refused the connection',
  },
  ECONNRESET: { kind: 'upstream_unavailable', reason: 'connection_reset', message: 'reset the connection' },
  EPIPE: { kind: 'upstream_unavailable', reason: 'connection_closed', message: 'closed the connection' },
  ENOTFOUND: {
    kind: 'upstream_unavailable',
    reason: 'address_not_found',
    message: 'has an address that does not resolve',
  },
  EAI_AGAIN: {
    kind: 'upstream_unavailable',
    reason: 'address_not_resolved',
    message: 'has an address that does not resolve at the moment',
  },
  EHOSTUNREACH: { kind: 'upstream_unavailable', reason: 'unreachable', message: 'cannot be reached' },
  ENETUNREACH: { kind: 'upstream_unavailable', reason: 'unreachable', message: 'cannot be reached' },
};

/** What a failed connection means for the call. A `GatewayError` passes as it is. */
export function networkError(provider: string, error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const code = errorCode(error);
  const known = NETWORK_ERRORS[code];
  const { kind, message, reason } = known ?? guessFailure(error, code);
  return new GatewayError(kind, `The provider '${provider}' ${message}.`, { reason, cause: error });
}

/** Node's and OpenSSL's codes of what is wrong with a certificate or a handshake (nodejs.org/api/tls.html, "X509 certificate error codes"). */
const TLS_CODE =
  /^(?:ERR_TLS|ERR_SSL|EPROTO$|CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|DEPTH_ZERO_|SELF_SIGNED_|HOSTNAME_MISMATCH$|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_)/;

/** Whether a connection failed for its TLS. */
export function isTlsCode(code: string): boolean {
  return TLS_CODE.test(code);
}

function guessFailure(error: unknown, code: string): Failure {
  // Uploads' only: undici, whose error it is, is not loaded for them.
  if (error instanceof Error && error.name === 'HTTPParserError') return NOT_HTTP;
  return isTlsCode(code) ? { ...NOT_CONNECTED, reason: 'tls' } : NOT_CONNECTED;
}

/** For the operator: what a failure comes from, the outermost cause first. */
export function describeNetworkError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = errorCode(error);
  const words = error.message.includes(code) ? [error.message] : [code, error.message];
  const causes: unknown[] = error instanceof AggregateError ? [...error.errors] : [];
  if (error.cause !== undefined) causes.push(error.cause);
  return [...words.filter((word) => word !== ''), ...causes.map(describeNetworkError)].join('; ');
}

function errorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && error.code) return String(error.code);
  return '';
}
