import type { ImageRule } from './image-tokens.ts';

/** A vocabulary that `tiktoken` ships. */
export type Encoding = 'cl100k_base' | 'o200k_base';

/**
 * How the models of a family count what they are asked. What has no published rule was measured on recorded traffic
 * (`test/tokens/recorded-counts.test.ts` holds how close it comes).
 */
export interface TokenFamily {
  name: string;
  encoding: Encoding;
  /** Tokens of the family for each of `encoding`: 1 where the vocabulary is the family's own or as dense. */
  factor: number;
  /** Beside the text of each message, its role included. */
  perMessage: number;
  /** Once: what primes the answer, and instructions that the vendor puts before all others. */
  perConversation: number;
  calls: CallRules;
  tools: ToolRules;
  image: ImageRule;
  /** Proofs of reasoning that go back with a turn stand for that reasoning, and count: tokens for each character. */
  perSignatureChar: number;
  /** What a structured answer brings beside its schema; `undefined` where not even the schema counts. */
  responseFormat: number | undefined;
  /** Instructions that come with a budget for thinking. */
  thinking: number;
}

/** What frames a tool call, beside its name and arguments and the message of its result. */
export interface CallRules {
  alone: number;
  /** Each of several in one message. */
  parallel: number;
}

/** How tools get into the prompt. */
export interface ToolRules {
  /** OpenAI's models read types (`tool-text.ts`), the others are taken to read the JSON. */
  text: 'typescript' | 'json';
  /** Once, where there are any. */
  once: number;
  /** As well, where the model must call one. */
  forced: number;
  /** Less, where there are other instructions that they are put into. */
  inSystem: number;
  /** Each that takes arguments. */
  withArguments: number;
}

const NO_RULES: ToolRules = { text: 'json', once: 0, forced: 0, inSystem: 0, withArguments: 0 };
const TILES: ImageRule = { kind: 'tiles', base: 85, perTile: 170 };

/** Models of which nothing is known: today's vocabularies are about as dense as OpenAI's newest. */
const OTHER: TokenFamily = {
  name: 'other',
  encoding: 'o200k_base',
  factor: 1,
  perMessage: 4,
  perConversation: 3,
  calls: { alone: 10, parallel: 10 },
  tools: { ...NO_RULES, once: 20 },
  image: TILES,
  perSignatureChar: 0,
  responseFormat: 0,
  thinking: 0,
};

/** OpenAI's own rule for text ("How to count tokens with tiktoken", openai-cookbook): exact. */
const GPT_4O: TokenFamily = {
  ...OTHER,
  name: 'gpt-4o',
  calls: { alone: 7, parallel: 16 },
  tools: { text: 'typescript', once: 9, forced: 0, inSystem: 4, withArguments: -1 },
};

/** Reasoning models: one token less, and a preamble before the tools. */
const GPT_5: TokenFamily = {
  ...GPT_4O,
  name: 'gpt-5',
  perConversation: 2,
  calls: { alone: 12, parallel: 12 },
  tools: { text: 'typescript', once: 90, forced: 0, inSystem: 0, withArguments: 0 },
  image: { kind: 'tiles', base: 70, perTile: 140 },
};

/** Anthropic publishes no vocabulary. Its tools bring a system prompt of its own ("Tool use", "Pricing"). */
const CLAUDE: TokenFamily = {
  ...OTHER,
  name: 'claude',
  factor: 1.12,
  calls: { alone: 50, parallel: 50 },
  tools: { ...NO_RULES, once: 495, forced: 110 },
  image: { kind: 'pixels' },
  responseFormat: 130,
  thinking: 28,
};

/** The Gemini API counts text almost alone, and no schema of an answer. */
const GEMINI: TokenFamily = {
  ...OTHER,
  name: 'gemini',
  perMessage: 0,
  perConversation: 1,
  tools: NO_RULES,
  image: { kind: 'gemini' },
  responseFormat: undefined,
};

const LLAMA: TokenFamily = { ...OTHER, name: 'llama', perMessage: 5, perConversation: 5 };
const patches = (factor: number): ImageRule => ({ kind: 'patches', factor });

/** The first that matches counts. Names come as vendors, clouds and aggregators write them, in lower case here. */
const FAMILIES: readonly (readonly [pattern: RegExp, family: TokenFamily])[] = [
  // The same vocabulary as `o200k_harmony`, which only adds special tokens; and the system message of OpenAI's
  // harmony format, which the server writes.
  [/gpt-oss/, { ...GPT_5, name: 'gpt-oss', perConversation: 65, tools: { ...GPT_5.tools, once: 35 } }],
  [/gpt-5(\.\d)?-mini/, { ...GPT_5, image: patches(1.62) }],
  [/gpt-5(\.\d)?-nano/, { ...GPT_5, image: patches(2.46) }],
  [/gpt-[5-9]|codex/, GPT_5],
  [/\bo4-mini/, { ...GPT_5, image: patches(1.72) }],
  [/\bo[134](-|$)/, { ...GPT_5, image: { kind: 'tiles', base: 75, perTile: 150 } }],
  [/gpt-4o-mini/, { ...GPT_4O, image: { kind: 'tiles', base: 2833, perTile: 5667 } }],
  [/gpt-4\.1-mini/, { ...GPT_4O, image: patches(1.62) }],
  [/gpt-4\.1-nano/, { ...GPT_4O, image: patches(2.46) }],
  [/gpt-4o|chatgpt|gpt-4\.\d/, GPT_4O],
  [
    /gpt-(4|3\.5)|gpt-35|text-embedding|davinci|babbage/,
    { ...GPT_4O, name: 'gpt-4', encoding: 'cl100k_base' },
  ],
  [
    /claude-(3|[a-z]+-4-[01]\b|[a-z]+-4(-2025|@|$))|claude-(2|instant)/,
    { ...CLAUDE, tools: { ...CLAUDE.tools, once: 310, forced: 0 } },
  ],
  [/claude/, CLAUDE],
  [/gemini-(1|2)|gemma/, GEMINI],
  [/gemini/, { ...GEMINI, perSignatureChar: 0.2 }],
  [/llama-?4/, { ...LLAMA, tools: { ...NO_RULES, once: 600 } }],
  // Since 3.1 the template begins with the dates of knowledge and of today.
  [/llama-?3\.[1-9]/, { ...LLAMA, perConversation: 30 }],
  [/llama/, LLAMA],
  [
    /(mi|mag|min|code|dev|pix)str(al)?|mixtral/,
    { ...OTHER, name: 'mistral', factor: 1.1, perConversation: 0 },
  ],
  [/deepseek/, { ...OTHER, name: 'deepseek', perMessage: 2 }],
  [/qwen|qwq/, { ...OTHER, name: 'qwen', perMessage: 5, tools: { ...NO_RULES, once: 240 } }],
  [/glm/, { ...OTHER, name: 'glm', perConversation: 2 }],
];

/** The family of a model by its name, with or without a provider before it and a version behind it. */
export function familyOf(model: string): TokenFamily {
  const name = model.toLowerCase();
  return FAMILIES.find(([pattern]) => pattern.test(name))?.[1] ?? OTHER;
}
