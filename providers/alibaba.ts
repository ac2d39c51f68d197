import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * The international address; keys of mainland China need `baseUrl: https://dashscope.aliyuncs.com/compatible-mode/v1`.
 *
 * Sources: Alibaba Cloud Model Studio, "OpenAI-compatible Chat Completion" and "Deep thinking" (`enable_thinking`), "Long context (Qwen-Long)"
 * (files, named in system messages), "OpenAI compatible file interface", "OpenAI compatible - Batch (file input)", "Text rerank".
 */
export default {
  name: 'alibaba',
  title: 'Alibaba Cloud Model Studio',
  dialect: 'chat',
  baseUrl: 'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
  envKeys: ['DASHSCOPE_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  filesInTexts: 'fileid://',
  quirks: {
    fields: {
      max_completion_tokens: { as: 'max_tokens' },
      // A switch: the model thinks as much as it does.
      reasoning_effort: (effort) => {
        const instead = { enable_thinking: effort !== 'none' };
        return effort === 'none' || effort === 'high' ? instead : { fitted: 'enabled', instead };
      },
    },
    instructions: 'system',
  },
  // Reranking is beside the compatible mode, in OpenAI's style.
  relays: {
    rerank: '../../compatible-api/v1/reranks',
    file: 'here',
    batch: 'here',
  },
  // Model Studio, "OpenAI-compatible Completions" (qwen-coder).
  completions: { of: 'beyond chat' },
} satisfies ProviderDeclaration;
