import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { findFreePort, startProcess, waitUntilReady } from '../processes.ts';
import { versionOf } from '../scenarios.ts';
import type { Site, Subject } from './subject.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const LAUNCHER = join(ROOT, 'bin/fairlead.js');

/** A limit that is never reached. Limits are not in effect yet; they stand here so that the figures follow when they are. */
const NEVER_REACHED = 1_000_000_000_000;

/** This gateway with its full path on: key, permission, route, model rewrite, relay, usage record with its cost. */
export const fairlead: Subject = {
  name: 'fairlead',

  findMissing: () => (existsSync(LAUNCHER) ? undefined : `${LAUNCHER} is not there`),

  async start(site) {
    const port = await findFreePort();
    const configFile = join(site.directory, 'fairlead.yaml');
    writeFileSync(configFile, renderConfig(site, port));
    const running = await startProcess({
      command: process.execPath,
      args: [LAUNCHER, 'start', '--config', configFile],
      cpus: site.cpus,
      logFile: join(site.directory, 'fairlead.log'),
      env: {
        NODE_ENV: 'production',
        FAIRLEAD_DATA: join(site.directory, 'data'),
        FAIRLEAD_ADMIN_KEY: 'bench-admin-key-of-no-use-elsewhere',
      },
    });
    await waitUntilReady(running, `http://127.0.0.1:${port}/readyz`, 20_000);
    return { port, pid: running.pid, version: readVersion() };
  },
};

/** One provider, a model for each scenario, one tenant with one key that is limited to these models. */
function renderConfig(site: Site, port: number): string {
  const models = site.scenarios.map((scenario) => scenario.name);
  return stringify({
    server: { host: '127.0.0.1', port },
    store: `sqlite:${join(site.directory, 'data/fairlead.db')}`,
    providers: {
      bench: {
        adapter: 'openai-compatible',
        baseUrl: `http://127.0.0.1:${site.upstreamPort}/v1`,
        accounts: [{ name: 'main', apiKey: 'sk-upstream' }],
      },
    },
    models: Object.fromEntries(models.map((model) => [model, { targets: [`bench/${versionOf(model)}`] }])),
    prices: { 'bench/*': { input: 2, output: 8 } },
    tenants: {
      bench: {
        models,
        limits: {
          requestsPerMinute: NEVER_REACHED,
          tokensPerMinute: NEVER_REACHED,
          concurrentCalls: NEVER_REACHED,
          budgets: [{ tokens: NEVER_REACHED, per: 'day' }],
        },
        keys: [{ name: 'load', secret: site.apiKey, limits: { requestsPerMinute: NEVER_REACHED } }],
      },
    },
  });
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const { version } = manifest as { version: string };
  return `${version} on Node ${process.versions.node}`;
}
