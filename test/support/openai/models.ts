/** What a family of models takes. The first row whose pattern fits decides. */
interface Family {
  pattern: RegExp;
  /** Thinks before it answers: no `max_tokens`, no sampling parameters. */
  reasoning?: boolean;
  /** Takes sampling parameters with `reasoning_effort: "none"` (GPT-5.1 and later, API reference of `temperature`). */
  samplesWithoutEffort?: boolean;
  /** Its effort is `none` where nothing is said (guide "Using GPT-5.2"); from GPT-5.5 on it is `medium`. */
  plainUnsaid?: boolean;
  /** o3, o4-mini and GPT-5 take no `stop` (API reference of `stop`; o3-mini does, see the recorded traffic). */
  noStop?: boolean;
  /** o1-mini knows no system or developer messages (recorded: 400 `unsupported_value`). */
  noSystem?: boolean;
  audio?: boolean;
  search?: boolean;
}

const FAMILIES: readonly Family[] = [
  { pattern: /search-preview/, search: true },
  { pattern: /audio/, audio: true },
  { pattern: /^gpt-5-chat/ },
  { pattern: /^gpt-5\.[1-4]/, reasoning: true, samplesWithoutEffort: true, plainUnsaid: true, noStop: true },
  // GPT-6 Astra takes no effort `none`, and no sampling parameters (its notes in the changelog).
  { pattern: /^gpt-6-astra/, reasoning: true, noStop: true },
  { pattern: /^gpt-(5\.\d|6)/, reasoning: true, samplesWithoutEffort: true, noStop: true },
  { pattern: /^gpt-5/, reasoning: true, noStop: true },
  { pattern: /^o1-(mini|preview)/, reasoning: true, noSystem: true },
  { pattern: /^o(3|4-mini)(?!-mini)/, reasoning: true, noStop: true },
  { pattern: /^o\d/, reasoning: true },
  { pattern: /./ },
];

export function familyOf(model: string): Omit<Family, 'pattern'> {
  return FAMILIES.find((family) => family.pattern.test(model)) ?? {};
}

export const CHAT_MODELS: readonly string[] = [
  'gpt-4o',
  'gpt-4o-2024-08-06',
  'gpt-4o-mini',
  'gpt-4o-audio-preview',
  'gpt-4o-search-preview',
  'gpt-4.1',
  'gpt-4.1-2025-04-14',
  'gpt-4.1-mini',
  'gpt-5',
  'gpt-5-2025-08-07',
  'gpt-5-mini',
  'gpt-5.1',
  'gpt-5.4-mini',
  'gpt-6-luna',
  'gpt-6-astra',
  'o1-mini',
  'o3',
  'o3-mini',
  'o4-mini',
];

/**
 * What each family takes for effort; the first row that fits decides. Sources: the API's own words in openai/codex#6647 (gpt-5.1-codex),
 * anomalyco/opencode#4451 (gpt-5.1) and #26273 (the o-series, its deep research); OpenAI's model pages (gpt-5, gpt-5-pro, gpt-5.4).
 */
const EFFORTS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^gpt-5-pro/, ['high']],
  [/^gpt-5(\.1)?-codex/, ['low', 'medium', 'high']],
  [/^gpt-5(-|$)/, ['minimal', 'low', 'medium', 'high']],
  [/^gpt-5\.1/, ['none', 'low', 'medium', 'high']],
  [/^gpt-5\.[2-5]/, ['none', 'low', 'medium', 'high', 'xhigh']],
  [/^gpt-6-astra/, ['low', 'medium', 'high', 'xhigh', 'max']],
  [/deep-research/, ['medium']],
  [/^o\d/, ['low', 'medium', 'high']],
];

/** The efforts that a model takes; `undefined` where nothing is known of it. */
export function effortsOf(model: string): readonly string[] | undefined {
  return EFFORTS.find(([pattern]) => pattern.test(model))?.[1];
}

/** What Chat Completions knows by name and refuses (alvinunreal/tmuxai#82). Of the real ones, those that tests ask for. */
export const RESPONSES_MODELS: readonly string[] = ['gpt-5-codex', 'gpt-5-pro', 'o3-pro'];

/** Native size, whether it can be cut (`dimensions`: API reference of embeddings, "text-embedding-3 and later"). */
export const EMBEDDING_MODELS: ReadonlyMap<string, { size: number; shortens: boolean }> = new Map([
  ['text-embedding-3-small', { size: 1536, shortens: true }],
  ['text-embedding-3-large', { size: 3072, shortens: true }],
  ['text-embedding-ada-002', { size: 1536, shortens: false }],
]);
