import type { GatewayError } from '../conversation/gateway-error.ts';
import type { Lane } from '../routing/lane.ts';
import { verdictOf } from '../routing/verdict.ts';
import { allCool } from './all-cool.ts';
import type { Gateway } from './gateway.ts';

/**
 * What is asked beside the attempts of calls keeps to the times that providers name, too.
 *
 * @throws GatewayError `upstream_rate_limited`, or `upstream_unavailable`, where the place wants to be left alone
 */
export function heedTimes(
  { monotonicMs }: Pick<Gateway, 'monotonicMs'>,
  lane: Lane | undefined,
  provider: string,
): void {
  const coolsMs = lane?.coolsMs(monotonicMs()) ?? 0;
  if (coolsMs > 0) throw allCool([provider], lane?.namedFor, coolsMs);
}

/** What such a question was answered with is told to its place only where that wants to be left alone. `sentMs`: monotonic. */
export function noteTimes(
  { monotonicMs }: Pick<Gateway, 'monotonicMs'>,
  lane: Lane | undefined,
  failure: GatewayError,
  sentMs: number,
): void {
  const { retryAfterMs } = failure;
  const verdict = verdictOf(failure);
  const namesTime = verdict.says === 'failing' && retryAfterMs !== undefined;
  if (verdict.says !== 'limited' && !namesTime) return;
  lane?.fail(verdict, { nowMs: monotonicMs(), begunMs: sentMs, retryAfterMs });
}
