import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * There only when it is configured; a key where the server was started with `--api-key`. Reasoning stays in the text unless the
 * server was started with a reasoning parser; roles are up to the model's chat template, which seldom knows `developer`.
 *
 * Sources: vLLM, "OpenAI-Compatible Server" and "Reasoning Outputs", "Interleaved Thinking" (`reasoning` comes back); mistralai/mistral-vibe#578 (the order of turns of Mistral's models).
 */
export default {
  name: 'vllm',
  title: 'vLLM',
  dialect: 'chat',
  baseUrl: 'http://127.0.0.1:8000/v1',
  envKeys: [],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'optional',
  quirks: {
    instructions: 'system',
    strictTurns: 'mistrals',
    reasoning: 'reasoning',
    thinkTags: true,
  },
  // vLLM, "Online serving": audio, and Cohere's and Jina's rerank.
  relays: {
    transcribe: 'here',
    translate: 'here',
    rerank: 'here',
    rerank_v2: 'here',
  },
  // vLLM, "Online serving", "Completions API".
  completions: { of: 'every call' },
} satisfies ProviderDeclaration;
