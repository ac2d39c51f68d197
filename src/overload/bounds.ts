import type { Config, TenantConfig } from '../config/resolve.ts';

/** How many calls may run at once, how many may wait for that, and how long. */
export interface Bounds {
  maxRunning: number;
  maxQueued: number;
  maxQueueMs: number;
}

/** The bounds of all calls together, and those of single models by their public names. */
export interface OverloadBounds {
  all: Bounds;
  models: ReadonlyMap<string, Bounds>;
}

/** Who goes first: the lower number. */
export const RANKS = { high: 0, normal: 1, low: 2 } as const satisfies Record<
  TenantConfig['priority'],
  number
>;
export type Rank = (typeof RANKS)[keyof typeof RANKS];
/** From the one that yields first. */
export const FROM_LOWEST: readonly Rank[] = [RANKS.low, RANKS.normal, RANKS.high];

/** A model without a bound of its own is in no mapping: its calls meet only those of all together. */
export function compileBounds({ server, models }: Pick<Config, 'server' | 'models'>): OverloadBounds {
  const all: Bounds = {
    maxRunning: server.overload.maxConcurrentCalls,
    maxQueued: server.overload.maxQueuedCalls,
    maxQueueMs: server.overload.maxQueueTime,
  };
  const ofModels = new Map<string, Bounds>();
  for (const [model, { overload }] of Object.entries(models)) {
    if (!overload) continue;
    ofModels.set(model, {
      maxRunning: overload.maxConcurrentCalls ?? Number.POSITIVE_INFINITY,
      maxQueued: overload.maxQueuedCalls,
      maxQueueMs: overload.maxQueueTime ?? all.maxQueueMs,
    });
  }
  return { all, models: ofModels };
}
