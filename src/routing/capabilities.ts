/** What a model can do. What is not said it is taken to be able to: its provider tells. */
export interface Capabilities {
  vision?: boolean | undefined;
  tools?: boolean | undefined;
  structuredOutput?: boolean | undefined;
  /** Tokens of input and output together. */
  contextLength?: number | undefined;
}

/** What a call asks of its model. */
export interface Needs {
  vision: boolean;
  tools: boolean;
  structuredOutput: boolean;
  /** Of its text, about; 0 where it cannot matter. */
  inputTokens: number;
  /** The most that its answer may come to, where that is said. */
  outputTokens: number;
}

/**
 * What families of models cannot do, by their names at whatever provider. Only what their makers say; sources: OpenAI ("Models": per model
 * "Modalities" and "Features"), DeepSeek ("Models & Pricing"), Meta (model cards of Llama 3, 3.1 and 3.3), Mistral ("Models": vision from Pixtral,
 * Small 3.1 and Medium 3 on), Cohere ("Models"), Perplexity ("Sonar API": no function calling).
 */
const FAMILIES: readonly { names: RegExp; can: Capabilities }[] = [
  { names: /(?:^|\/)gpt-3\.5-/, can: { vision: false, structuredOutput: false, contextLength: 16_385 } },
  {
    names: /(?:^|\/)gpt-4(?:-0314|-0613)?$/,
    can: { vision: false, structuredOutput: false, contextLength: 8_192 },
  },
  { names: /(?:^|\/)o1-(?:mini|preview)/, can: { vision: false, tools: false, structuredOutput: false } },
  { names: /(?:^|\/)o3-mini/, can: { vision: false } },
  { names: /(?:^|\/)deepseek-(?:chat|reasoner|r1|v3)/i, can: { vision: false } },
  { names: /llama-?3(?:[.-][13])?-(?:8b|70b|405b)/i, can: { vision: false } },
  { names: /(?:^|\/)(?:open-mi[sx]tral|codestral|ministral|mistral-nemo)/, can: { vision: false } },
  { names: /(?:^|\/)command-(?:r|a-03)/, can: { vision: false } },
  { names: /(?:^|\/)sonar(?:-|$)/, can: { tools: false } },
];

/** What is known of a model by its name. */
export function knownCapabilities(model: string): Capabilities {
  return FAMILIES.find(({ names }) => names.test(model))?.can ?? {};
}

/** Whether a model is known not to do everything. */
export function lacksFeatures(can: Capabilities): boolean {
  return can.vision === false || can.tools === false || can.structuredOutput === false;
}

/** Whether input and output of so many tokens may be too much for a model. */
export function isTooShort({ contextLength }: Capabilities, tokens: number): boolean {
  return contextLength !== undefined && tokens > contextLength;
}

/** Whether a model cannot do what a call needs. */
export function lacks(can: Capabilities, needs: Needs): boolean {
  if (needs.vision && can.vision === false) return true;
  if (needs.tools && can.tools === false) return true;
  if (needs.structuredOutput && can.structuredOutput === false) return true;
  return isTooShort(can, needs.inputTokens + needs.outputTokens);
}
