import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * Answers say what they rest on in `search_results` and `citations` beside the choices; every chunk of a stream says the
 * usage so far.
 *
 * Sources: Perplexity API reference (chat completions) and "OpenAI compatibility"; perplexityai/api-discussion#265 ("user and
 * assistant roles should be alternating"); "Sonar reasoning pro" (`<think>` in the content); pipecat-ai/pipecat#4862 ("Tool calling is
 * not supported for this model").
 */
export default {
  name: 'perplexity',
  title: 'Perplexity',
  dialect: 'chat',
  baseUrl: 'https://api.perplexity.ai',
  envKeys: ['PERPLEXITY_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  // Its embeddings are at another address, and in base64 of 8-bit integers alone, which OpenAI's clients do not read.
  lacks: ['embed'],
  quirks: {
    fields: {
      max_completion_tokens: { as: 'max_tokens' },
      tools: (tools) => (Array.isArray(tools) && tools.length === 0 ? 'omit' : 'refuse'),
    },
    instructions: 'system',
    alternating: true,
    thinkTags: true,
  },
  // Perplexity API reference, "Upload a file" (for batches alone) and "Create a batch".
  relays: { file: 'v1/files', batch: 'v1/batches' },
} satisfies ProviderDeclaration;
