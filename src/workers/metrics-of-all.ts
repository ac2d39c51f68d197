import { AggregatorRegistry } from 'prom-client';
import type { MetricReading, MetricSample } from '../telemetry/metric-reading.ts';

/** Of one metric, of workers that are no more. */
const MOST_SERIES = 2_000;

/** What labels stand for that are not told apart any more. */
const OTHER = 'other';

/** The labels whose values come from a configuration, which changes: the others are few. */
const FOLDED = ['tenant', 'model', 'target', 'account'];

/**
 * The metrics of all workers together. What a worker that is no more had counted is counted on: a sum that fell by it would look to
 * Prometheus as if everything had begun anew, and the rest be counted again.
 */
export class MetricsOfAll {
  readonly #latest = new Map<number, readonly MetricReading[]>();
  #ended: readonly MetricReading[] = [];
  readonly #mostSeries: number;

  constructor(mostSeries = MOST_SERIES) {
    this.#mostSeries = mostSeries;
  }

  /** What a worker has now; `id`: of its process, not of its place. */
  note(id: number, readings: readonly MetricReading[]): void {
    this.#latest.set(id, readings);
  }

  /** A worker is no more. Of one that was killed what it said last counts: more was never told. */
  end(id: number): void {
    const counted = (this.#latest.get(id) ?? []).filter(({ type }) => type !== 'gauge');
    this.#latest.delete(id);
    if (counted.length === 0) return;
    const known = new Map(this.#ended.map(({ name, values }) => [name, new Set(values.map(seriesOf))]));
    const bounded = counted.map((reading) => this.#bound(reading, known.get(reading.name)));
    this.#ended = add([this.#ended, bounded]);
  }

  /**
   * In the text format of Prometheus, version 0.0.4.
   *
   * @param own what the primary itself has
   */
  render(own: readonly MetricReading[]): Promise<string> {
    return aggregate([...this.#latest.values(), this.#ended, own]).metrics();
  }

  /** New series beyond the bound are put together. */
  #bound(reading: MetricReading, known = new Set<string>()): MetricReading {
    const values = reading.values.map((sample) => {
      const series = seriesOf(sample);
      if (known.has(series)) return sample;
      if (known.size >= this.#mostSeries) return fold(sample);
      known.add(series);
      return sample;
    });
    return { ...reading, values };
  }
}

/** What tells series apart: a histogram has many samples of one. */
function seriesOf({ labels: { le: _, ...labels } }: MetricSample): string {
  return JSON.stringify(labels);
}

function fold(sample: MetricSample): MetricSample {
  const labels = { ...sample.labels };
  for (const label of FOLDED) if (label in labels) labels[label] = OTHER;
  return { ...sample, labels };
}

function add(all: readonly (readonly MetricReading[])[]): MetricReading[] {
  const sums = aggregate(all).getMetricsAsArray();
  return sums.map((metric) => metric as unknown as MetricReading);
}

/** prom-client's types know its own metrics alone, and not what they come to in another process. */
function aggregate(all: readonly (readonly MetricReading[])[]) {
  return AggregatorRegistry.aggregate(all as unknown as Parameters<typeof AggregatorRegistry.aggregate>[0]);
}
