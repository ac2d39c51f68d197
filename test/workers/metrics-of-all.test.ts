import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricReading, MetricSample } from '../../src/telemetry/metric-reading.ts';
import { MetricsOfAll } from '../../src/workers/metrics-of-all.ts';
import { parseMetrics } from '../support/prometheus-text.ts';

const of = (
  name: string,
  type: MetricReading['type'],
  aggregator: MetricReading['aggregator'],
  values: MetricSample[],
): MetricReading => ({ name, help: name, type, aggregator, values });

/** What a worker of so many calls says, each of which took a second. */
const worker = (calls: number, revision: number, tenant = 'acme') => [
  of('calls_total', 'counter', 'sum', [{ labels: { tenant }, value: calls }]),
  of('running', 'gauge', 'sum', [{ labels: {}, value: calls }]),
  of('revision', 'gauge', 'min', [{ labels: {}, value: revision }]),
  of('state', 'gauge', 'max', [{ labels: { state: 'open' }, value: 1 }]),
  of('seconds', 'histogram', 'sum', [
    { metricName: 'seconds_bucket', labels: { tenant, le: '1' }, value: calls },
    { metricName: 'seconds_bucket', labels: { tenant, le: '+Inf' }, value: calls },
    { metricName: 'seconds_sum', labels: { tenant }, value: calls },
    { metricName: 'seconds_count', labels: { tenant }, value: calls },
  ]),
];

async function read(all: MetricsOfAll): Promise<Record<string, number>> {
  const samples = parseMetrics(await all.render([]));
  return Object.fromEntries(
    samples.map(({ name, labels, value }) => [[name, ...Object.values(labels)].join(' '), value]),
  );
}

test('workers together: what is counted is added up, and each gauge is what it means of all', async () => {
  const all = new MetricsOfAll();
  all.note(1, worker(2, 7));
  all.note(2, worker(3, 6));
  assert.deepEqual(await read(all), {
    ...{ 'calls_total acme': 5, running: 5, revision: 6, 'state open': 1 },
    ...{
      'seconds_bucket acme 1': 5,
      'seconds_bucket acme +Inf': 5,
      'seconds_sum acme': 5,
      'seconds_count acme': 5,
    },
  });
});

test('what a worker had counted stays when it is gone, and what it had at the moment goes', async () => {
  const all = new MetricsOfAll();
  all.note(1, worker(2, 7));
  all.note(2, worker(3, 7));
  all.end(1);
  all.end(1);
  all.note(3, worker(10, 8));
  const told = await read(all);
  assert.deepEqual([told['calls_total acme'], told['seconds_count acme'], told['running']], [15, 15, 13]);
  all.end(2);
  all.end(3);
  assert.equal((await read(all))['calls_total acme'], 15);
});

test('there is a bound to the series of workers that are gone: what is beyond it is told together', async () => {
  const all = new MetricsOfAll(2);
  for (const [id, tenant] of ['a', 'b', 'c', 'd', 'b'].entries()) {
    all.note(id, worker(1, 1, tenant));
    all.end(id);
  }
  const told = await read(all);
  assert.deepEqual(
    ['a', 'b', 'c', 'other'].map((tenant) => told[`calls_total ${tenant}`]),
    [1, 2, undefined, 2],
  );
  assert.equal(told['seconds_bucket other +Inf'], 2);
});
