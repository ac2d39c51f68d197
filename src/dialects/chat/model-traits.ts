import type { Parameters } from '../../conversation/conversation.ts';
import type { ModelNames, NamedModel } from '../model-names.ts';

/**
 * What a model of this dialect takes that others do not, by its name. The dialect is spoken by many servers and
 * the name is all that a codec sees: what a whole provider does differently is told by its declaration.
 *
 * Sources: OpenAI API reference (`max_tokens`, `stop`, `reasoning_effort`, `ChatCompletionDeveloperMessageParam`), "Reasoning
 * models" guide, "Using GPT-5.2" (sampling parameters only with effort `none`); Mistral, DeepSeek and Perplexity API
 * references, which know `max_tokens` only; the guide "Using the latest model" (from GPT-5.5 on the effort is `medium` where nothing is said). Efforts: OpenAI's pages of the models, and what the API says to others (openai/codex#6647,
 * anomalyco/opencode#4451, #26273, #36141; anomalyco/models.dev#2296).
 */
export interface ModelTraits {
  /** Words for the output limit that the model takes; the first is written where the caller's is not among them. */
  outputLimit: readonly string[];
  /** The role of instructions. `as_said`: it takes both `system` and `developer`. */
  instructions: 'system' | 'developer' | 'as_said';
  /** When it takes temperature, penalties and log probabilities. */
  sampling: 'always' | 'without_reasoning' | 'never';
  /** It reasons where nothing is said of that, though it need not. */
  reasonsUnsaid: boolean;
  /** How many stop sequences it takes. */
  mostStops: number;
  /** Whether it takes `reasoning_effort`; `unknown` where the name does not tell. */
  reasoning: 'yes' | 'no' | 'unknown';
  /** The efforts that it takes, from little to much; `undefined` where the name does not tell. */
  efforts: readonly string[] | undefined;
  /** The effort that comes nearest to "do not think"; `undefined` where nothing need be said. */
  leastEffort: string | undefined;
  /** Whether the server takes parameters that OpenAI does not have and refuses (`top_k`). */
  openParameters: boolean;
  /** Whether `cache_control` means something to the model: Anthropic's, behind OpenRouter or LiteLLM. */
  cacheControl: boolean;
}

export const COMPATIBLE: ModelTraits = {
  outputLimit: ['max_tokens', 'max_completion_tokens'],
  instructions: 'system',
  sampling: 'always',
  reasonsUnsaid: false,
  mostStops: Number.POSITIVE_INFINITY,
  reasoning: 'unknown',
  efforts: undefined,
  // What a server wants instead its provider's rules say, as for a caller who said `reasoning_effort: none` itself.
  leastEffort: 'none',
  openParameters: true,
  cacheControl: false,
};

const OPENAI: ModelTraits = {
  outputLimit: ['max_completion_tokens', 'max_tokens'],
  instructions: 'as_said',
  sampling: 'always',
  reasonsUnsaid: false,
  mostStops: 4,
  reasoning: 'no',
  efforts: undefined,
  leastEffort: undefined,
  openParameters: false,
  cacheControl: false,
};

/** A reasoning model that takes these efforts, from little to much. */
function reasoning(efforts: readonly string[]): ModelTraits {
  return {
    ...OPENAI,
    outputLimit: ['max_completion_tokens'],
    instructions: 'developer',
    sampling: 'never',
    reasonsUnsaid: true,
    mostStops: 0,
    reasoning: 'yes',
    efforts,
    leastEffort: efforts[0],
  };
}

/** One that need not reason, and takes sampling parameters when it does not. */
function sometimesReasoning(efforts: readonly string[], reasonsUnsaid: boolean): ModelTraits {
  return { ...reasoning(['none', ...efforts]), sampling: 'without_reasoning', reasonsUnsaid };
}

const TO_HIGH = ['low', 'medium', 'high'];
const TO_XHIGH = [...TO_HIGH, 'xhigh'];
const TO_MAX = [...TO_XHIGH, 'max'];

/**
 * The first pattern that matches the name behind its vendor prefix. An OpenAI model that is not known yet is taken
 * for a reasoning model of the newest kind, not for one of the oldest.
 */
const TRAITS: readonly (readonly [RegExp, ModelTraits])[] = [
  [/^gpt-oss/, { ...COMPATIBLE, efforts: TO_HIGH, leastEffort: 'low' }],
  [/^gpt-5(\.\d+)?-chat/, { ...OPENAI, outputLimit: ['max_completion_tokens'] }],
  [/^gpt-5-pro/, reasoning(['high'])],
  [/^gpt-5(\.1)?-codex(?!-max)/, reasoning(TO_HIGH)],
  [/^gpt-5(-|$)/, reasoning(['minimal', ...TO_HIGH])],
  [/^gpt-5\.1-codex-max/, reasoning(TO_XHIGH)],
  [/^gpt-5\.1(-|$)/, sometimesReasoning(TO_HIGH, false)],
  [/^gpt-[\d.]+-pro/, reasoning(['medium', 'high', 'xhigh'])],
  [/^gpt-[\d.]+-codex/, reasoning(TO_XHIGH)],
  [/^gpt-5\.[2-4](-|$)/, sometimesReasoning(TO_XHIGH, false)],
  [/^gpt-5\.5(-|$)/, sometimesReasoning(TO_XHIGH, true)],
  // No effort `none` (notes on these models in OpenAI's changelog).
  [/^gpt-6(-astra|\.1-sol)/, reasoning(TO_MAX)],
  [/^o\d.*-deep-research/, reasoning(['medium'])],
  // Recorded: o3-mini stops where it is told. The reference: "not supported with latest reasoning models `o3` and `o4-mini`".
  [/^(o1|o3-mini)/, { ...reasoning(TO_HIGH), mostStops: 4 }],
  // Of computer-use-preview no page lists the efforts; it is of the o-series' time, and takes their words for summaries (`Reasoning`
  // of the openai package).
  [/^(o\d|codex-mini|computer-use-)/, reasoning(TO_HIGH)],
  // OpenAI's pages of the models: what speaks does not reason.
  [/^gpt-(audio|realtime)/, OPENAI],
  [/^(chatgpt-4|gpt-3|gpt-4)/, OPENAI],
  [/^(chatgpt|gpt)-/, sometimesReasoning(TO_MAX, true)],
  [/^claude/, { ...COMPATIBLE, cacheControl: true }],
];

/** One of OpenAI's models, of which its name does not tell which. */
const DEPLOYED: ModelTraits = { ...OPENAI, reasoning: 'unknown' };

/** Begins like the names of OpenAI's models. */
const LIKE_OPENAI = /^(?:chatgpt|gpt-?\d|gpt-(?!oss)|o\d|codex-|computer-use-)/;

/** The families of OpenAI's models (Azure's `gpt-35-turbo` among them), and the words that their names go on with: all else is somebody's own. */
const OPENAI_NAME =
  /^(?:chatgpt-4o|gpt-(?:3\.?5|4(?:o|\.[15])?|5(?:\.[1-6])?|6(?:\.1)?|audio|realtime)|o[134]|codex|computer-use)(?:-(?:16k|32k|astra|audio|chat|codex|cyber|deep|instruct|latest|luna|max|mini|nano|preview|pro|realtime|research|rosalind|search|sol|terra|turbo|vision|\d{4}(?:-\d\d-\d\d)?))*$/;

const OPENAI_MAKERS = new Set(['', 'openai', 'azure']);

/** `openai/gpt-5-mini` and `gpt-5-mini` are the same model, and `ft:gpt-5-mini:org:name:id` was made of it. */
export function modelTraits(model: string, names: ModelNames = 'vendor'): ModelTraits {
  const [served = '', maker = ''] = model.split('/').reverse();
  const said = names === 'deployment' ? served.toLowerCase() : served;
  const name = said.startsWith('ft:') ? (said.split(':', 2)[1] ?? said) : said;
  const traits = TRAITS.find(([pattern]) => pattern.test(name))?.[1] ?? COMPATIBLE;
  if (names === 'vendor' || !LIKE_OPENAI.test(name)) return traits;
  if (OPENAI_MAKERS.has(maker) && OPENAI_NAME.test(name)) return traits;
  return names === 'deployment' ? DEPLOYED : COMPATIBLE;
}

/** How many stop sequences a model takes, as far as its name tells: of what others serve they know more. */
export function mostStops({ name, names }: NamedModel): number {
  return names === 'anyone' ? Number.POSITIVE_INFINITY : modelTraits(name, names).mostStops;
}

/** Parameters that reasoning models of OpenAI refuse. */
export const SAMPLING_PARAMETERS: ReadonlySet<keyof Parameters> = new Set<keyof Parameters>([
  'temperature',
  'topP',
  'frequencyPenalty',
  'presencePenalty',
  'logprobs',
  'topLogprobs',
  'logitBias',
]);
