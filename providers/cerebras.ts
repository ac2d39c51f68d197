import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Sources: Cerebras API reference (chat completions) and "OpenAI compatibility" (fields that are a 400); Kilo-Org/kilocode#10375
 * (`reasoning_content` is one, `reasoning` is what comes and goes).
 */
export default {
  name: 'cerebras',
  title: 'Cerebras',
  dialect: 'chat',
  baseUrl: 'https://api.cerebras.ai/v1',
  envKeys: ['CEREBRAS_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  lacks: ['embed'],
  quirks: {
    fields: {
      max_tokens: { as: 'max_completion_tokens' },
      frequency_penalty: 'drop',
      presence_penalty: 'drop',
      logit_bias: 'drop',
      top_k: 'drop',
    },
    reasoning: 'reasoning',
    thinkTags: true,
  },
  // Cerebras, "Batch" and API reference (files, batches): a private preview.
  relays: { file: 'here', batch: 'here' },
  // Cerebras API reference (completions).
  completions: { of: 'beyond chat' },
} satisfies ProviderDeclaration;
