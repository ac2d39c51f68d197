/** What several processes have of one metric becomes one number: what they have together, or the least or the most of them. */
export type Together = 'sum' | 'min' | 'max';

export interface MetricSample {
  /** Of histograms: the name of a bucket, a sum or a count. */
  metricName?: string;
  labels: Record<string, string>;
  value: number;
}

/** A metric of one process at one moment, as prom-client gives it and as processes send it to each other. */
export interface MetricReading {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  aggregator: Together;
  values: MetricSample[];
}
