/**
 * What a Claude model takes and refuses, as far as requests must be written differently for it.
 * The body is that of `anthropic-version: 2023-06-01`: the next version (2026-10-21) takes no sampling parameters
 * from any model, and clients of other dialects do send them.
 *
 * Sources: platform.claude.com docs "Models overview", the migration guide of each model, "Thinking", "Effort",
 * "Structured outputs"; the Models API (`capabilities`). Recorded traffic confirms the older rows.
 */
export interface ModelTraits {
  /** The most that `max_tokens` may be, and what it is where the caller names no limit. */
  maxOutputTokens: number;
  /** False: the limit is a guess for a model that is not Anthropic's, and nothing is cut down to it. */
  limitIsKnown: boolean;
  /** False: not one of Anthropic's models, by its name. */
  isKnown: boolean;
  /** `budget`: `enabled` with `budget_tokens`. `both`: that or `adaptive`. `adaptive`: a budget is answered with 400. */
  thinking: 'none' | 'budget' | 'both' | 'adaptive';
  /** How a call runs without thinking. `absent`: by not asking for it. `never`: not at all. */
  thinkingOff: 'absent' | 'disabled' | 'between_tools' | 'never';
  /** Words that `output_config.effort` takes, from little to much. */
  efforts: readonly Effort[];
  /** `one`: `temperature` or `top_p`, not both. */
  sampling: 'any' | 'one' | 'none';
  /** `output_config.format`, and `strict` tools. */
  structuredOutputs: boolean;
  /** `tool_choice` of type `any` and `tool`. */
  forcedToolUse: boolean;
  /** Versions of Anthropic's own tools from before Claude 4. */
  takesEarlierTools: boolean;
  /** The conversation may end with the beginning of the answer. */
  prefill: boolean;
}

export type Effort = 'low' | 'medium' | 'high' | 'xhigh' | 'max';

export const EFFORTS: readonly Effort[] = ['low', 'medium', 'high', 'xhigh', 'max'];

const CLAUDE_3: ModelTraits = {
  maxOutputTokens: 4_096,
  limitIsKnown: true,
  isKnown: true,
  thinking: 'none',
  thinkingOff: 'absent',
  efforts: [],
  sampling: 'any',
  structuredOutputs: false,
  forcedToolUse: true,
  takesEarlierTools: true,
  prefill: true,
};
const CLAUDE_3_5: ModelTraits = { ...CLAUDE_3, maxOutputTokens: 8_192 };
const SONNET_3_7: ModelTraits = { ...CLAUDE_3, maxOutputTokens: 64_000, thinking: 'budget' };
const SONNET_4: ModelTraits = { ...SONNET_3_7, takesEarlierTools: false };
const OPUS_4: ModelTraits = { ...SONNET_4, maxOutputTokens: 32_000 };
const CLAUDE_4_5: ModelTraits = { ...SONNET_4, sampling: 'one', structuredOutputs: true };
const CLAUDE_4_6: ModelTraits = {
  ...CLAUDE_4_5,
  maxOutputTokens: 128_000,
  thinking: 'both',
  efforts: ['low', 'medium', 'high', 'max'],
  prefill: false,
};
const CLAUDE_4_7: ModelTraits = { ...CLAUDE_4_6, thinking: 'adaptive', efforts: EFFORTS, sampling: 'none' };
const CLAUDE_5: ModelTraits = { ...CLAUDE_4_7, thinkingOff: 'disabled' };
const FABLE_5: ModelTraits = { ...CLAUDE_4_7, thinkingOff: 'never' };
const FABLE_5_1: ModelTraits = { ...FABLE_5, forcedToolUse: false };

/** For a Claude model newer than this table: as little as the newest ones take, which is safe on all of them. */
const NEWER = FABLE_5_1;

/** For models of other makers behind an API of this kind: what all of them are likely to take. */
const FOREIGN: ModelTraits = { ...CLAUDE_3_5, limitIsKnown: false, isKnown: false, thinking: 'budget' };

const TRAITS = new Map<string, ModelTraits>([
  ['opus-3', CLAUDE_3],
  ['sonnet-3', CLAUDE_3],
  ['haiku-3', CLAUDE_3],
  ['sonnet-3-5', CLAUDE_3_5],
  ['haiku-3-5', CLAUDE_3_5],
  ['sonnet-3-7', SONNET_3_7],
  ['sonnet-4', SONNET_4],
  ['opus-4', OPUS_4],
  ['opus-4-1', { ...OPUS_4, sampling: 'one' }],
  ['sonnet-4-5', CLAUDE_4_5],
  ['haiku-4-5', CLAUDE_4_5],
  ['opus-4-5', { ...CLAUDE_4_5, efforts: ['low', 'medium', 'high'] }],
  ['sonnet-4-6', CLAUDE_4_6],
  ['opus-4-6', CLAUDE_4_6],
  ['opus-4-7', CLAUDE_4_7],
  ['opus-4-8', CLAUDE_4_7],
  ['mythos-preview', { ...FABLE_5, efforts: ['low', 'medium', 'high', 'max'] }],
  ['sonnet-5', CLAUDE_5],
  ['opus-5', CLAUDE_5],
  ['fable-5', FABLE_5],
  ['mythos-5', FABLE_5],
  ['fable-5-1', FABLE_5_1],
  ['mythos-5-1', FABLE_5_1],
  ['fable-5-2', FABLE_5_1],
  ['mythos-5-2', FABLE_5_1],
  ['opus-5-5', FABLE_5_1],
  ['sonnet-5-5', { ...FABLE_5_1, thinkingOff: 'between_tools' }],
  ['haiku-5-5', CLAUDE_5],
]);

/** `claude-opus-4-5-20251101`, `eu.anthropic.claude-haiku-4-5-…-v1:0`, `claude-sonnet-4@20250514`, `claude-opus-4.5`; what is no family yet as well. */
const FAMILY_FIRST = /(?<![\w-])claude-([a-z]+)-(\d{1,2}|preview)(?:[-.](\d{1,2}))?(?!\d)/;
/** `claude-3-7-sonnet-20250219`. */
const VERSION_FIRST = /(?<![\w-])claude-(\d)(?:[-.](\d))?-(opus|sonnet|haiku)/;
const BEFORE_CLAUDE_3 = /(?<![\w-])claude-(?:instant|v?[12](?!\d))/;

/** The traits of a model version, whatever cloud's spelling its name has. */
export function modelTraits(model: string): ModelTraits {
  const name = model.toLowerCase();
  if (BEFORE_CLAUDE_3.test(name)) return CLAUDE_3;
  const modern = FAMILY_FIRST.exec(name);
  if (modern) return TRAITS.get(traitsKey(modern[1], modern[2], modern[3])) ?? NEWER;
  const old = VERSION_FIRST.exec(name);
  if (old) return TRAITS.get(traitsKey(old[3], old[1], old[2])) ?? CLAUDE_3;
  // `my-claude` may be any.
  return FOREIGN;
}

function traitsKey(family: string | undefined, major: string | undefined, minor: string | undefined): string {
  // `claude-sonnet-4-0` is another name of `claude-sonnet-4`.
  return minor === undefined || minor === '0' ? `${family}-${major}` : `${family}-${major}-${minor}`;
}
