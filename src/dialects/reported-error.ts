import { type ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import type { UpstreamFailure } from './dialect.ts';

/**
 * What a provider's error status means for the caller. A status that is not listed is the caller's to mend
 * (4xx: `upstream_rejected`, with the provider's own status) or the provider's fault (the rest).
 */
const STATUS_KINDS: Record<number, ErrorKind> = {
  401: 'upstream_unavailable',
  402: 'upstream_unavailable',
  407: 'upstream_unavailable',
  408: 'upstream_timeout',
  // What was asked failed, not the asking: Bedrock and Hugging Face say so of models.
  424: 'upstream_unavailable',
  425: 'upstream_unavailable',
  429: 'upstream_rate_limited',
  // Groq ("Flex Processing"): there is no room for the call now.
  498: 'upstream_rate_limited',
  // google.rpc.Code CANCELLED, where we have not left.
  499: 'upstream_unavailable',
  504: 'upstream_timeout',
};

export function kindOfStatus(status: number): ErrorKind {
  return (
    STATUS_KINDS[status] ?? (status >= 400 && status < 500 ? 'upstream_rejected' : 'upstream_unavailable')
  );
}

const REFUSED_CREDENTIAL = "The provider did not accept the gateway's own credentials.";

/**
 * An error that a provider reports behind a status of success: inside a stream, or in place of an answer. It holds all that is said,
 * so that the gateway reads it as it reads an error answer; until then its kind is what it would be as one.
 */
export class ReportedError extends GatewayError {
  readonly failure: UpstreamFailure;
  /** The HTTP status that it names, or that its type comes with elsewhere; `undefined` where it says none. */
  readonly reported: number | undefined;

  constructor(failure: UpstreamFailure, reported: number | undefined) {
    const isRefusedCredential = failure.credentialRejected === true || reported === 401;
    const isAboutUs = isRefusedCredential || failure.permissionDenied === true;
    const kind = isAboutUs ? 'upstream_unavailable' : (failure.kind ?? kindOfStatus(reported ?? 500));
    const { message, code, type, details, param, retryAfterMs } = failure;
    // Words about a credential are for the operator, and may quote it.
    super(kind, isRefusedCredential ? REFUSED_CREDENTIAL : message, {
      ...(code === undefined ? {} : { code }),
      type,
      details,
      ...(param === undefined ? {} : { param }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      ...(kind === 'upstream_rejected' && reported !== undefined ? { status: reported } : {}),
    });
    this.failure = failure;
    this.reported = reported;
  }
}
