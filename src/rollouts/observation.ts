import type { Side } from './comparisons.ts';

/** What is told of a call as yes or no. */
export const FLAGS = [
  /** Its side did not answer it, whoever did in the end. */
  'failed',
  'timedOut',
  'refused',
  'cutOff',
  'filtered',
  /** What was to be JSON is not what the call's schema wants. */
  'invalidOutput',
  /** A tool was called with what its schema does not want, or none that the call has. */
  'invalidToolCall',
  /** Its client left before the end. */
  'left',
] as const;
export type Flag = (typeof FLAGS)[number];

export type Amount = 'latencyMs' | 'firstTokenMs' | 'costMicroUsd' | 'outputTokens';

/** What a call has not is left out: it counts for no gate that is about it. */
export type Values = Partial<
  Record<Flag, boolean> & Record<Amount, number> & { score: number; atLeast: AtLeast; next: AskedNext }
>;

/** What the stable made of a call that the candidate failed, when it was asked next. */
export type AskedNext = 'answered' | 'failed';

/** Of a call whose client left, how long it would have taken at the least. */
export type AtLeast = Partial<Record<'latencyMs' | 'firstTokenMs', number>>;

/** Whose call it was. */
export interface Whose {
  side: Side;
  /** A hash of the user whose side it is, below 2³²; absent where sides are shared out call by call. */
  user?: number | undefined;
  /** Its side is none of chance (a cohort's, or its thread's): it is held against limits, and compared with nobody. */
  isByRule?: boolean;
}

/** What one call came to, on the side that it was for. */
export type Observation = Values & Whose;
