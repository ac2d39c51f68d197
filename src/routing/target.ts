import type { Timeouts, Upstream } from '../upstream/upstream.ts';
import type { Lane } from './lane.ts';

/** What is really called: a model version at an upstream. */
export interface Target {
  /** `provider/model-version`. */
  name: string;
  upstream: Upstream;
  /** The model version as the provider knows it. */
  model: string;
  timeouts: Timeouts;
  /** One for each account of the upstream, in their order. Absent where nothing is called but what is kept there. */
  lanes?: readonly Lane[] | undefined;
  /** Of the calls of its model, relative to the others, where they are shared out so. 1 where nothing is said. */
  weight?: number | undefined;
}

export type Strategy = 'failover' | 'weighted' | 'fastest' | 'cheapest';

/** What a public name leads to. */
export interface Route {
  /** As they are configured. */
  targets: readonly Target[];
  strategy: Strategy;
  /** Further attempts at most, after the first one failed. */
  retries: number;
}
