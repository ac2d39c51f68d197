import { Counter, Gauge, Registry } from 'prom-client';
import type { MetricReading } from '../telemetry/metric-reading.ts';
import { addProcessMetrics } from '../telemetry/process-metrics.ts';
import type { Member } from './member.ts';
import { MetricsOfAll } from './metrics-of-all.ts';

/** A worker that does not answer in this time is told of as it was last seen. */
const ANSWER_MS = 2_000;

export interface ScrapeSources {
  members(): Iterable<Member>;
  /** Workers that ended and were not told to. */
  deaths(): number;
}

/** The metrics page of all workers: whoever is asked for it, the primary asks all. */
export class Scrapes {
  readonly #sources: ScrapeSources;
  readonly #all = new MetricsOfAll();
  readonly #own = new Registry();
  readonly #waiting = new Map<number, { missing: Set<number>; done: () => void }>();
  #nextQuestion = 1;

  constructor(sources: ScrapeSources) {
    this.#sources = sources;
    const registers = [this.#own];
    addProcessMetrics(this.#own);
    new Gauge({
      ...{ name: 'fairlead_workers', help: 'Workers that take calls.', registers },
      collect() {
        this.set([...sources.members()].filter(({ isListening }) => isListening).length);
      },
    });
    new Counter({
      ...{ name: 'fairlead_worker_deaths_total', help: 'Workers that ended by themselves.', registers },
      collect() {
        this.reset();
        this.inc(sources.deaths());
      },
    });
  }

  /** In the text format of Prometheus. */
  async render(): Promise<string> {
    const asked = [...this.#sources.members()].filter(({ isListening }) => isListening);
    const question = this.#nextQuestion++;
    const answered = Promise.withResolvers<void>();
    const timer = setTimeout(answered.resolve, ANSWER_MS);
    const missing = new Set(asked.map(({ id }) => id));
    this.#waiting.set(question, { missing, done: answered.resolve });
    for (const member of asked) member.send({ kind: 'collect', question });
    if (asked.length > 0) await answered.promise;
    clearTimeout(timer);
    this.#waiting.delete(question);
    return this.#all.render((await this.#own.getMetricsAsJSON()) as unknown as MetricReading[]);
  }

  /** What a worker answered, or ends with. */
  take(member: Member, readings: readonly MetricReading[], question: number | undefined): void {
    this.#all.note(member.id, readings);
    if (question !== undefined) this.#miss(member.id, question);
  }

  /** A worker is no more. */
  end(member: Member): void {
    this.#all.end(member.id);
    for (const question of this.#waiting.keys()) this.#miss(member.id, question);
  }

  #miss(id: number, question: number): void {
    const waiting = this.#waiting.get(question);
    waiting?.missing.delete(id);
    if (waiting?.missing.size === 0) waiting.done();
  }
}
