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
  /** What the subject's JavaScript allocated a unit, where it tells. */
  allocatedBytesPerUnit: number | undefined;
  /** Share of the subject's CPU time of each of its processes that worked, most first: two workers that are as busy have a half each. */
  shares: number[];
  /** Share of the round's wall time that each process was on a CPU: 1 is one CPU fully used. */
  busy: { subject: number | undefined; upstream: number; load: number };
}

export interface SubjectResult<Part = Round> {
  subject: string;
  rounds: Part[];
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

/** How long calls of one round took, in milliseconds. */
export interface LatencyRound {
  calls: number;
  p50: number;
  p99: number;
  p999: number;
  /** By how much the load itself began calls late, which is in all of the above and in those of the bare connection. */
  lateP99: number;
}

export interface LatencyResult {
  scenario: string;
  title: string;
  callsPerSecond: number;
  until: 'whole answer' | 'first token';
  subjects: SubjectResult<LatencyRound>[];
}

/** What one step of open streams holds. */
export interface OpenStreams {
  streams: number;
  memoryMb: number;
  /** More than at rest, a stream. */
  kbPerStream: number;
}

export interface FreshSubject {
  subject: string;
  /** From the start of the process until it took traffic, of each start. */
  startsMs: number[];
  idleMb: number | undefined;
  open: OpenStreams[];
  failure: string | undefined;
}

export interface FreshResult {
  scenario: string;
  title: string;
  subjects: FreshSubject[];
}

/** User and system CPU time a unit, where the subject has a process. */
export function cpuUsPerUnit(round: Round): number | undefined {
  if (round.userUsPerUnit === undefined || round.systemUsPerUnit === undefined) return undefined;
  return round.userUsPerUnit + round.systemUsPerUnit;
}

/** All that one run measured. */
export interface Results {
  scenarios: ScenarioResult[];
  latencies: LatencyResult[];
  fresh: FreshResult[];
  /** How long the subjects of all scenarios took until they were ready. */
  starts: { subject: string; startMs: number }[];
}
