import type { ProviderDeclaration } from '../src/upstream/provider.ts';

/**
 * OpenRouter levels its providers itself: what a model does not take is left out there, reasoning has one form
 * (`reasoning`, `reasoning_details`), and every answer says its usage and `cost`.
 *
 * Sources: OpenRouter, "API parameters", "Reasoning tokens" and "Usage accounting"; charmbracelet/crush#279 (the order of turns of Mistral's models).
 */
export default {
  name: 'openrouter',
  title: 'OpenRouter',
  dialect: 'chat',
  baseUrl: 'https://openrouter.ai/api/v1',
  envKeys: ['OPENROUTER_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  quirks: {
    reasoning: 'reasoning_details',
    strictTurns: 'mistrals',
  },
  // OpenRouter API reference, "Submit a rerank request". Its files are described in a form of its own.
  relays: { rerank: 'here' },
  // OpenRouter API reference (completion).
  completions: { of: 'beyond chat' },
} satisfies ProviderDeclaration;
