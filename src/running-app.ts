import type { MetricReading } from './telemetry/metric-reading.ts';
import type { FirstSecrets } from './tenants/first-start.ts';
import type { Seat, Told } from './workers/messages.ts';

/** An instance that runs, as its process holds it. */
export interface App {
  /** Where it listens, e.g. `http://127.0.0.1:8080`. */
  url: string;
  /** Secrets that were made at this start and exist nowhere else. */
  firstSecrets: FirstSecrets | undefined;
  /** Reads the config file again; what is wrong with it is logged, and changes nothing. */
  reload(): Promise<void>;
  /** Takes up what another instance has made; what cannot be taken up is logged. */
  lookForNewer(): Promise<void>;
  /** Notes an event that the log has already. */
  note(event: Told): void;
  readMetrics(): Promise<MetricReading[]>;
  /**
   * Gives up its connections without failing a request, for up to the config's `drainTimeout` or until it is hurried: another process
   * has to take new ones. `stop` has what is left of that time.
   */
  leave(hurried: AbortSignal): Promise<void>;
  /**
   * Lets running calls finish (up to the config's `drainTimeout`, or until there is no time left), writes what is pending, closes
   * everything.
   */
  stop(noTimeLeft?: AbortSignal): Promise<void>;
}

/** What an instance that is one of several workers has of the others. */
export interface WorkerSeat {
  seat: Seat;
  /** The metrics of all, as Prometheus reads them. */
  scrape(): Promise<string>;
  /** The configuration was changed here. */
  tellChanged(): void;
}
