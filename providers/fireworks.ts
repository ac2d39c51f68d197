import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Streams say their usage unasked, in the last chunk.
 *
 * Sources: Fireworks, "OpenAI compatibility" and "Migrate to Fireworks"; "Reasoning" (models whose thinking stays in the content; that of
 * earlier turns comes back in `reasoning_content`).
 */
export default {
  name: 'fireworks',
  title: 'Fireworks AI',
  dialect: 'chat',
  baseUrl: 'https://api.fireworks.ai/inference/v1',
  envKeys: ['FIREWORKS_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    reasoning: 'reasoning_content',
    thinkTags: true,
  },
  // Fireworks API reference, "Rerank documents". Its batches are jobs of another form.
  relays: { rerank: 'here' },
  // Fireworks API reference (create completion).
  completions: { of: 'every call' },
} satisfies ProviderDeclaration;
