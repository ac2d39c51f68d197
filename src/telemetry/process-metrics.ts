import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Together } from './metric-reading.ts';

const NS_PER_S = 1e9;
const US_PER_S = 1e6;

/**
 * The process, by the names that dashboards for Node know from prom-client's own collectors. Those watch every garbage
 * collection and cannot be stopped; this one asks when it is asked. Gives what ends it.
 */
export function addProcessMetrics(registry: Registry): () => void {
  const registers = [registry];
  const loopDelay = monitorEventLoopDelay({ resolution: 20 });
  loopDelay.enable();
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'CPU time of the process, user and system.',
    registers,
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / US_PER_S);
    },
  });
  const startedAt = Date.now() / 1000 - process.uptime();
  const readings: readonly [name: string, aggregator: Together, help: string, read: () => number][] = [
    ['process_start_time_seconds', 'min', 'When the process began, in Unix seconds.', () => startedAt],
    ['process_resident_memory_bytes', 'sum', 'Memory of the process.', () => process.memoryUsage.rss()],
    ['nodejs_heap_size_used_bytes', 'sum', 'Heap in use.', () => process.memoryUsage().heapUsed],
    ['nodejs_heap_size_total_bytes', 'sum', 'Heap that is set aside.', () => process.memoryUsage().heapTotal],
    ['nodejs_eventloop_lag_mean_seconds', 'max', LAG, () => delayOf(loopDelay.mean)],
    ['nodejs_eventloop_lag_p99_seconds', 'max', LAG, () => delayOf(loopDelay.percentile(99))],
    ['nodejs_eventloop_lag_max_seconds', 'max', LAG, () => delayOf(loopDelay.max)],
  ];
  for (const [name, aggregator, help, read] of readings) {
    new Gauge({
      ...{ name, help, aggregator, registers },
      collect() {
        this.set(read());
      },
    });
  }
  return () => loopDelay.disable();
}

const LAG = 'How late the event loop was, since the start.';

/** Nothing was seen yet: not a number. */
function delayOf(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? nanoseconds / NS_PER_S : 0;
}
