import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** Models that think: Small from 4 (2603), Medium from 3.5, Large from 4. */
const THINKS = /^(magistral|mistral-large-[4-9]|mistral-(small|medium)-(latest|2[6-9]|3-[5-9]|[4-9]))/;

/** What of OpenAI's words stands for one of Large 4's. */
const LEVELS = new Map<unknown, string>([
  ['minimal', 'low'],
  ['xhigh', 'high'],
  ['max', 'high'],
]);

/** Large 4 has three levels, the others two: docs.mistral.ai, "Reasoning". */
function effortOf(effort: unknown, model: string) {
  if (effort === 'none' || effort === 'high') return 'keep';
  const isLeveled = /^mistral-large-4/.test(model);
  const fitted = isLeveled ? LEVELS.get(effort) : effort === 'minimal' ? 'none' : 'high';
  return fitted === undefined ? 'keep' : { fitted, instead: { reasoning_effort: fitted } };
}

/**
 * Every field that the API does not know is a 422 (`extra_forbidden`), at the top and in messages. What its
 * models think comes and goes as `thinking` parts of the content.
 *
 * Sources: Mistral API reference (chat completions, embeddings), "Chat with Audio" and the request types of its official client (`AudioChunk`);
 * mistralai/platform-docs-public#7, editor-code-assistant/eca#231, charmbracelet/crush#1590 and Gage-Technologies/mistral-go#2 (what
 * is refused); "Tool call id was … but must be a-z, A-Z, 0-9, with a length of 9" is its error for other ids, "Unexpected role 'user' after role 'tool'"
 * for another order (BerriAI/litellm#17761; mistral-common, `MistralRequestValidator`).
 */
export default {
  name: 'mistral',
  title: 'Mistral AI',
  dialect: 'chat',
  baseUrl: 'https://api.mistral.ai/v1',
  envKeys: ['MISTRAL_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    fields: {
      max_completion_tokens: { as: 'max_tokens' },
      seed: { as: 'random_seed' },
      tool_choice: (choice) => (choice === 'required' ? { tool_choice: 'any' } : 'keep'),
      reasoning_effort: effortOf,
      // Usage stands in the last chunk of every stream.
      stream_options: 'omit',
      modalities: (kinds) => (String(kinds) === 'text' ? 'omit' : 'refuse'),
      audio: 'refuse',
      // Known, but not as null.
      n: () => 'keep',
      prediction: () => 'keep',
      web_search_options: 'refuse',
      user: 'drop',
      safety_identifier: 'drop',
      logit_bias: 'drop',
      logprobs: 'drop',
      top_logprobs: 'drop',
      top_k: 'drop',
      service_tier: 'drop',
      store: 'drop',
      verbosity: 'drop',
    },
    embeddings: { dimensions: { as: 'output_dimension' }, user: 'drop' },
    instructions: 'system',
    strictTurns: 'every_model',
    toolCallIds: 'nine_alphanumerics',
    reasoning: (model) => (THINKS.test(model) ? 'thinking' : 'none'),
    messageDrops: ['name', 'refusal', 'annotations', 'audio', 'function_call'],
    audio: 'base64',
    files: 'document_url',
    continuation: 'prefix',
  },
  // Its batches are jobs of another form.
  relays: {
    transcribe: 'here',
    moderate: 'here',
    file: 'here',
  },
} satisfies ProviderDeclaration;
