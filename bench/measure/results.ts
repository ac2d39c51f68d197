import type { Spread } from './statistics.ts';

/** What one round of one subject gave. */
export interface Round {
  calls: number;
  /** Calls or chunks, whichever the scenario counts. */
  units: number;
  wallMs: number;
  /** Packets that reached the load, a unit. */
  readsPerUnit: number;
  /** CPU time of the subject a unit; undefined where it has no process. */
  userUsPerUnit: number | undefined;
  systemUsPerUnit: number | undefined;
  /** Share of the round's wall time that each process was on a CPU: 1 is one CPU fully used. */
  busy: { subject: number | undefined; upstream: number; load: number };
}

export interface SubjectResult {
  subject: string;
  rounds: Round[];
  /** Why there are no figures: not installed, or an answer was wrong. */
  failure: string | undefined;
}

/** CPU time of one subject against another's, round by round. */
export interface Ratio {
  subject: string;
  against: string;
  spread: Spread;
}

export interface ScenarioResult {
  scenario: string;
  title: string;
  per: 'call' | 'chunk';
  subjects: SubjectResult[];
  ratios: Ratio[];
}

/** User and system CPU time a unit, where the subject has a process. */
export function cpuUsPerUnit(round: Round): number | undefined {
  if (round.userUsPerUnit === undefined || round.systemUsPerUnit === undefined) return undefined;
  return round.userUsPerUnit + round.systemUsPerUnit;
}
