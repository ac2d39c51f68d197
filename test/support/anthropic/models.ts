/**
 * What a family of models takes. The first row whose pattern fits decides.
 *
 * Sources: models overview and migration guides of the Anthropic documentation, and where noted the reports of users.
 */
export interface ClaudeFamily {
  maxOutputTokens: number;
  /** `budget`: `thinking.type: "enabled"`; `adaptive`: only `"adaptive"` (OpenHands/software-agent-sdk#3427). */
  thinking: 'none' | 'budget' | 'budget or adaptive' | 'adaptive';
  /** `one of`: not temperature and top_p together (cloud-apim/otoroshi-llm-extension#140); `none`: inspect_ai#3721. */
  sampling: 'all' | 'one of' | 'none';
  /** The last message may be the beginning of the answer (claude-sonnet-4-6 refuses it: smallmain/…-chat-provider#249). */
  prefill: boolean;
  /** `output_config.effort` */
  effort: boolean;
  /** `output_config.format` and strict tools */
  structuredOutput: boolean;
  /** The first message may be the assistant's: recorded from claude-sonnet-4-5; of older models there is no record. */
  assistantFirst: boolean;
  /** `role: "system"` between other messages; recorded from these models. */
  systemMessages: boolean;
}

const OLD: ClaudeFamily = {
  maxOutputTokens: 4096,
  thinking: 'none',
  sampling: 'all',
  prefill: true,
  effort: false,
  structuredOutput: false,
  assistantFirst: false,
  systemMessages: false,
};
const V4: ClaudeFamily = { ...OLD, maxOutputTokens: 64_000, thinking: 'budget' };
const V45: ClaudeFamily = { ...V4, sampling: 'one of', structuredOutput: true, assistantFirst: true };
const V46: ClaudeFamily = {
  ...V45,
  maxOutputTokens: 128_000,
  thinking: 'budget or adaptive',
  prefill: false,
  effort: true,
};
const V47: ClaudeFamily = { ...V46, thinking: 'adaptive', sampling: 'none' };

const FAMILIES: readonly [pattern: RegExp, family: ClaudeFamily][] = [
  [/^claude-3-5-/, { ...OLD, maxOutputTokens: 8192 }],
  [/^claude-3-7-/, V4],
  [/^claude-3-/, OLD],
  [/^claude-opus-4-1/, { ...V4, maxOutputTokens: 32_000, sampling: 'one of' }],
  [/^claude-opus-4-(0|2025)/, { ...V4, maxOutputTokens: 32_000 }],
  [/^claude-sonnet-4-(0|2025)/, V4],
  [/^claude-opus-4-5/, { ...V45, effort: true }],
  [/^claude-(sonnet|haiku)-4-5/, V45],
  [/^claude-(sonnet|opus)-4-6/, V46],
  [/^claude-opus-4-7/, V47],
  [/./, { ...V47, systemMessages: true }],
];

export function claudeFamily(model: string): ClaudeFamily {
  return FAMILIES.find(([pattern]) => pattern.test(model))?.[1] ?? OLD;
}

export const CLAUDE_MODELS: readonly string[] = [
  'claude-3-haiku-20240307',
  'claude-opus-4-1-20250805',
  'claude-sonnet-4-0',
  'claude-sonnet-4-5',
  'claude-sonnet-4-5-20250929',
  'claude-haiku-4-5',
  'claude-haiku-4-5-20251001',
  'claude-opus-4-5',
  'claude-sonnet-4-6',
  'claude-opus-4-6',
  'claude-opus-4-7',
  'claude-opus-4-8',
];
