import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/** Since K2.5 any value but the model's own is a 400. */
const FIXED_SAMPLING = /^kimi-(k2\.[5-9]|k[3-9])/;

/** K2 can only be told whether to think; K3 always thinks, at one of three levels. */
const LEVELS = new Map<unknown, string>([
  ['minimal', 'low'],
  ['low', 'low'],
  ['medium', 'high'],
  ['high', 'high'],
  ['xhigh', 'max'],
  ['max', 'max'],
]);

/** Cannot be told not to think. */
const ALWAYS_THINKS = /^kimi-(k2\.7|k2-thinking)/;

const OFF = { thinking: { type: 'disabled' } };

function effortOf(effort: unknown, model: string) {
  if (!/^kimi-k[3-9]/.test(model)) {
    if (effort === 'none') return ALWAYS_THINKS.test(model) ? 'drop' : OFF;
    const instead = { thinking: { type: 'enabled' } };
    return effort === 'high' ? instead : { fitted: 'enabled', instead };
  }
  const level = LEVELS.get(effort);
  if (level === undefined) return 'drop';
  return level === effort ? 'keep' : { fitted: level, instead: { reasoning_effort: level } };
}

/**
 * Sources: Kimi API, "Models overview" (parameter comparison, `thinking`), "Migrating from OpenAI to Kimi API" (usage in the choice of a
 * stream's last chunk), "Partial mode", "Use the Kimi K2 thinking model" (frequently asked questions); UKGovernmentBEIS/inspect_ai#5152 and
 * can1357/oh-my-pi#1077 (a tool that must be called beside thinking); documentation of AgentScope, "Kimi Model" (which models always think).
 */
export default {
  name: 'moonshot',
  title: 'Moonshot AI (Kimi)',
  dialect: 'chat',
  baseUrl: 'https://api.moonshot.ai/v1',
  envKeys: ['MOONSHOT_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  lacks: ['embed'],
  quirks: {
    fields: {
      top_k: 'drop',
      temperature: (_value, model) => (FIXED_SAMPLING.test(model) ? 'drop' : 'keep'),
      top_p: (_value, model) => (FIXED_SAMPLING.test(model) ? 'drop' : 'keep'),
      presence_penalty: (_value, model) => (FIXED_SAMPLING.test(model) ? 'drop' : 'keep'),
      frequency_penalty: (_value, model) => (FIXED_SAMPLING.test(model) ? 'drop' : 'keep'),
      n: (n, model) => (FIXED_SAMPLING.test(model) && n !== 1 ? 'refuse' : 'keep'),
      reasoning_effort: effortOf,
    },
    // "tool_choice 'required' is incompatible with thinking enabled", and 'specified', which alone is said of K3.
    forcedTools: [
      { models: /^kimi-k[3-9]/, any: 'keep', named: 'alone' },
      { models: ALWAYS_THINKS, any: 'refuse', named: 'refuse' },
      { models: /^kimi-k2\.[5-9]/, any: OFF, named: OFF },
    ],
    instructions: 'system',
    // "thinking is enabled but reasoning_content is missing in assistant tool call message" is a 400.
    reasoning: 'reasoning_content',
    demandsReasoning: /^kimi-(k2\.[5-9]|k2-thinking|k[3-9])/,
    continuation: 'partial',
  },
  // Kimi API, "Upload file" and "Create batch".
  relays: {
    file: 'here',
    batch: 'here',
  },
} satisfies ProviderDeclaration;
