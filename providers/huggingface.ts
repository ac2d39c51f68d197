import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * A router to other providers: the model's name may say which (`deepseek-ai/DeepSeek-R1:together`).
 *
 * Source: Hugging Face, "Inference Providers" and its chat completion specification (`max_tokens`).
 */
export default {
  name: 'huggingface',
  title: 'Hugging Face Inference Providers',
  dialect: 'chat',
  baseUrl: 'https://router.huggingface.co/v1',
  envKeys: ['HF_TOKEN'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  // Embeddings are another task of its API, with a form and an address of their own.
  lacks: ['embed'],
  quirks: {
    fields: { max_completion_tokens: { as: 'max_tokens' }, top_k: 'drop' },
    instructions: 'system',
    thinkTags: true,
  },
} satisfies ProviderDeclaration;
