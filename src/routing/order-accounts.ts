import type { Target } from './target.ts';
import { weightedOrder } from './weighted-order.ts';

/** An account that has used up a limit is still better than none. */
const LEAST_HEADROOM = 0.001;

/**
 * The places of a target's accounts in the order in which a call tries them: by chance, each as often as its weight says, and less often
 * the less is left of its limits. `nowMs`: monotonic.
 */
export function orderAccounts({ upstream, lanes }: Target, nowMs: number, random: () => number): number[] {
  const weights = upstream.accounts.map(
    ({ weight }, place) => weight * Math.max(lanes?.[place]?.headroom(nowMs) ?? 1, LEAST_HEADROOM),
  );
  return weightedOrder(weights, random);
}
