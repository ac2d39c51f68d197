import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { type LoadedConfig, openConfig, readConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/resolve.ts';
import { ControlNews, type NewsLog } from '../../src/control/control-news.ts';
import { ControlPlane } from '../../src/control/control-plane.ts';
import type { Entry } from '../../src/control/entry.ts';
import { EventLog } from '../../src/control/event-log.ts';
import type { Layers } from '../../src/control/layers.ts';
import { Vault } from '../../src/control/veil.ts';
import type { Store } from '../../src/store/store.ts';
import { TenantEnds } from '../../src/tenants/tenant-ends.ts';
import { loadDeclarations } from '../../src/upstream/load-declarations.ts';
import { scheduleTimeout } from '../../src/usage/ledger.ts';

const context = { env: {}, knownProviders: await loadDeclarations() };

/** A control plane with a real store, and no data plane behind it. */
export interface BareInstance {
  control: ControlPlane;
  /** The events of all instances on the store, this one's all among them, the oldest first: `severity kind message`. */
  events(): Promise<string[]>;
  /** How often a configuration was compiled here. */
  compiled(): number;
  /** How often others were told that something was changed here. */
  told(): number;
  /** What tells tenants of one name apart here: 0 for the first. */
  lifeOf(tenant: string): number;
}

export interface BareOptions {
  vault?: Vault;
  now?: () => number;
  /** Throws where this instance cannot take a configuration up. */
  compile?: (config: Config) => void;
}

export function makeInstance(store: Store, loaded: LoadedConfig, options: BareOptions = {}): BareInstance {
  const { vault = new Vault(Buffer.alloc(32)), now = Date.now, compile } = options;
  const log: NewsLog = { info: ignore, warn: ignore, error: ignore };
  const eventLog = new EventLog({
    store,
    now,
    schedule: scheduleTimeout,
    redact: (value) => value,
    onFailure: ignore,
  });
  let compiled = 0;
  let told = 0;
  const tenantEnds = new TenantEnds(store);
  const control = new ControlPlane({
    loaded,
    store,
    vault,
    news: new ControlNews({ log, events: eventLog, schedule: scheduleTimeout }),
    log,
    now,
    refreshKeys: async () => false,
    tenantEnds,
    onMade: () => {
      told += 1;
    },
    compile: (config) => {
      compiled += 1;
      compile?.(config);
      return async () => undefined;
    },
  });
  const events = async () =>
    (await eventLog.list(undefined, 1_000))
      .toReversed()
      .map(({ severity, kind, message }) => `${severity} ${kind} ${message}`);
  const lifeOf = (tenant: string) => tenantEnds.find(tenant)?.revision ?? 0;
  return { control, events, compiled: () => compiled, told: () => told, lifeOf };
}

/** The text of a config file that nobody watches; `null` for no file. */
export function fileOf(text: string | null): LoadedConfig {
  return readConfig(text ?? '', text === null ? null : 'fairlead.yaml', context);
}

/** A config file on disk. */
export function writeFileOf(path: string, text: string): Promise<LoadedConfig> {
  writeFileSync(path, text);
  return openConfig({ ...context, configFile: path, cwd: '/' });
}

/** A plan of an API change that adds an entry, or replaces one. */
export function put({ kind, name, value }: Entry) {
  return (layers: Layers) => [
    { owner: 'api', kind, name, before: layers.find(kind, name)?.value, after: value } as const,
  ];
}

/** Has every question about revisions fail, as long as `work` takes. */
export async function withoutRevisions(store: Store, work: () => Promise<void>): Promise<void> {
  await sql`alter table revisions rename to revisions_away`.execute(store.db);
  try {
    await work();
  } finally {
    await sql`alter table revisions_away rename to revisions`.execute(store.db);
  }
}

/** PostgreSQL: resolves when a statement waits for another transaction. */
export async function untilBlocked(store: Store): Promise<void> {
  for (let waited = 0; waited < 15_000; waited += 20) {
    const { rows } = await sql`select 1 from pg_locks where not granted`.execute(store.db);
    if (rows.length > 0) return;
    await sleep(20);
  }
  assert.fail('no statement waits for another transaction');
}

function ignore(): void {}
