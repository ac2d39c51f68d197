import { GatewayError } from '../conversation/gateway-error.ts';
import type { PlannedAttempt } from './plan.ts';

/**
 * A failure that says when its place may be called again, with the time at which the first of these places may be that said so, where that
 * comes before it.
 */
export function withFirstTime(
  failure: GatewayError,
  places: readonly PlannedAttempt[],
  nowMs: number,
): GatewayError {
  const { retryAfterMs } = failure;
  if (retryAfterMs === undefined) return failure;
  let firstMs = retryAfterMs;
  for (const { lane } of places) {
    const ms = lane?.coolsMs(nowMs) ?? 0;
    if (ms > 0 && ms < firstMs) firstMs = ms;
  }
  if (firstMs === retryAfterMs) return failure;
  const { kind, message, status, code, type, param, details, reason, retryable, measure } = failure;
  return new GatewayError(kind, message, {
    ...{ status, type, details, reason, measure, retryAfterMs: firstMs },
    ...(code !== undefined && { code }),
    ...(param !== undefined && { param }),
    ...(retryable !== undefined && { retryable }),
  });
}
