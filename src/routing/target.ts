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
}

/** What a public name leads to. */
export interface Route {
  /** In the order in which they are tried. */
  targets: readonly Target[];
  /** Further attempts at most, after the first one failed. */
  retries: number;
}
