/** What the bench's processes tell each other over the channel that Node opens between parent and child. */

/** Upstream to bench, once it listens. */
export interface UpstreamReady {
  port: number;
}

/** Bench to load: make these calls and count. */
export interface LoadJob {
  /** A name in the table of scenarios. */
  scenario: string;
  port: number;
  /** Secrets of callers' keys, by which connections take turns; sent to every subject, used by those that check them. */
  apiKeys: readonly string[];
  calls: number;
  /** The prompt that is called in place of the model. */
  prompt?: string | undefined;
  /** The job fails when it takes longer. */
  timeoutMs: number;
}

/** Load to bench: what came back. */
export type LoadOutcome = { kind: 'done'; result: LoadResult } | { kind: 'failed'; reason: string };

export interface LoadResult {
  calls: number;
  wallMs: number;
  /** Body bytes received, framing removed. */
  bodyBytes: number;
  /** Reads from the sockets: about one for each packet that the subject sent. */
  reads: number;
}
