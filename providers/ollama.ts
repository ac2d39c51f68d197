import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** The nearest to words of OpenAI's that are refused: no more thinking than was asked for, unless all are more. */
const LEVELS = new Map<unknown, string>([
  ['minimal', 'low'],
  ['xhigh', 'high'],
]);

function effortOf(effort: unknown) {
  // Whatever the model does when nothing is said.
  if (effort === 'default') return 'omit';
  const level = LEVELS.get(effort);
  return level === undefined ? 'keep' : { fitted: level, instead: { reasoning_effort: level } };
}

/**
 * There only when it is configured: `ollama: {}` for this machine, `baseUrl: https://ollama.com/v1` and a key for its cloud.
 *
 * Sources: Ollama, "OpenAI compatibility" (supported request fields; what is not listed is not read); ollama/ollama#17141 (efforts in
 * both fields: high, medium, low, max and none, anything else is a 400); its source, `openai/openai.go` (`reasoning` of a message is
 * read, `tool_choice` and `parallel_tool_calls` are not; images are data; a list of texts is as many messages, without the tool's name).
 */
export default {
  name: 'ollama',
  title: 'Ollama',
  dialect: 'chat',
  baseUrl: 'http://127.0.0.1:11434/v1',
  envKeys: [],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'optional',
  quirks: {
    fields: {
      // Other names for the limit are not read, so that the answer would have none.
      max_completion_tokens: { as: 'max_tokens' },
      reasoning_effort: effortOf,
      // OpenRouter's way to say it, of which the effort is read.
      reasoning: (reasoning) => {
        if (typeof reasoning !== 'object' || reasoning === null || Array.isArray(reasoning)) return 'keep';
        const level = LEVELS.get(reasoning['effort']);
        return level === undefined
          ? 'keep'
          : { fitted: level, instead: { reasoning: { ...reasoning, effort: level } } };
      },
      parallel_tool_calls: (isParallel) => (isParallel === false ? 'drop' : 'keep'),
      n: (n) => (n === 1 ? 'omit' : 'refuse'),
      logit_bias: 'drop',
      top_k: 'drop',
      user: 'drop',
    },
    toolChoice: 'unread',
    instructions: 'system',
    images: 'inline',
    texts: 'joined',
    reasoning: 'reasoning',
    thinkTags: true,
  },
  // Ollama, "OpenAI compatibility": `/v1/completions`.
  completions: { of: 'every call' },
} satisfies ProviderDeclaration;
