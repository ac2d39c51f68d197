import { Histogram } from 'prom-client';
import type { Buckets } from './buckets.ts';

export interface CountedHistogramOptions {
  name: string;
  help: string;
  labelNames: string[];
  /** What was counted so far, asked at each scrape. */
  read: () => Iterable<{ labels: Record<string, string>; buckets: Buckets }>;
}

/** A histogram that was counted elsewhere: a registry asks it for its values in place of keeping them itself. */
export class CountedHistogram extends Histogram {
  readonly #options: CountedHistogramOptions;

  constructor(options: CountedHistogramOptions) {
    const { name, help, labelNames } = options;
    super({ name, help, labelNames, registers: [] });
    this.#options = options;
  }

  /** What `Registry.metrics` asks histograms for; and `get`, which puts shared labels with the others. */
  async getForPromString() {
    const { name, help, read } = this.#options;
    const sharedLabels = {};
    const values: {
      metricName: string;
      labels: Record<string, string>;
      sharedLabels: object;
      value: number;
    }[] = [];
    for (const { labels, buckets } of read()) {
      let below = 0;
      for (const [at, count] of buckets.counts.entries()) {
        below += count;
        const le = String(buckets.bounds[at] ?? '+Inf');
        values.push({ metricName: `${name}_bucket`, labels: { ...labels, le }, sharedLabels, value: below });
      }
      values.push({ metricName: `${name}_sum`, labels, sharedLabels, value: buckets.sumSeconds });
      values.push({ metricName: `${name}_count`, labels, sharedLabels, value: buckets.count });
    }
    return { name, help, type: 'histogram', aggregator: 'sum', values };
  }
}
