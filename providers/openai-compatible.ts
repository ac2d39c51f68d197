import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** Any server that speaks OpenAI's chat dialect (Ollama, vLLM, llama.cpp, …). The config says where it is. */
export default {
  name: 'openai-compatible',
  title: 'OpenAI-compatible server',
  dialect: 'chat',
  envKeys: [],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'optional',
  // What a server has of it is for the server to say.
  relays: {
    image: 'here',
    image_edit: 'here',
    image_variation: 'here',
    speech: 'here',
    transcribe: 'here',
    translate: 'here',
    moderate: 'here',
    file: 'here',
    batch: 'here',
    rerank: 'here',
    rerank_v2: 'here',
  },
  // Where it has them: not all do, and all have chat.
  completions: { of: 'beyond chat' },
} satisfies ProviderDeclaration;
