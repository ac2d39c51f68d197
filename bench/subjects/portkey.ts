import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findFreePort, startServing } from '../processes.ts';
import type { Subject } from './subject.ts';

const VERSION = '1.15.2';

/** It is no dependency of ours: it is installed by the first run that measures it. */
const FOLDER = fileURLToPath(
  new URL(`../../node_modules/.cache/fairlead-bench-peers/portkey-${VERSION}`, import.meta.url),
);
const SERVER = join(FOLDER, 'node_modules/@portkey-ai/gateway/build/start-server.js');

const MANIFEST = {
  private: true,
  dependencies: { '@portkey-ai/gateway': VERSION },
  // With the newest of what it asks for, streams fail.
  overrides: { hono: '4.9.7', '@hono/node-server': '1.13.8' },
};

const INSTALL_TIMEOUT_MS = 120_000;

/** The Portkey gateway on the same Node. It knows no keys, limits, prices or records: it chooses the provider by headers, and passes on. */
export const portkey: Subject = {
  name: 'portkey',
  shareOfCalls: { call: 0.05, chunk: 0.5 },
  async start({ upstreamPort, directory, cpus }) {
    if (!existsSync(SERVER)) install();
    const port = await findFreePort();
    const { process: running, startMs } = await startServing(
      {
        command: process.execPath,
        args: [SERVER, '--headless', `--port=${port}`],
        cpus,
        logFile: join(directory, 'portkey.log'),
        env: { NODE_ENV: 'production' },
      },
      `http://127.0.0.1:${port}/`,
      20_000,
    );
    return {
      port,
      process: running,
      startMs,
      version: `${VERSION} on Node ${process.versions.node}`,
      headersFor: ({ translated }) => [
        `x-portkey-provider: ${translated ? 'anthropic' : 'openai'}`,
        `x-portkey-custom-host: http://127.0.0.1:${upstreamPort}/v1`,
      ],
    };
  },
};

/** Throws with npm's own words where there is no way to get it. */
function install(): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, 'package.json'), JSON.stringify(MANIFEST));
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const { status, error, stderr } = spawnSync('npm', args, {
    cwd: FOLDER,
    encoding: 'utf8',
    timeout: INSTALL_TIMEOUT_MS,
  });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n').slice(0, 3).join(' ');
  throw new Error(`npm could not install @portkey-ai/gateway ${VERSION} (${why})`);
}
