import type { Exclusion } from '../../support/wire-diff.ts';

/**
 * What of the recorded traffic is not the same after decode and encode, and why nothing is lost by it. The test
 * fails for an entry that matches nothing.
 */
export const REQUEST_EXCLUSIONS: readonly Exclusion[] = [
  { path: 'system', change: 'lost', before: [], reason: 'an empty list says the same as none' },
  { path: 'inferenceConfig', change: 'lost', before: {}, reason: 'an empty object says the same as none' },
  {
    path: 'inferenceConfig.maxTokens',
    change: 'added',
    reason:
      'a budget of thinking must fit below the limit, so the limit is written where the caller names none',
  },
];
