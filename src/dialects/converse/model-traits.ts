/**
 * What a family of models takes through Converse. The API is one for all, but each family refuses some of it.
 *
 * Sources: Bedrock user guide ("Supported models and model features", "Prompt caching", "Get validated JSON results
 * from models", "Inference parameters"), Bedrock API reference (`ToolChoice`, `ToolResultBlock.status`), Amazon Nova
 * user guide ("Using the Converse API", "Extended thinking"), recorded traffic; where users found the service to be
 * stricter than its documentation, their report is named.
 */
export interface ConverseTraits {
  /** What `toolConfig.toolChoice` may be beside `auto`. */
  forcedChoices: readonly ('any' | 'tool')[];
  /** `outputConfig.textFormat`, and `strict` tools. */
  structuredOutputs: boolean;
  /** Where `cachePoint` elements may stand. */
  cachePoints: readonly CachePlace[];
  /** Cache points may ask for one hour. */
  cacheTtl: boolean;
  /**
   * How the model is made to think: as Anthropic's API has it (`thinking`, `outputConfig.effort`), by one of the words
   * of `additionalModelRequestFields` that other makers have, or not at all (some always do).
   */
  reasoning: 'claude' | 'reasoningConfig' | 'reasoning_effort' | 'reasoning_config' | 'none';
  /** The path of top-k below `additionalModelRequestFields`. */
  topK: string | undefined;
  /** Documents can be cited, and results of searches are known: `citations`, `context`, `searchResult`. */
  cites: boolean;
  /** `toolResult.status`. */
  resultStatus: boolean;
  /** The conversation may end with the beginning of the answer. */
  prefill: boolean;
}

export type CachePlace = 'system' | 'messages' | 'tools';

/** What every model takes that calls tools at all. */
const LEAST: ConverseTraits = {
  forcedChoices: [],
  structuredOutputs: false,
  cachePoints: [],
  cacheTtl: false,
  reasoning: 'none',
  topK: undefined,
  cites: false,
  resultStatus: false,
  prefill: false,
};

const CLAUDE: ConverseTraits = {
  ...LEAST,
  forcedChoices: ['any', 'tool'],
  cachePoints: ['system', 'messages', 'tools'],
  reasoning: 'claude',
  topK: 'top_k',
  cites: true,
  resultStatus: true,
  prefill: true,
};

/** Tools have no cache points: LibreChat-AI/agents#253 (asked the service). */
const NOVA: ConverseTraits = {
  ...LEAST,
  forcedChoices: ['any', 'tool'],
  cachePoints: ['system', 'messages'],
  topK: 'inferenceConfig.topK',
  resultStatus: true,
  prefill: true,
};

const STRUCTURED: ConverseTraits = { ...LEAST, structuredOutputs: true };
const MISTRAL: ConverseTraits = { ...LEAST, topK: 'top_k' };

/** The first row whose pattern is found in the model's name decides. */
const FAMILIES: readonly [pattern: RegExp, traits: ConverseTraits][] = [
  // Newer generations do not have them on Bedrock, though they do on Anthropic's own API: vercel/ai#17919.
  [/claude-(?:sonnet|haiku|opus)-4-[56]/, { ...CLAUDE, structuredOutputs: true, cacheTtl: true }],
  [/claude-(?:3-7|3-5-haiku|3-5-sonnet-20241022|sonnet-4-2025|opus-4)/, CLAUDE],
  [/claude-(?:3|instant|v\d)/, { ...CLAUDE, cachePoints: [], cites: false }],
  [/claude/, { ...CLAUDE, cacheTtl: true }],
  [/nova-2/, { ...NOVA, reasoning: 'reasoningConfig' }],
  [/nova/, NOVA],
  [/gpt-oss/, { ...STRUCTURED, reasoning: 'reasoning_effort' }],
  [/qwen3/, { ...STRUCTURED, reasoning: 'reasoning_config' }],
  // Takes it, though the reference says otherwise: recorded.
  [/llama/, { ...LEAST, resultStatus: true }],
  [/mistral-large-3|ministral-3|magistral/, { ...MISTRAL, structuredOutputs: true }],
  [/mistral-large/, { ...MISTRAL, forcedChoices: ['any'] }],
  [/mistral|mixtral|pixtral/, MISTRAL],
  [/minimax|nemotron|kimi|gemma-3|glm|deepseek\.v3/, STRUCTURED],
  [/cohere\.command/, { ...LEAST, topK: 'k' }],
];

/**
 * The traits of a model by its id (`us.anthropic.claude-sonnet-4-5-20250929-v1:0`) or ARN. An ARN that does not name
 * its model (an application inference profile) gets what every model takes.
 */
export function converseTraits(model: string): ConverseTraits {
  const name = model.toLowerCase();
  return FAMILIES.find(([pattern]) => pattern.test(name))?.[1] ?? LEAST;
}
