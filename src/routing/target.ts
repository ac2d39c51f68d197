import type { Timeouts, Upstream } from '../upstream/upstream.ts';

/** What is really called: a model version at an upstream. */
export interface Target {
  /** `provider/model-version`. */
  name: string;
  upstream: Upstream;
  /** The model version as the provider knows it. */
  model: string;
  timeouts: Timeouts;
}
