import cluster from 'node:cluster';
import type { MetricReading } from '../telemetry/metric-reading.ts';
import { SEAT_VARIABLE, type Seat, type Told, type ToPrimary, type ToWorker } from './messages.ts';

/** What of an instance its primary asks for. */
export interface Served {
  reload(): Promise<void>;
  lookForNewer(): Promise<void>;
  note(event: Told): void;
  readMetrics(): Promise<readonly MetricReading[]>;
}

/** The primary gives up on a worker sooner. */
const SCRAPE_LIMIT_MS = 10_000;

/** A worker's end of the channel to its primary. */
export class WorkerLink {
  readonly seat: Seat;
  /** It is told to go, and others take its calls over. */
  readonly left: Promise<void>;
  /** All stop: it is told, somebody ends it by itself, or there is no primary any more. */
  readonly stopped: Promise<void>;
  /** The same as `stopped`, for a worker that is leaving. */
  readonly ended: AbortSignal;
  /** There is no time left. */
  readonly hurried: AbortSignal;
  #served: Served | undefined;
  readonly #pages = new Map<number, (text: string) => void>();
  #nextQuestion = 1;

  constructor(seat: Seat) {
    this.seat = seat;
    const left = Promise.withResolvers<void>();
    const stopped = Promise.withResolvers<void>();
    const end = new AbortController();
    const hurry = new AbortController();
    this.left = left.promise;
    this.stopped = stopped.promise;
    this.ended = end.signal;
    this.hurried = hurry.signal;
    const stop = () => {
      stopped.resolve();
      end.abort();
    };
    // Node would end a worker whose primary is gone at once, with all that it has under way.
    if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
    process.once('disconnect', stop);
    process.on('message', (message: ToWorker) => {
      if (message.kind === 'leave') left.resolve();
      else if (message.kind === 'stop') stop();
      else if (message.kind === 'hurry') hurry.abort();
      else void this.#handle(message);
    });
    process.on('SIGTERM', stop);
    // A terminal sends it to all processes, and the primary says what is to be done.
    process.on('SIGINT', () => undefined);
    process.on('SIGUSR2', () => undefined);
    process.on('SIGHUP', () => void this.#served?.reload());
  }

  /** From now on it answers what the primary asks. */
  serve(served: Served, url: string): void {
    this.#served = served;
    this.#send({ kind: 'listening', url });
  }

  /** The configuration was changed here. */
  tellChanged(): void {
    if (this.#served) this.#send({ kind: 'changed' });
  }

  /** The metrics of all workers, as Prometheus reads them. */
  scrape(): Promise<string> {
    const question = this.#nextQuestion++;
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const giveUp = () => reject(new Error('the primary does not tell the metrics of all workers'));
    const timer = setTimeout(giveUp, SCRAPE_LIMIT_MS);
    this.#pages.set(question, resolve);
    this.#send({ kind: 'scrape', question });
    return promise.finally(() => {
      clearTimeout(timer);
      this.#pages.delete(question);
    });
  }

  /** Says what it ends with and lets go of the primary. */
  async close(): Promise<void> {
    const readings = (await this.#served?.readMetrics()) ?? [];
    if (!process.connected) return;
    await new Promise((resolve) => process.send?.({ kind: 'metrics', readings }, resolve));
    process.disconnect?.();
  }

  async #handle(message: ToWorker): Promise<void> {
    switch (message.kind) {
      case 'reload':
        return this.#served?.reload();
      case 'look':
        return this.#served?.lookForNewer();
      case 'event':
        return this.#served?.note(message.event);
      case 'page':
        return this.#pages.get(message.question)?.(message.text);
      case 'collect': {
        const readings = (await this.#served?.readMetrics()) ?? [];
        return this.#send({ kind: 'metrics', question: message.question, readings });
      }
    }
  }

  #send(message: ToPrimary): void {
    // A channel that broke is told by its end.
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  }
}

/** The link of a process that a primary started; `undefined` of any other, also where another program starts it as a worker. */
export function openLink(env: Readonly<Record<string, string | undefined>>): WorkerLink | undefined {
  const seat = env[SEAT_VARIABLE];
  return cluster.isWorker && seat !== undefined ? new WorkerLink(JSON.parse(seat) as Seat) : undefined;
}
