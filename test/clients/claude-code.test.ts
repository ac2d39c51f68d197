import { TEST_KEY } from '../support/gateway.ts';
import { type Agent, openWorkshop } from './agent.ts';

/** Claude Code (docs of its environment variables and of `-p`). It speaks `messages`. */
const CLAUDE_CODE: Agent = {
  name: 'claude-code',
  callsClouds: true,
  headless: ({ world, model, prompt }) => ({
    args: ['-p', prompt, '--model', model, '--allowedTools', 'Read,Write,Bash'],
    stdin: '',
    env: {
      ANTHROPIC_BASE_URL: world.url,
      ANTHROPIC_AUTH_TOKEN: TEST_KEY,
      ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    },
  }),
  readCall: (path) => `call Read ${JSON.stringify({ file_path: path })}`,
  writeCall: (path, content) => `call Write ${JSON.stringify({ file_path: path, content })}`,
  shellCall: (command) => `call Bash ${JSON.stringify({ command, description: 'Run it' })}`,
};

const { finishes, checkAll } = await openWorkshop(CLAUDE_CODE);

for (const model of [
  'anthropic/claude-sonnet-4-5',
  'anthropic/claude-opus-4-8',
  'openai/gpt-4.1',
  'openai/gpt-5',
  'compatible/gpt-5-mini',
  'gemini/gemini-2.5-flash',
  'gemini/gemini-3-flash-preview',
  'bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0',
  'vertex/claude-sonnet-4-5@20250929',
  'vertex/claude-opus-4-6',
]) {
  finishes('a task with tools', model);
}

finishes('a task whose provider is overloaded at first', 'anthropic/claude-sonnet-4-5', {
  at: ({ fakes }) => fakes.anthropic,
  script: 'fail 529',
  times: 1,
});

checkAll();
