import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * There only when it is configured.
 *
 * Source: LM Studio, "OpenAI Compatibility Endpoints" (supported payload parameters).
 */
export default {
  name: 'lmstudio',
  title: 'LM Studio',
  dialect: 'chat',
  baseUrl: 'http://127.0.0.1:1234/v1',
  envKeys: [],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'optional',
  quirks: {
    fields: { max_completion_tokens: { as: 'max_tokens' } },
    instructions: 'system',
    thinkTags: true,
  },
  // LM Studio, "OpenAI Compatibility Endpoints": `/v1/completions`.
  completions: { of: 'every call' },
} satisfies ProviderDeclaration;
