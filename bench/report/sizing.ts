import type { Sizing } from '../measure/sizing.ts';
import { renderCount, renderDecimal } from './numbers.ts';
import { renderTable } from './table.ts';

/** What each process takes, and how many calls a second one core of it is enough for. */
export function renderSizing({ gateway, redis, postgres, sqlite }: Sizing): string {
  const row = (process: string, what: string, value: string) => [process, what, value];
  const cpu = (process: string, us: number) => [
    row(process, 'CPU a call, µs', renderDecimal(us)),
    row(process, 'calls a second that one core is enough for', renderCount(1_000_000 / us)),
  ];
  return renderTable(
    [
      { title: 'process', align: 'left' },
      { title: 'what', align: 'left' },
      { title: 'found', align: 'right' },
    ],
    [
      ...cpu('gateway', gateway.cpuUs),
      row('gateway', 'memory under this load, MB', renderCount(gateway.memoryMb)),
      ...cpu('Redis', redis.cpuUs),
      row('Redis', 'commands a call, those of scripts included', renderDecimal(redis.commands)),
      row('Redis', 'bytes a call, received and sent', renderCount(redis.receivedBytes + redis.sentBytes)),
      row('Redis', 'bytes kept for a tenant with a key, both with limits', renderCount(redis.bytesPerTenant)),
      ...cpu('PostgreSQL', postgres.cpuUs),
      row('PostgreSQL', 'bytes a record, indexes and sums included', renderCount(postgres.recordBytes)),
      row('PostgreSQL', 'bytes of write-ahead log a record', renderCount(postgres.walBytes)),
      row('PostgreSQL', 'connections of the gateway', renderCount(postgres.connections)),
      row('SQLite', 'bytes a record, indexes and sums included', renderCount(sqlite.recordBytes)),
    ],
  );
}
