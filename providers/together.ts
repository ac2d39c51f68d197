import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Sources: Together API reference (chat completions: `max_tokens`, roles); "DeepSeek R1 quickstart" (`<think>` in the content).
 */
export default {
  name: 'together',
  title: 'Together AI',
  dialect: 'chat',
  baseUrl: 'https://api.together.xyz/v1',
  envKeys: ['TOGETHER_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    fields: { max_completion_tokens: { as: 'max_tokens' } },
    instructions: 'system',
    thinkTags: true,
  },
  // Methods of its official client; files are uploaded in a way of its own, and batches are made of them.
  relays: {
    image: 'here',
    speech: 'here',
    transcribe: 'here',
    translate: 'here',
    rerank: 'here',
  },
  // Together API reference (create completion).
  completions: { of: 'every call' },
} satisfies ProviderDeclaration;
