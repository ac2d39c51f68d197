import type { Exclusion } from '../../support/wire-diff.ts';

/**
 * What of the recorded traffic is not the same after decode and encode, and why nothing is lost by it. The test
 * fails for an entry that matches nothing.
 */
export const REQUEST_EXCLUSIONS: readonly Exclusion[] = [
  { path: 'stream', change: 'added', reason: 'false is the default; it is always written' },
];

export const RESPONSE_EXCLUSIONS: readonly Exclusion[] = [
  { path: '**', change: 'lost', before: null, reason: 'null means the same as absence' },
  {
    path: 'stop_sequence',
    change: 'added',
    reason: 'the API writes null where none was met; some recordings were cut down by hand',
  },
  {
    path: 'usage.cache_creation',
    change: 'added',
    reason: 'the split of the cache writes is always written; older answers have the sum alone',
  },
  {
    path: 'usage.output_tokens_details',
    change: 'lost',
    before: { thinking_tokens: 0 },
    reason: 'that no output token was thinking is said by the absence too',
  },
];

/** Against the message that the official SDK adds a stream up to. */
export const STREAM_EXCLUSIONS: readonly Exclusion[] = [
  {
    path: 'model',
    change: 'changed',
    before: 'claude-opus-4-8',
    reason:
      'after a server-side fallback the SDK names the model that took over; our first event had named the other, and the fallback block, which is kept, names both',
  },
];
