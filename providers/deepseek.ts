import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** The path of its own base URLs, with and without `/v1`, and of the one that knows `prefix`. */
const OWN_PATH = /^(?:\/v1|\/beta)?\/chat\/completions$/;

/**
 * Sources: DeepSeek API reference (create chat completion), "Thinking Mode" and "Chat Prefix Completion (Beta)"; LiteLLM's documentation,
 * "Pre-fix Assistant Messages" (an answer of DeepSeek's, which does not repeat the prefix). "prefix is only available when using beta api" is
 * its error elsewhere. "The `reasoning_content` in the thinking mode must be passed back to the API." is its error where a history lacks it, on
 * messages without calls, too (openclaw/openclaw#73417). Of `tool_choice`: deepseek-ai/DeepSeek-V3#1376, BerriAI/litellm#37470.
 */
export default {
  name: 'deepseek',
  title: 'DeepSeek',
  dialect: 'chat',
  baseUrl: 'https://api.deepseek.com/v1',
  envKeys: ['DEEPSEEK_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  lacks: ['embed'],
  quirks: {
    fields: {
      max_completion_tokens: { as: 'max_tokens' },
      // What its reference does not have it does not read.
      n: (n) => (n === 1 ? 'keep' : 'refuse'),
      parallel_tool_calls: (isParallel) => (isParallel === false ? 'drop' : 'keep'),
      modalities: (kinds) => (String(kinds) === 'text' ? 'omit' : 'refuse'),
      audio: 'refuse',
      seed: 'drop',
      user: 'drop',
      verbosity: 'drop',
      prompt_cache_key: 'drop',
      safety_identifier: 'drop',
      logit_bias: 'drop',
      metadata: 'drop',
      prediction: 'drop',
      service_tier: 'drop',
      store: 'drop',
      top_k: 'drop',
      reasoning_effort: (effort) => (effort === 'none' ? { thinking: { type: 'disabled' } } : 'keep'),
      // `response_format.type` is `text` or `json_object`.
      response_format: (format) =>
        typeof format === 'object' && format !== null && 'json_schema' in format ? 'refuse' : 'keep',
    },
    // "Thinking mode does not support this tool_choice", and it thinks unless it is told not to.
    forcedTools: [{ any: { thinking: { type: 'disabled' } }, named: { thinking: { type: 'disabled' } } }],
    instructions: 'system',
    // After a tool call it must come back, else the API answers 400; elsewhere it is ignored.
    reasoning: 'reasoning_content',
    demandsReasoning: /^deepseek/,
    continuedAt: (path) => (OWN_PATH.test(path) ? '/beta/chat/completions' : undefined),
  },
  // "FIM Completion (Beta)": what the base URL `https://api.deepseek.com/beta` has.
  completions: { of: 'beyond chat', at: '../beta/completions' },
} satisfies ProviderDeclaration;
