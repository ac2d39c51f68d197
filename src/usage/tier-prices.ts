/** What a call costs in a tier, as a multiple of the standard price: of all models, or by model (without the date of its version). */
type Multiples = number | Readonly<Record<string, number>>;

/**
 * Where providers publish what their tiers cost as multiples that hold for all kinds of tokens; by adapter. What is not here is
 * not known: prices by contract (Anthropic's and OpenAI's `priority` by commitment and `scale`), what only an address or a cloud's own
 * price sheet says, and Google's `priority`, for which it names a range.
 *
 * Sources, read in November 2026: platform.claude.com/docs/en/about-claude/pricing (batch, data residency) and
 * …/build-with-claude/fast-mode, whose multiples stack; developers.openai.com/api/docs/guides/flex-processing (at the rates of the Batch API, half
 * the price) and openai.com/api-priority-processing, by the rates of developers.openai.com/api/docs/pricing;
 * ai.google.dev/gemini-api/docs/optimization; docs.cloud.google.com/vertex-ai/generative-ai/docs/flex-paygo; console.groq.com/docs/flex-processing.
 */
const MULTIPLES: Readonly<Record<string, Readonly<Record<string, Multiples>>>> = {
  anthropic: {
    batch: 0.5,
    us: 1.1,
    fast: {
      'claude-opus-4-6': 6,
      'claude-opus-4-7': 6,
      'claude-opus-4-8': 2,
      'claude-opus-5': 2,
      'claude-opus-5-5': 2,
    },
  },
  openai: {
    batch: 0.5,
    flex: 0.5,
    priority: {
      'gpt-4.1': 1.75,
      'gpt-5': 2,
      'gpt-5-codex': 2,
      'gpt-5-mini': 1.8,
      'gpt-5.1': 2,
      'gpt-5.1-codex': 2,
      'gpt-5.2': 2,
      'gpt-5.4': 2,
      'gpt-5.4-mini': 2,
      'gpt-5.5': 2.5,
    },
  },
  gemini: { flex: 0.5, batch: 0.5 },
  vertex: { flex: 0.5 },
  groq: { flex: 1 },
  // Its own commitment at Google, whose answers it prices as ever (`usage.cost` of recorded traffic).
  openrouter: { provisioned: 1 },
};

const DATE = /-(\d{8}|\d{4}-\d{2}-\d{2})$/;

/** How many times the standard price of a model its provider takes in a tier; `undefined` where that is not known. */
export function publishedMultiple(adapter: string, model: string, tier: string): number | undefined {
  const ofProvider = ownValue(MULTIPLES, adapter);
  const multiples = ofProvider && ownValue(ofProvider, tier);
  return typeof multiples === 'object' ? ownValue(multiples, model.replace(DATE, '')) : multiples;
}

/** Words of callers and providers are looked up here: what every object has is none of them. */
function ownValue<T>(values: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(values, key) ? values[key] : undefined;
}
