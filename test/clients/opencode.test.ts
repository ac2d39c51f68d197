import { TEST_KEY } from '../support/gateway.ts';
import { type Agent, openWorkshop, type Task } from './agent.ts';

/** opencode (docs of `run`, of its config and of custom providers). It speaks `chat`. */
const OPENCODE: Agent = {
  name: 'opencode',
  headless: (task) => ({
    args: ['run', '--auto'],
    // As an argument it would come in quotes.
    stdin: task.prompt,
    env: {
      OPENCODE_CONFIG_CONTENT: JSON.stringify(writeConfig(task)),
      OPENCODE_DISABLE_MODELS_FETCH: '1',
      OPENCODE_DISABLE_LSP_DOWNLOAD: '1',
      OPENCODE_DISABLE_DEFAULT_PLUGINS: '1',
      // It installs a package for plugins at every start.
      npm_config_offline: 'true',
    },
  }),
  readCall: (path) => `call read ${JSON.stringify({ filePath: path })}`,
  // By the name of the model it has one tool for writing or the other.
  writeCall: (path, content, model) =>
    model.includes('gpt-5')
      ? `call apply_patch ${JSON.stringify({ patchText: writePatch(path, content) })}`
      : `call write ${JSON.stringify({ filePath: path, content })}`,
  shellCall: (command) => `call bash ${JSON.stringify({ command, description: 'Run it' })}`,
};

function writePatch(path: string, content: string): string {
  return `*** Begin Patch\n*** Add File: ${path}\n+${content}*** End Patch`;
}

function writeConfig({ world, model }: Task): object {
  return {
    model: `fairlead/${model}`,
    small_model: `fairlead/${model}`,
    enabled_providers: ['fairlead'],
    provider: {
      fairlead: {
        npm: '@ai-sdk/openai-compatible',
        name: 'Fairlead',
        options: { baseURL: world.baseUrl, apiKey: TEST_KEY },
        models: { [model]: { limit: { context: 128_000, output: 8192 } } },
      },
    },
    autoupdate: false,
    share: 'disabled',
  };
}

const { finishes, checkAll } = await openWorkshop(OPENCODE);

for (const model of [
  'openai/gpt-4.1',
  'anthropic/claude-sonnet-4-5',
  'openai/gpt-5',
  'gemini/gemini-3-flash-preview',
]) {
  finishes('a task with tools', model);
}

checkAll();
