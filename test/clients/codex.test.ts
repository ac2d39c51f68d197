import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TEST_KEY } from '../support/gateway.ts';
import { type Agent, openWorkshop, type Task } from './agent.ts';

/** Codex (docs of `exec` and of its configuration). It speaks `responses`. */
const CODEX: Agent = {
  name: 'codex',
  headless: async (task) => {
    const folder = join(task.home, 'codex');
    await mkdir(folder);
    await writeFile(join(folder, 'config.toml'), writeConfig(task));
    return {
      args: ['exec', '--skip-git-repo-check', '--sandbox', 'danger-full-access', '-'],
      stdin: task.prompt,
      env: { CODEX_HOME: folder, FAIRLEAD_KEY: TEST_KEY },
    };
  },
  // It has a shell for everything.
  readCall: (path) => runCommand(`cat '${path}'`),
  writeCall: (path, content) => runCommand(`printf %s '${content}' > '${path}'`),
  shellCall: runCommand,
};

function runCommand(command: string): string {
  return `call exec_command ${JSON.stringify({ cmd: command })}`;
}

function writeConfig({ world, model }: Task): string {
  return `
model = "${model}"
model_provider = "fairlead"
check_for_update_on_startup = false

[model_providers.fairlead]
name = "Fairlead"
base_url = "${world.baseUrl}"
env_key = "FAIRLEAD_KEY"
wire_api = "responses"

[analytics]
enabled = false

[features]
apps = false
plugins = false
`;
}

const { finishes, checkAll } = await openWorkshop(CODEX);

for (const model of [
  'openai/gpt-5',
  'compatible/gpt-5-mini',
  'anthropic/claude-sonnet-4-5',
  'anthropic/claude-opus-4-8',
  'gemini/gemini-2.5-flash',
  'gemini/gemini-3-flash-preview',
]) {
  finishes('a task with tools', model);
}

finishes('a task whose provider is overloaded at first', 'anthropic/claude-sonnet-4-5', {
  at: ({ fakes }) => fakes.anthropic,
  script: 'fail 529',
  times: 1,
});

checkAll();
