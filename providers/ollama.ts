import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * There only when it is configured: `ollama: {}` for this machine, `baseUrl: https://ollama.com/v1` and a key for its cloud.
 *
 * Source: Ollama, "OpenAI compatibility" (supported request fields; what is not listed is not read).
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
      n: (n) => (n === 1 ? 'omit' : 'refuse'),
      logit_bias: 'drop',
      user: 'drop',
    },
    instructions: 'system',
    thinkTags: true,
  },
} satisfies ProviderDeclaration;
