import type { ProviderDeclaration } from '../src/upstream/provider.ts';

const REASONING = /gpt-oss|qwen-?3|deepseek-r1/;

/** What of OpenAI's words stands for one of the three of gpt-oss. */
const LEVELS = new Map<unknown, string>([
  ['none', 'low'],
  ['minimal', 'low'],
  ['xhigh', 'high'],
  ['max', 'high'],
]);

/** gpt-oss has three levels, Qwen 3 a switch, the others nothing of the kind. */
function effortOf(effort: unknown, model: string) {
  if (/qwen-?3/.test(model)) {
    if (effort === 'none' || effort === 'default') return 'keep';
    const instead = { reasoning_effort: 'default' };
    return effort === 'high' ? instead : { fitted: 'default', instead };
  }
  if (!/gpt-oss/.test(model)) return 'drop';
  const level = LEVELS.get(effort);
  return level === undefined ? 'keep' : { fitted: level, instead: { reasoning_effort: level } };
}

/** What of OpenAI's words for tiers stands for another of Groq's: `default` is its `on_demand`; the tiers that cost more are not its. */
function tierOf(tier: unknown) {
  if (tier === 'default') return { service_tier: 'on_demand' };
  return tier === 'priority' || tier === 'fast' || tier === 'scale' ? 'drop' : 'keep';
}

/**
 * A property that the API does not know is a 400 ("property 'X' is unsupported"), at the top and in messages.
 *
 * Sources: Groq, "OpenAI Compatibility" (logprobs, logit_bias, top_logprobs, messages[].name, n) and "Reasoning"
 * (`reasoning_effort`, `<think>` in the raw format), "Service Tiers"; the methods of its official client (embeddings); janhq/jan#8136, musistudio/llms#64, fanenr/chatbot#21 and vercel/ai#8057
 * (reasoning and store).
 */
export default {
  name: 'groq',
  title: 'Groq',
  dialect: 'chat',
  baseUrl: 'https://api.groq.com/openai/v1',
  envKeys: ['GROQ_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    fields: {
      n: (n) => (n === 1 ? 'keep' : 'refuse'),
      reasoning_effort: effortOf,
      service_tier: tierOf,
      logprobs: 'drop',
      top_logprobs: 'drop',
      logit_bias: 'drop',
      top_k: 'drop',
      store: 'drop',
      verbosity: 'drop',
      prompt_cache_key: 'drop',
      safety_identifier: 'drop',
      reasoning: 'drop',
      thinking: 'drop',
    },
    instructions: 'system',
    // Other models: "reasoning is not supported with this model".
    reasoning: (model) => (REASONING.test(model) ? 'reasoning' : 'none'),
    messageDrops: ['name', 'refusal', 'annotations', 'audio', 'function_call'],
    thinkTags: true,
  },
  // Groq API reference: audio, files, batches. Its Responses API (beta) keeps nothing and goes on from nothing: translated, clients have both.
  relays: {
    speech: 'here',
    transcribe: 'here',
    translate: 'here',
    file: 'here',
    batch: 'here',
  },
} satisfies ProviderDeclaration;
