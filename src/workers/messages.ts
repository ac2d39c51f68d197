import type { JsonObject } from '../conversation/json.ts';
import type { MetricReading } from '../telemetry/metric-reading.ts';

/*
 * What the primary and its workers tell each other, over the channel that Node opens between a process and those it starts.
 */

/** What is to be told to operators as an event: workers have the store, the primary has none. */
export interface Told {
  severity: 'info' | 'warning' | 'alarm';
  kind: string;
  message: string;
  details: JsonObject;
}

export type ToWorker =
  /** Calls that are under way may finish, what comes over open connections is served, nothing new is taken; then it ends. */
  | { kind: 'leave' }
  /** As SIGTERM to a gateway that is one process. */
  | { kind: 'stop' }
  /** As a second signal: calls that are under way are ended. */
  | { kind: 'hurry' }
  /** As SIGHUP. */
  | { kind: 'reload' }
  /** Another worker has changed the configuration. */
  | { kind: 'look' }
  | { kind: 'event'; event: Told }
  /** The primary asks for the worker's metrics. */
  | { kind: 'collect'; question: number }
  /** The answer to a scrape. */
  | { kind: 'page'; question: number; text: string };

export type ToPrimary =
  /** It takes calls. `url`: where it listens. */
  | { kind: 'listening'; url: string }
  /** The configuration was changed. */
  | { kind: 'changed' }
  /** Somebody asks the worker for the metrics of all. */
  | { kind: 'scrape'; question: number }
  /** The answer to `collect`; without a question: what it ends with. */
  | { kind: 'metrics'; question?: number; readings: readonly MetricReading[] };

/** What a worker is told when it is started, as JSON in a variable of its environment. */
export interface Seat {
  /** From 1; a worker that is replaced leaves its number to the next. */
  number: number;
  /** Where all listen. */
  host: string;
  port: number;
}

export const SEAT_VARIABLE = 'FAIRLEAD_WORKER';
