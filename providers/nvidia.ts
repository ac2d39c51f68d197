import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * vLLM or SGLang behind NVIDIA's address; streams say the usage so far in every chunk.
 *
 * Sources: NVIDIA, "API Reference for NVIDIA NIM for LLMs"; NousResearch/hermes-agent#20154 (the order of turns of Mistral's models).
 */
export default {
  name: 'nvidia',
  title: 'NVIDIA NIM',
  dialect: 'chat',
  baseUrl: 'https://integrate.api.nvidia.com/v1',
  envKeys: ['NVIDIA_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    fields: { max_completion_tokens: { as: 'max_tokens' } },
    instructions: 'system',
    strictTurns: 'mistrals',
    thinkTags: true,
  },
  // NIM for LLMs, API reference: `/v1/completions`.
  completions: { of: 'beyond chat' },
} satisfies ProviderDeclaration;
