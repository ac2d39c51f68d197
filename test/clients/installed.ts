import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The agents that are tried, in the versions that were seen to work. */
export const AGENTS = {
  'claude-code': { package: '@anthropic-ai/claude-code', version: '2.1.332', bin: 'claude' },
  codex: { package: '@openai/codex', version: '0.171.0', bin: 'codex' },
  opencode: { package: 'opencode-ai', version: '1.18.33', bin: 'opencode' },
} as const;

export type AgentName = keyof typeof AGENTS;

/** The folder into which `npm run test:clients` has installed them; the tests skip without it. */
export const CLIENTS_FOLDER = process.env['FAIRLEAD_CLIENTS'];

/** What starts an agent; undefined where it is not installed. */
export function findAgent(name: AgentName): string | undefined {
  if (CLIENTS_FOLDER === undefined) return undefined;
  const path = join(CLIENTS_FOLDER, 'node_modules/.bin', AGENTS[name].bin);
  return existsSync(path) ? path : undefined;
}

/** The installed version; undefined where there is none. */
export function installedVersion(folder: string, name: AgentName): string | undefined {
  const path = join(folder, 'node_modules', AGENTS[name].package, 'package.json');
  if (!existsSync(path)) return undefined;
  const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  return version;
}
