import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** Any server that speaks OpenAI's chat dialect (Ollama, vLLM, llama.cpp, …). The config says where it is. */
export default {
  name: 'openai-compatible',
  title: 'OpenAI-compatible server',
  dialect: 'chat',
  envKeys: [],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'optional',
} satisfies ProviderDeclaration;
