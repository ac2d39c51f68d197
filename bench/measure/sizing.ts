import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import pg from 'pg';
import { startPostgres } from '../../test/support/postgres-server.ts';
import { type RunningProcess, stopProcess } from '../processes.ts';
import type { CpuScenario } from '../scenarios.ts';
import { KEY_LIMITS, type More, startFairlead, TENANT_LIMITS } from '../subjects/fairlead.ts';
import { startRedis } from '../subjects/redis.ts';
import type { Site } from '../subjects/subject.ts';
import type { Traffic } from '../traffic/start.ts';
import { readTreeMemoryMb } from './memory.ts';
import { readTreeCpuTime, totalUs } from './proc-stat.ts';

/** What a gateway takes that makes calls, and what is beside it; all of a call, but for what is named otherwise. CPU in microseconds. */
export interface Sizing {
  calls: number;
  gateway: { cpuUs: number; memoryMb: number };
  redis: {
    cpuUs: number;
    commands: number;
    receivedBytes: number;
    sentBytes: number;
    bytesPerTenant: number;
  };
  postgres: { cpuUs: number; recordBytes: number; walBytes: number; connections: number };
  sqlite: { recordBytes: number };
}

export interface SizingPlan {
  scenario: CpuScenario;
  site: Site;
  traffic: Traffic;
  warmUpCalls: number;
  calls: number;
}

/** Tenants that call by turns, each with one key and with limits of both: as many as the load has connections. */
const TENANTS = 64;
const RECORDS_TIMEOUT_MS = 60_000;
const RECORDS_LOOK_MS = 100;

/** @throws Error where there is no PostgreSQL here */
export async function measureSizing(plan: SizingPlan): Promise<Sizing> {
  return { calls: plan.calls, ...(await measureShared(plan)), sqlite: await measureSqlite(plan) };
}

/** A gateway that counts in a Redis and records in a PostgreSQL, as one of several instances does. */
async function measureShared(plan: SizingPlan): Promise<Omit<Sizing, 'sqlite' | 'calls'>> {
  const { site, calls } = plan;
  mkdirSync(site.directory, { recursive: true });
  const redisServer = await startRedis(site);
  const redis = new Redis(redisServer.url);
  const server = await startPostgres({ asShipped: true });
  if ('missing' in server) throw new Error(server.missing);
  const postgres = new pg.Client({ connectionString: server.url });
  try {
    await postgres.connect();
    const keptBefore = await readRedis(redis, 'memory', 'used_memory');
    const gateway = await start(plan, { state: redisServer.url, store: server.url });
    await call(plan, gateway, plan.warmUpCalls);
    await untilRecorded(postgres, plan.warmUpCalls);
    const pids = [gateway.process.pid, redisServer.process.pid, await readPostmaster(postgres)];
    const look = async () => ({
      cpuUs: pids.map((pid) => totalUs(readTreeCpuTime(pid))),
      redis: await Promise.all(FLOWS.map((field) => readRedis(redis, 'stats', field))),
      postgres: await readPostgres(postgres),
    });
    const before = await look();
    await call(plan, gateway, calls);
    await untilRecorded(postgres, plan.warmUpCalls + calls);
    const after = await look();
    const perCall = (one: readonly number[], other: readonly number[]) =>
      other.map((value, index) => (value - (one[index] ?? 0)) / calls);
    const [gatewayUs = 0, redisUs = 0, postgresUs = 0] = perCall(before.cpuUs, after.cpuUs);
    const [commands = 0, receivedBytes = 0, sentBytes = 0] = perCall(before.redis, after.redis);
    const [recordBytes = 0, walBytes = 0] = perCall(before.postgres.sizes, after.postgres.sizes);
    const kept = (await readRedis(redis, 'memory', 'used_memory')) - keptBefore;
    const memoryMb = readTreeMemoryMb(gateway.process.pid);
    await stopProcess(gateway.process);
    return {
      gateway: { cpuUs: gatewayUs, memoryMb },
      redis: { cpuUs: redisUs, commands, receivedBytes, sentBytes, bytesPerTenant: kept / TENANTS },
      postgres: { cpuUs: postgresUs, recordBytes, walBytes, connections: after.postgres.connections },
    };
  } finally {
    redis.disconnect();
    await postgres.end();
    await server.remove();
  }
}

async function measureSqlite(plan: SizingPlan): Promise<Sizing['sqlite']> {
  const directory = join(plan.site.directory, 'alone');
  const gateway = await start({ ...plan, site: { ...plan.site, directory } });
  await call(plan, gateway, plan.calls);
  // What is in its write-ahead log is in the file when it has stopped.
  await stopProcess(gateway.process);
  return { recordBytes: statSync(join(directory, 'data/fairlead.db')).size / plan.calls };
}

interface Started {
  process: RunningProcess;
  port: number;
}

function start({ site, scenario }: SizingPlan, more: More = {}): Promise<Started> {
  const tenants = Array.from({ length: TENANTS }, (_, index) => [
    `t${index}`,
    {
      models: [scenario.name],
      limits: TENANT_LIMITS,
      keys: [{ name: 'load', secret: secretOf(index), limits: KEY_LIMITS }],
    },
  ]);
  return startFairlead(site, Object.fromEntries(tenants), more);
}

async function call({ traffic, scenario }: SizingPlan, { port }: Started, calls: number): Promise<void> {
  const apiKeys = Array.from({ length: TENANTS }, (_, index) => secretOf(index));
  await traffic.call(scenario, { port, apiKeys }, calls);
}

function secretOf(tenant: number): string {
  return `sk-fl-bench-of-tenant-${tenant}-0123456789abcdef`;
}

/** Of Redis's `INFO stats`: commands that were processed (those within scripts, too), bytes that came and went. */
const FLOWS = ['total_commands_processed', 'total_net_input_bytes', 'total_net_output_bytes'];

async function readRedis(redis: Redis, section: string, field: string): Promise<number> {
  const value = new RegExp(`^${field}:(\\d+)`, 'm').exec(await redis.info(section))?.[1];
  if (value === undefined) throw new Error(`Redis tells no ${field}`);
  return Number(value);
}

/** Bytes of the database and of its write-ahead log so far, and the connections of others than ourselves. */
async function readPostgres(postgres: pg.Client): Promise<{ sizes: number[]; connections: number }> {
  const { rows } = await postgres.query<{ size: string; wal: string; connections: string }>(
    `select pg_database_size(current_database()) as size, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as wal,
       (select count(*) - 1 from pg_stat_activity where backend_type = 'client backend') as connections`,
  );
  const [row] = rows;
  return { sizes: [Number(row?.size), Number(row?.wal)], connections: Number(row?.connections) };
}

async function readPostmaster(postgres: pg.Client): Promise<number> {
  const { rows } = await postgres.query<{ pid: string }>(
    `select split_part(pg_read_file('postmaster.pid'), chr(10), 1) as pid`,
  );
  return Number(rows[0]?.pid);
}

/** Records are written after their calls. */
async function untilRecorded(postgres: pg.Client, calls: number): Promise<void> {
  const deadline = Date.now() + RECORDS_TIMEOUT_MS;
  for (;;) {
    const { rows } = await postgres.query<{ count: string }>('select count(*) from calls');
    const count = Number(rows[0]?.count);
    if (count === calls) return;
    if (Date.now() > deadline) throw new Error(`${count} of ${calls} calls are recorded`);
    await sleep(RECORDS_LOOK_MS);
  }
}
