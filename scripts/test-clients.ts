import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { AGENTS, type AgentName, CLIENTS_FOLDER, installedVersion } from '../test/clients/installed.ts';

/**
 * Installs the agents of `test/clients` into a folder beside the project (FAIRLEAD_CLIENTS, or one in the user's cache)
 * and runs their tests: `npm run test:clients`.
 */
const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
const folder = CLIENTS_FOLDER ?? join(cache, 'fairlead', 'clients');

const names = Object.keys(AGENTS) as AgentName[];
if (names.some((name) => installedVersion(folder, name) !== AGENTS[name].version)) install();
process.exitCode = run(process.execPath, ['test/run.ts', 'test/clients/*.test.ts'], process.cwd());

function install(): void {
  mkdirSync(folder, { recursive: true });
  const agents = Object.values(AGENTS);
  const manifest = {
    private: true,
    dependencies: Object.fromEntries(agents.map((agent) => [agent.package, agent.version])),
    // Two of them put their binary in place with a script, which npm 11 runs only for packages that are named here.
    allowScripts: Object.fromEntries(agents.map((agent) => [agent.package, true])),
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  const status = run('npm', ['install', '--no-audit', '--no-fund'], folder);
  if (status !== 0) process.exit(status);
}

function run(command: string, args: string[], cwd: string): number {
  const env = { ...process.env, FAIRLEAD_CLIENTS: folder };
  return spawnSync(command, args, { cwd, env, stdio: 'inherit' }).status ?? 1;
}
