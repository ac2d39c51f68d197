import type { Config } from '../config/resolve.ts';
import { DEFAULT_BREAKER } from '../routing/breaker.ts';
import type { Lane } from '../routing/lane.ts';
import type { LaneBook } from '../routing/lane-book.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** The lanes of a target at the accounts of its provider. `isConfigured`: a model leads to it; else a caller has named it. */
export type LanesOf = (target: string, upstream: Upstream, isConfigured?: boolean) => readonly Lane[];

/** What finds the lanes of a configuration, and those that its models and rollouts lead to, as they are found. */
export function compileLanes(
  book: LaneBook,
  { providers }: Pick<Config, 'providers'>,
): { lanesOf: LanesOf; lanes: ReadonlySet<Lane> } {
  const lanes = new Set<Lane>();
  const lanesOf: LanesOf = (target, { name: provider, accounts }, isConfigured = false) => {
    const options = breakerOptions(providers[provider]?.health);
    return accounts.map(({ name: account }) => {
      const lane = book.find(target, { provider, account, options, isConfigured });
      if (isConfigured) lanes.add(lane);
      return lane;
    });
  };
  return { lanesOf, lanes };
}

function breakerOptions(health: Config['providers'][string]['health']) {
  const { errorRate, minCalls, window, openFor } = health?.breaker ?? {};
  return {
    errorRate: errorRate ?? DEFAULT_BREAKER.errorRate,
    minCalls: minCalls ?? DEFAULT_BREAKER.minCalls,
    windowMs: window ?? DEFAULT_BREAKER.windowMs,
    openForMs: openFor ?? DEFAULT_BREAKER.openForMs,
  };
}
