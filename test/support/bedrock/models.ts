/**
 * What a family of models takes through Converse. The first row whose pattern fits decides.
 *
 * Sources: Bedrock user guide ("Supported models and model features", "Prompt caching", "Get validated JSON results
 * from models"), Bedrock API reference (`ToolChoice`); LibreChat-AI/agents#253 for Nova's cache points, vercel/ai#17919
 * for Claude's structured outputs.
 */
export interface BedrockFamily {
  toolChoices: readonly string[];
  cachePoints: readonly ('system' | 'messages' | 'tools')[];
  structuredOutputs: boolean;
  resultStatus: boolean;
  prefill: boolean;
  /** SDK types of `SearchResultBlock`, user guide ("Citations"): which models know results of searches, and cite. */
  cites: boolean;
  /** `always`: reasons whether asked or not. `claude`: by Anthropic's rules. */
  reasoning: 'none' | 'always' | 'claude' | 'nova' | 'asked';
}

const LEAST: BedrockFamily = {
  toolChoices: ['auto'],
  cachePoints: [],
  structuredOutputs: false,
  resultStatus: false,
  prefill: false,
  cites: false,
  reasoning: 'none',
};
const CLAUDE: BedrockFamily = {
  toolChoices: ['auto', 'any', 'tool'],
  cachePoints: ['system', 'messages', 'tools'],
  structuredOutputs: false,
  resultStatus: true,
  prefill: true,
  cites: true,
  reasoning: 'claude',
};
const NOVA: BedrockFamily = {
  ...CLAUDE,
  cachePoints: ['system', 'messages'],
  cites: false,
  reasoning: 'none',
};

const FAMILIES: readonly [pattern: RegExp, family: BedrockFamily][] = [
  [/claude-(?:3-haiku|v2)/, { ...CLAUDE, cachePoints: [], cites: false }],
  [/claude-[a-z]+-4-5/, { ...CLAUDE, structuredOutputs: true }],
  [/claude-[a-z]+-4-6/, { ...CLAUDE, structuredOutputs: true, prefill: false }],
  [/claude-[a-z]+-4-[78]/, { ...CLAUDE, prefill: false }],
  [/claude/, CLAUDE],
  [/nova-2/, { ...NOVA, reasoning: 'nova' }],
  [/nova/, NOVA],
  [/gpt-oss/, { ...LEAST, structuredOutputs: true, reasoning: 'always' }],
  [/qwen3/, { ...LEAST, structuredOutputs: true, reasoning: 'asked' }],
  [/minimax|nemotron|glm/, { ...LEAST, structuredOutputs: true }],
  // Recorded, though the reference says otherwise.
  [/llama/, { ...LEAST, resultStatus: true }],
  [/mistral-large/, { ...LEAST, toolChoices: ['auto', 'any'] }],
];

export function bedrockFamily(model: string): BedrockFamily {
  return FAMILIES.find(([pattern]) => pattern.test(model))?.[1] ?? LEAST;
}

/** The name that Anthropic itself has for a Claude model. */
export function claudeName(model: string): string {
  return /claude-.*/.exec(model)?.[0] ?? model;
}

export const BEDROCK_MODELS: readonly string[] = [
  'anthropic.claude-3-haiku-20240307-v1:0',
  'us.anthropic.claude-sonnet-4-20250514-v1:0',
  'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
  'eu.anthropic.claude-haiku-4-5-20251001-v1:0',
  'us.anthropic.claude-sonnet-4-6',
  'us.anthropic.claude-opus-4-7',
  'us.amazon.nova-micro-v1:0',
  'us.amazon.nova-pro-v1:0',
  'us.amazon.nova-2-lite-v1:0',
  'us.meta.llama4-maverick-17b-instruct-v1:0',
  'mistral.mistral-large-2402-v1:0',
  'openai.gpt-oss-120b-1:0',
  'qwen.qwen3-32b-v1:0',
];
