import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { findFreePort, type RunningProcess, startServing } from '../processes.ts';
import { versionOf } from '../scenarios.ts';
import { ALLOCATED, type AllocatedBytes } from '../traffic/protocol.ts';
import { receive } from '../traffic/start.ts';
import type { Site, Subject } from './subject.ts';

/** Loaded into the gateway ahead of it. */
const ALLOCATIONS = new URL('./tell-allocations.js', import.meta.url).href;

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What is published is measured, not the checkout: `bench/main.ts` builds it. */
export const PACKAGE = join(ROOT, 'node_modules/.cache/fairlead-bench');
const LAUNCHER = join(PACKAGE, 'bin/fairlead.js');

/** Of the config file, beside what all have. */
export interface More {
  server?: object;
  state?: string;
  store?: string;
}

/** A limit that is never reached. */
export const NEVER_REACHED = 1_000_000_000_000;

export const ADMIN_KEY = 'bench-admin-key-of-no-use-elsewhere';

/** What calls of a tenant and of a key are counted against. */
export const TENANT_LIMITS = {
  requestsPerMinute: NEVER_REACHED,
  tokensPerMinute: NEVER_REACHED,
  concurrentCalls: NEVER_REACHED,
  budgets: [{ tokens: NEVER_REACHED, per: 'day' }],
};
export const KEY_LIMITS = { requestsPerMinute: NEVER_REACHED };

/** This gateway with its full path on: key, permission, route, model rewrite, relay, usage record with its cost. */
export const fairlead: Subject = {
  name: 'fairlead',
  async start(site) {
    const started = await startFairlead(site, oneTenant(site));
    return {
      ...started,
      version: readVersion(),
      readAllocatedBytes: () => readAllocatedBytes(started.process),
    };
  },
};

/**
 * Starts a gateway in the folder of the site; resolves when it may take traffic.
 *
 * @param tenants of the config file
 */
export async function startFairlead(
  site: Site,
  tenants: object,
  more: More = {},
): Promise<{ process: RunningProcess; port: number; startMs: number }> {
  const port = await findFreePort();
  mkdirSync(join(site.directory, 'prompts'), { recursive: true });
  const configFile = join(site.directory, 'fairlead.yaml');
  writeFileSync(configFile, renderConfig(site, port, tenants, more));
  const { process: running, startMs } = await startServing(
    {
      command: process.execPath,
      args: [
        ...startFlags(),
        ...site.nodeFlags,
        ...(more.server === undefined ? ['--import', ALLOCATIONS] : []),
        ...[LAUNCHER, 'start', '--config', configFile],
      ],
      // Workers have a channel of their own to their primary.
      channel: more.server === undefined,
      cpus: site.cpus,
      logFile: join(site.directory, 'fairlead.log'),
      env: {
        NODE_ENV: 'production',
        FAIRLEAD_DATA: join(site.directory, 'data'),
        FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
      },
    },
    `http://127.0.0.1:${port}/readyz`,
    20_000,
  );
  return { process: running, port, startMs };
}

/** What the gateway's JavaScript has allocated so far. Throws when the process ends instead of telling. */
async function readAllocatedBytes(running: RunningProcess): Promise<number> {
  running.child.send(ALLOCATED);
  return (await receive<AllocatedBytes>(running)).allocatedBytes;
}

/** One tenant with one key that is limited to the models of the scenarios. */
export function oneTenant({ scenarios, apiKey }: Site): object {
  return {
    bench: {
      models: scenarios.map(({ name }) => name),
      prompts: ['*'],
      limits: TENANT_LIMITS,
      keys: [{ name: 'load', secret: apiKey, limits: KEY_LIMITS }],
    },
  };
}

/** A provider of each dialect, and a model for each scenario. */
function renderConfig(site: Site, port: number, tenants: object, { server, ...more }: More): string {
  const models = site.scenarios.map(({ name, translated }) => {
    const provider = translated ? 'bench-anthropic' : 'bench';
    return [name, { targets: [`${provider}/${versionOf(name)}`] }];
  });
  return stringify({
    server: { host: '127.0.0.1', port, ...server },
    store: `sqlite:${join(site.directory, 'data/fairlead.db')}`,
    ...more,
    providers: {
      bench: {
        adapter: 'openai-compatible',
        baseUrl: `http://127.0.0.1:${site.upstreamPort}/v1`,
        accounts: [{ name: 'main', apiKey: 'sk-upstream' }],
      },
      'bench-anthropic': {
        adapter: 'anthropic',
        baseUrl: `http://127.0.0.1:${site.upstreamPort}`,
        accounts: [{ name: 'main', apiKey: 'sk-upstream' }],
      },
    },
    models: Object.fromEntries(models),
    prompts: { directory: join(site.directory, 'prompts') },
    prices: { 'bench/*': { input: 2, output: 8 }, 'bench-anthropic/*': { input: 2, output: 8 } },
    tenants,
  });
}

/** Of Node, as `npm start` and the image give them. Throws when the script has another form. */
function startFlags(): string[] {
  const { start } = readManifest().scripts;
  const [, flags] = /^exec node (.*)bin\/fairlead\.js start$/.exec(start) ?? [];
  if (flags === undefined) throw new Error(`package.json starts the gateway by something else: ${start}`);
  return flags.split(' ').filter((flag) => flag !== '');
}

export function readVersion(): string {
  const { version } = readManifest();
  return `${version} on Node ${process.versions.node}`;
}

function readManifest(): { version: string; scripts: { start: string } } {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
}
