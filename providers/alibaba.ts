import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** The open models of Qwen 3 that think unless they are told not to. */
const THINKS_UNSAID = /^qwen3-(?!.*(instruct|coder|thinking))\d/;

/** Think in streams alone. Qwen 3 Max and what came after it do so in whole answers, too (recorded). */
const IN_STREAMS = /^(qwen3-\d|qwen-(plus|flash|turbo))/;

/** Cannot be told not to think, and have no switch for it. */
const ALWAYS_THINKS = /thinking|^(qwq|qvq)/;
const NEVER_THINKS = /instruct|coder|^qwen-max|^qwen[12]/;

const OFF = { enable_thinking: false };

/**
 * The international address; keys of mainland China need `baseUrl: https://dashscope.aliyuncs.com/compatible-mode/v1`.
 *
 * Sources: Alibaba Cloud Model Studio, "OpenAI-compatible Chat Completion" and "Deep thinking" (`enable_thinking`), "Long context (Qwen-Long)"
 * (files, named in system messages), "OpenAI compatible file interface", "OpenAI compatible - Batch (file input)", "Text rerank";
 * QuantumNous/new-api#1109, langchain4j/langchain4j#3974 ("enable_thinking must be set to false for non-streaming calls") and cloudwego/eino#994
 * (`tool_choice` beside thinking).
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
      // A switch: the model thinks as much as it does, or not at all in an answer that is asked whole.
      reasoning_effort: (effort, model, beside) => {
        const isFixed = ALWAYS_THINKS.test(model);
        if (effort === 'none') return isFixed ? 'drop' : OFF;
        if (!isFixed && beside('stream') !== true && IN_STREAMS.test(model))
          return { fitted: 'none', instead: OFF };
        const instead = { enable_thinking: true };
        return effort === 'high' ? instead : { fitted: 'enabled', instead };
      },
    },
    // A wish to think has a rule of its own.
    unsaid: (model, beside) => {
      const isSaid = typeof beside('reasoning_effort') === 'string';
      return beside('stream') !== true && !isSaid && THINKS_UNSAID.test(model) ? OFF : undefined;
    },
    // "The tool_choice parameter does not support being set to required or object in thinking mode".
    forcedTools: [
      { models: ALWAYS_THINKS, any: 'refuse', named: 'refuse' },
      { models: NEVER_THINKS, any: 'keep', named: 'keep' },
      { any: OFF, named: OFF },
    ],
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
