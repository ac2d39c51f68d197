/**
 * What a family of models takes. The first row whose pattern fits decides.
 *
 * Sources: the thinking guide of the Gemini API (budgets by model, `thinkingLevel` from Gemini 3 on), the thought
 * signature guide (validation from Gemini 3 on), and where noted the reports of users.
 */
export interface GeminiFamily {
  /** The range of `thinkingBudget`; -1 ("dynamic") goes everywhere. Undefined: the model does not think. */
  budget?: { min: number; max: number; canBeOff: boolean };
  level: boolean;
  /** Function calls of the current turn must bring their signature back. */
  needsSignatures: boolean;
  /** Function calling together with a JSON response (googleapis/python-genai#867 for models that cannot). */
  jsonWithTools: boolean;
  /** Gemini 3 previews take one candidate (router-for-me/CLIProxyAPI#879). */
  maxCandidates: number;
  /** Text without words is taken (recorded); all others refuse it (zuisong/gemini-openai-proxy#83). */
  emptyText?: boolean;
}

const GEMINI_2: GeminiFamily = {
  level: false,
  needsSignatures: false,
  jsonWithTools: false,
  maxCandidates: 8,
};
const GEMINI_3: GeminiFamily = {
  budget: { min: 1, max: 65_536, canBeOff: false },
  level: true,
  needsSignatures: true,
  jsonWithTools: true,
  maxCandidates: 1,
};

const FAMILIES: readonly [pattern: RegExp, family: GeminiFamily][] = [
  // Gemini 3 Pro Image "doesn't enforce this validation" (thought signature guide).
  [/^gemini-3.*image/, { ...GEMINI_3, needsSignatures: false }],
  [/^gemini-3-flash/, { ...GEMINI_3, emptyText: true }],
  [/^gemini-(3|[4-9])/, GEMINI_3],
  [/^gemini-2\.5-.*image/, GEMINI_2],
  [/^gemini-2\.5-pro/, { ...GEMINI_2, budget: { min: 128, max: 32_768, canBeOff: false } }],
  [/^gemini-2\.5-flash-lite/, { ...GEMINI_2, budget: { min: 512, max: 24_576, canBeOff: true } }],
  [/^gemini-2\.5/, { ...GEMINI_2, budget: { min: 1, max: 24_576, canBeOff: true }, emptyText: true }],
  [/./, GEMINI_2],
];

export function geminiFamily(model: string): GeminiFamily {
  return FAMILIES.find(([pattern]) => pattern.test(model))?.[1] ?? GEMINI_2;
}

export const GEMINI_MODELS: readonly string[] = [
  'gemini-2.0-flash',
  'gemini-2.5-flash',
  'gemini-2.5-flash-lite',
  'gemini-2.5-pro',
  'gemini-3-flash-preview',
  'gemini-3-pro-preview',
  'gemini-3.1-pro-preview',
];

/** Native sizes. */
export const GEMINI_EMBEDDING_MODELS: ReadonlyMap<string, number> = new Map([
  ['gemini-embedding-001', 3072],
  ['gemini-embedding-2', 3072],
  ['text-embedding-004', 768],
]);
