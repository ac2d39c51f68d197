/** What the bench's processes tell each other over the channel that Node opens between parent and child. */

/** Upstream to bench, once it listens. */
export interface UpstreamReady {
  port: number;
}

/** What to call. */
export interface CallTarget {
  /** A name in the table of scenarios. */
  scenario: string;
  port: number;
  /** Secrets of callers' keys, by which connections take turns; sent to every subject, used by those that check them. */
  apiKeys: readonly string[];
  /** The prompt that is called in place of the model. */
  prompt?: string | undefined;
  /** By this name, where the subject has another for it than the scenario's. */
  model?: string | undefined;
  /** The subject writes answers anew: their length is not known to the byte. */
  isRewritten: boolean;
  /** Header lines beside those of every call. */
  headers: readonly string[];
  /** The job fails when it takes longer. */
  timeoutMs: number;
}

/** So many calls, each connection's next one as soon as its last is answered (closed loop). */
export interface CallsJob extends CallTarget {
  kind: 'calls';
  connections: number;
  calls: number;
}

/** Calls at set times, whatever became of those before them (open loop). */
export interface PacedJob extends CallTarget {
  kind: 'paced';
  callsPerSecond: number;
  calls: number;
  until: 'whole answer' | 'first token';
}

/** Opens streams until so many are open, and keeps them until `release`. */
export interface HoldJob extends CallTarget {
  kind: 'hold';
  streams: number;
}

export interface ReleaseJob {
  kind: 'release';
}

/** Bench to load. */
export type LoadJob = CallsJob | PacedJob | HoldJob | ReleaseJob;

/** Load to bench: what came back, of a `calls` or `paced` job that was done. */
export type LoadOutcome =
  | { kind: 'done' }
  | { kind: 'called'; result: CallsResult }
  | { kind: 'timed'; result: PacedResult }
  | { kind: 'failed'; reason: string };

export interface CallsResult {
  calls: number;
  wallMs: number;
  /** Reads from the sockets: about one for each packet that the subject sent. */
  reads: number;
}

export interface PacedResult {
  /** Of each call, from when it was to begin: a call that had to wait for one before it has waited. */
  latenciesMs: number[];
  /** By how much the load itself began each call late, which is in its latency. */
  lateMs: number[];
}

/** Bench to a gateway that has `subjects/tell-allocations.js` loaded. */
export const ALLOCATED = 'allocated bytes?';

/** Its answer: what its JavaScript has allocated since its start. */
export interface AllocatedBytes {
  allocatedBytes: number;
}
