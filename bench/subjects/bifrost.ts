import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findCommand, findFreePort, startServing } from '../processes.ts';
import { versionOf } from '../scenarios.ts';
import type { Site, Subject } from './subject.ts';

/**
 * Bifrost as its command starts it with a file alone: no store, no virtual keys, no log of calls.
 * Source: docs.getbifrost.ai, "Setting Up" and "config.json".
 */
export const bifrost: Subject = {
  name: 'bifrost',
  isOptional: true,
  findMissing: () =>
    findCommand('bifrost-http') === undefined
      ? 'bifrost-http is not on the PATH (go install github.com/maximhq/bifrost/transports/bifrost-http@latest)'
      : undefined,
  async start(site) {
    const { directory, cpus } = site;
    const port = await findFreePort();
    const home = join(directory, 'bifrost');
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, 'config.json'), renderConfig(site));
    const { process, startMs } = await startServing(
      {
        command: findCommand('bifrost-http') ?? 'bifrost-http',
        args: ['-host', '127.0.0.1', '-port', String(port), '-app-dir', home, '-log-level', 'error'],
        cpus,
        logFile: join(directory, 'bifrost.log'),
      },
      `http://127.0.0.1:${port}/health`,
      30_000,
    );
    return {
      ...{ port, process, startMs, version: '', rewritesAnswers: true },
      modelFor: ({ name, translated }) => `${translated ? 'anthropic' : 'openai'}/${versionOf(name)}`,
    };
  },
};

/** It holds as many calls as the load has under way, and more. */
const PLACES = { concurrency: 1_000, buffer_size: 5_000 };

function renderConfig({ upstreamPort }: Site): string {
  const provider = {
    keys: [{ name: 'bench', value: 'sk-upstream', models: ['*'], weight: 1 }],
    network_config: { base_url: `http://127.0.0.1:${upstreamPort}`, allow_private_network: true },
    concurrency_and_buffer_size: PLACES,
  };
  return JSON.stringify({
    client: { drop_excess_requests: false, enable_logging: false },
    providers: { openai: provider, anthropic: provider },
    config_store: { enabled: false },
  });
}
