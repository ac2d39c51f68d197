import type { ErrorKind } from '../conversation/gateway-error.ts';
import { readAmount, readRetryAfter, readWaitInWords } from '../conversation/retry-after.ts';
import type { ResponseHeaders, UpstreamFailure } from '../dialects/dialect.ts';
import { readResetMs } from '../routing/read-headroom.ts';

/**
 * When a provider that refused or failed wants to be called again, in milliseconds from now: by the headers of its answer, what its body
 * says, headers that stand in the body, the reset of the limits that are used up, and the words of the refusal, in this order. The last two
 * are looked at only where a limit was reached. `now`: Unix milliseconds.
 */
export function namedWaitMs(
  failure: UpstreamFailure & { kind: ErrorKind },
  headers: ResponseHeaders,
  now: number,
): number | undefined {
  const { headers: within, retryAfterMs, kind, message } = failure;
  const said = waitSaid(headers, now) ?? retryAfterMs ?? (within && waitSaid(within, now));
  if (said !== undefined || kind !== 'upstream_rate_limited') return said;
  // Where a limit was reached, when that is whole again.
  return readResetMs(headers, now) ?? (within && readResetMs(within, now)) ?? readWaitInWords(message);
}

/** `retry-after-ms`, `retry-after` in seconds or as a date (RFC 9110 10.2.3). */
function waitSaid(headers: ResponseHeaders, now: number): number | undefined {
  return readAmount(headers['retry-after-ms']) ?? readRetryAfter(headers['retry-after'], now);
}
