import type { Lane } from './lane.ts';

/** One place that a call may be sent to. */
export interface Stop {
  target: { readonly name: string };
  /** Absent where there is no choice: what is kept at one account, say. */
  lane?: Lane | undefined;
}

/** A place that answered within this time is not dead, whatever its breaker says: it may well answer the next call. */
const LATELY_MS = 10_000;

/** Of two that are passed over: one that answered lately, the last one first; else the one that was not called for longer. */
export function isLikelier(one: Stop, other: Stop, nowMs: number): boolean {
  const isLate = answeredLately(one, nowMs);
  if (isLate !== answeredLately(other, nowMs)) return isLate;
  const [of, ofOther] = [one.lane, other.lane];
  if (!of || !ofOther) return false;
  return isLate ? of.answeredMs > ofOther.answeredMs : of.begunMs < ofOther.begunMs;
}

export function answeredLately({ lane }: Stop, nowMs: number): boolean {
  return lane !== undefined && nowMs - lane.answeredMs < LATELY_MS;
}
