import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { findFreePort, type RunningProcess, startProcess, waitUntilReady } from '../processes.ts';
import { versionOf } from '../scenarios.ts';
import type { Site, Subject } from './subject.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** What is published is measured, not the checkout: `bench/main.ts` builds it. */
export const PACKAGE = join(ROOT, 'node_modules/.cache/fairlead-bench');
const LAUNCHER = join(PACKAGE, 'bin/fairlead.js');

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
    const { process, port, startMs } = await startFairlead(site, oneTenant(site));
    return { port, pid: process.pid, version: readVersion(), startMs };
  },
};

/**
 * Starts a gateway in the folder of the site; resolves when it may take traffic.
 *
 * @param tenants of the config file
 * @param more of it: `server` and `state`
 */
export async function startFairlead(
  site: Site,
  tenants: object,
  more: { server?: object; state?: string } = {},
): Promise<{ process: RunningProcess; port: number; startMs: number }> {
  const port = await findFreePort();
  mkdirSync(join(site.directory, 'prompts'), { recursive: true });
  const configFile = join(site.directory, 'fairlead.yaml');
  writeFileSync(configFile, renderConfig(site, port, tenants, more));
  const startedAt = performance.now();
  const running = await startProcess({
    command: process.execPath,
    args: [LAUNCHER, 'start', '--config', configFile],
    cpus: site.cpus,
    logFile: join(site.directory, 'fairlead.log'),
    env: {
      NODE_ENV: 'production',
      FAIRLEAD_DATA: join(site.directory, 'data'),
      FAIRLEAD_ADMIN_KEY: ADMIN_KEY,
    },
  });
  await waitUntilReady(running, `http://127.0.0.1:${port}/readyz`, 20_000);
  return { process: running, port, startMs: performance.now() - startedAt };
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

/** One provider, and a model for each scenario. */
function renderConfig(
  site: Site,
  port: number,
  tenants: object,
  { server, ...more }: { server?: object; state?: string },
): string {
  const models = site.scenarios.map((scenario) => scenario.name);
  return stringify({
    server: { host: '127.0.0.1', port, ...server },
    ...more,
    store: `sqlite:${join(site.directory, 'data/fairlead.db')}`,
    providers: {
      bench: {
        adapter: 'openai-compatible',
        baseUrl: `http://127.0.0.1:${site.upstreamPort}/v1`,
        accounts: [{ name: 'main', apiKey: 'sk-upstream' }],
      },
    },
    models: Object.fromEntries(models.map((model) => [model, { targets: [`bench/${versionOf(model)}`] }])),
    prompts: { directory: join(site.directory, 'prompts') },
    prices: { 'bench/*': { input: 2, output: 8 } },
    tenants,
  });
}

export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { version } = manifest as { version: string };
  return `${version} on Node ${process.versions.node}`;
}
