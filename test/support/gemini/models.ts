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
  /** Penalties other than 0 (google-gemini/cookbook#1290: none but 2.0 Flash takes them). */
  penalties: boolean;
  /** `responseLogprobs` at the Gemini API (vercel/ai#5418, mscraftsman/generative-ai#135) and at Vertex (BerriAI/litellm#31600). */
  logprobs: { gemini: boolean; vertex: boolean };
  /** evalstate/fast-agent#554 for those before 2.5. */
  maxOutputTokens: number;
  /** `responseMimeType: application/json` (vercel/ai#8080 for Gemma). */
  jsonMode: boolean;
  /** Functions that may be called (BerriAI/litellm#10313 for Gemma). */
  functions: boolean;
  /** The last turn may be the model's (LibreChat-AI/agents#323, #499). */
  prefill: boolean;
  /** Text without words is taken (recorded); all others refuse it (zuisong/gemini-openai-proxy#83). */
  emptyText?: boolean;
}

const GEMINI_2: GeminiFamily = {
  level: false,
  needsSignatures: false,
  jsonWithTools: false,
  maxCandidates: 8,
  penalties: false,
  logprobs: { gemini: false, vertex: true },
  maxOutputTokens: 65_536,
  jsonMode: true,
  functions: true,
  prefill: true,
};
const GEMINI_3: GeminiFamily = {
  budget: { min: 1, max: 65_536, canBeOff: false },
  level: true,
  needsSignatures: true,
  jsonWithTools: true,
  maxCandidates: 1,
  penalties: false,
  logprobs: { gemini: false, vertex: false },
  maxOutputTokens: 65_536,
  jsonMode: true,
  functions: true,
  prefill: true,
};
const GEMINI_2_0: GeminiFamily = {
  ...GEMINI_2,
  penalties: true,
  logprobs: { gemini: true, vertex: true },
  maxOutputTokens: 8_192,
};

const FAMILIES: readonly [pattern: RegExp, family: GeminiFamily][] = [
  // Gemini 3 Pro Image "doesn't enforce this validation" (thought signature guide).
  [/^gemini-3.*image/, { ...GEMINI_3, needsSignatures: false }],
  [/^gemini-3-flash/, { ...GEMINI_3, emptyText: true }],
  [/^gemini-3\.(5-flash-lite|[6-9]-flash)/, { ...GEMINI_3, prefill: false }],
  [/^gemini-(3|[4-9])/, GEMINI_3],
  [/^gemini-2\.5-.*image/, GEMINI_2],
  [/^gemini-2\.5-pro/, { ...GEMINI_2, budget: { min: 128, max: 32_768, canBeOff: false } }],
  [/^gemini-2\.5-flash-lite/, { ...GEMINI_2, budget: { min: 512, max: 24_576, canBeOff: true } }],
  [/^gemini-2\.5/, { ...GEMINI_2, budget: { min: 1, max: 24_576, canBeOff: true }, emptyText: true }],
  [/^gemini-[12]/, GEMINI_2_0],
  [
    /^gemma-3/,
    {
      ...GEMINI_2_0,
      penalties: false,
      logprobs: { gemini: false, vertex: false },
      jsonMode: false,
      functions: false,
    },
  ],
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
  'gemini-3.6-flash',
  'gemma-3-27b-it',
];

/** Native sizes. */
export const GEMINI_EMBEDDING_MODELS: ReadonlyMap<string, number> = new Map([
  ['gemini-embedding-001', 3072],
  ['gemini-embedding-2', 3072],
  ['text-embedding-004', 768],
]);
