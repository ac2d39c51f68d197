import type { ProviderDeclaration } from '../src/upstream/provider.ts';

const PLAIN = /^grok-(2|3(?!-mini))|non-reasoning/;
const FIXED_EFFORT = /^grok-(2|3(?!-mini)|4(-|$)|4\.1|4\.20|code)|non-reasoning/;

/**
 * Reasoning models answer presencePenalty, frequencyPenalty and stop with an error; so do the models whose effort cannot be
 * chosen with `reasoning_effort`. A model that is not known yet is taken for one that reasons and has efforts.
 *
 * Sources: xAI, "Reasoning" and "Models" (notes for Grok 4); vercel/ai, releases of @ai-sdk/xai 4.0 (which models have efforts).
 */
export default {
  name: 'xai',
  title: 'xAI',
  dialect: 'chat',
  baseUrl: 'https://api.x.ai/v1',
  envKeys: ['XAI_API_KEY'],
  authorize: (credential) => ({ authorization: `Bearer ${credential}` }),
  credential: 'required',
  lacks: ['embed'],
  quirks: {
    mostStops: (model) => (PLAIN.test(model) ? Number.POSITIVE_INFINITY : 0),
    fields: {
      top_k: 'drop',
      presence_penalty: (_penalty, model) => (PLAIN.test(model) ? 'keep' : 'drop'),
      frequency_penalty: (_penalty, model) => (PLAIN.test(model) ? 'keep' : 'drop'),
      // Nor null, which says nothing.
      stop: (stop) => (Array.isArray(stop) && stop.length === 0 ? 'omit' : 'keep'),
      reasoning_effort: (_effort, model) => (FIXED_EFFORT.test(model) ? 'drop' : 'keep'),
    },
  },
  // xAI, "Image generation" and "Managing Files". Batches are of another form (a name, requests that are added to it, pages of results),
  // and edits of images take JSON.
  relays: {
    image: 'here',
    file: 'here',
  },
  // REST API reference, "Completions (legacy)": "not supported by reasoning models".
  completions: { of: PLAIN },
} satisfies ProviderDeclaration;
