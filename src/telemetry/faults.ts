import type { CallOutcome } from '../usage/record.ts';

/** What is nobody's fault but the provider's or the gateway's: a caller's mistakes, its limits and its leaving are not among them. */
const FAULTS: ReadonlySet<CallOutcome> = new Set<CallOutcome>([
  'upstream_unavailable',
  'upstream_timeout',
  'upstream_rate_limited',
  'overloaded',
  'internal',
]);

/** Whether an outcome counts for an error rate: `undefined` where it says nothing of how things are. */
export function isFault(outcome: CallOutcome): boolean | undefined {
  if (outcome === 'ok') return false;
  return FAULTS.has(outcome) ? true : undefined;
}
