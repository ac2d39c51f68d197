import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Cohere's Compatibility API, which speaks this dialect; its own API (v2/chat) is another dialect.
 *
 * Sources: Cohere, "Using Cohere models via the OpenAI SDK" (supported and unsupported parameters); Strands Agents, "Cohere"
 * (`stream_options` is rejected); the key's variable is that of Cohere's own SDKs.
 */
export default {
  name: 'cohere',
  title: 'Cohere',
  dialect: 'chat',
  baseUrl: 'https://api.cohere.ai/compatibility/v1',
  envKeys: ['CO_API_KEY', 'COHERE_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    fields: {
      max_completion_tokens: { as: 'max_tokens' },
      // "Only `none` and `high` are supported."
      reasoning_effort: (effort) => {
        if (effort === 'none' || effort === 'high') return 'keep';
        const fitted = effort === 'minimal' ? 'none' : 'high';
        return { fitted, instead: { reasoning_effort: fitted } };
      },
      n: (n) => (n === 1 ? 'omit' : 'refuse'),
      modalities: (kinds) => (String(kinds) === 'text' ? 'omit' : 'refuse'),
      audio: 'refuse',
      stream_options: 'drop',
      store: 'drop',
      metadata: 'drop',
      logit_bias: 'drop',
      top_k: 'drop',
      top_logprobs: 'drop',
      prediction: 'drop',
      service_tier: 'drop',
      parallel_tool_calls: 'drop',
    },
    embeddings: { dimensions: 'refuse', user: 'drop' },
    instructions: 'system',
    // Content is text and images.
    files: 'none',
  },
  // Cohere API reference, "Rerank API" v1 and v2, beside the Compatibility API.
  relays: { rerank: '../../v1/rerank', rerank_v2: '../../v2/rerank' },
} satisfies ProviderDeclaration;
