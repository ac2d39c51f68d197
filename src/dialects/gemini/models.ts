/** How a model's thinking is steered. */
export type Thinking =
  | { by: 'nothing' }
  /** `thinkingBudget`, tokens; `off`: 0 turns thinking off. */
  | { by: 'budget'; min: number; max: number; off: boolean }
  /** `thinkingLevel`, from the least to the most. Thinking cannot be turned off. */
  | { by: 'level'; levels: readonly ThinkingLevel[] };

export const THINKING_LEVELS = ['minimal', 'low', 'medium', 'high'] as const;
export type ThinkingLevel = (typeof THINKING_LEVELS)[number];

/** What a model of the Gemini API takes in a request, where models differ. */
export interface ModelTraits {
  thinking: Thinking;
  /** `functionCall.id` and `functionResponse.id`: Vertex refuses them on models that do not give them. */
  callIds: boolean;
  /** Function calls of the current turn must carry their thought signature. */
  signaturesRequired: boolean;
  /** Media inside `functionResponse.parts`. */
  mediaInToolResults: boolean;
  /** `parametersJsonSchema` and `responseJsonSchema`; before them, `parameters` with an OpenAPI subset. */
  jsonSchema: boolean;
  /** Function calling mode `VALIDATED`: free to answer in text, and calls keep to their schema. */
  validatedCalls: boolean;
  /** A JSON answer (`responseMimeType`) beside functions that may be called. */
  jsonWithTools: boolean;
  /** `frequencyPenalty` and `presencePenalty` ("Penalty is not enabled for models/…"). */
  penalties: boolean;
  systemInstruction: boolean;
  /** A JSON answer (`responseMimeType`) at all. */
  jsonMode: boolean;
  /** `responseLogprobs` and `logprobs` ("Logprobs is not enabled for models/…"). */
  logprobs: boolean;
  /** The highest `candidateCount` ("Multiple candidates is not enabled for this model"). */
  mostCandidates: number;
  mostOutputTokens: number;
  /** A conversation may end with the model's own words, which it goes on from. */
  prefill: boolean;
  /** `temperature`, `topP` and `topK` have an effect. */
  sampling: boolean;
  /** Function calling ("Function calling is not enabled for models/…"). */
  functions: boolean;
}

const NEWEST: ModelTraits = {
  thinking: { by: 'level', levels: ['low', 'medium', 'high'] },
  callIds: true,
  signaturesRequired: true,
  mediaInToolResults: true,
  jsonSchema: true,
  validatedCalls: true,
  jsonWithTools: true,
  penalties: false,
  systemInstruction: true,
  jsonMode: true,
  logprobs: false,
  mostCandidates: 1,
  mostOutputTokens: 65_536,
  prefill: false,
  sampling: false,
  functions: true,
};

/** The first of the third generation. */
const GEMINI_3: ModelTraits = { ...NEWEST, prefill: true, sampling: true };

const ALL_LEVELS: ModelTraits = { ...GEMINI_3, thinking: { by: 'level', levels: THINKING_LEVELS } };

/** From 3.5 Flash-Lite and 3.6 Flash on nothing but thinking is steered, and the last turn is the user's. */
const ALL_LEVELS_ALONE: ModelTraits = { ...ALL_LEVELS, prefill: false, sampling: false };

const GEMINI_2_5: ModelTraits = {
  ...GEMINI_3,
  thinking: { by: 'budget', min: 1, max: 24_576, off: true },
  callIds: false,
  signaturesRequired: false,
  mediaInToolResults: false,
  jsonWithTools: false,
  mostCandidates: 8,
};

const GEMINI_2_0: ModelTraits = {
  ...GEMINI_2_5,
  thinking: { by: 'nothing' },
  validatedCalls: false,
  penalties: true,
  logprobs: true,
  mostOutputTokens: 8_192,
};

const GEMINI_1: ModelTraits = { ...GEMINI_2_0, jsonSchema: false };

/**
 * The first pattern that fits the model's name (its last path segment, in lower case) decides. A name that fits
 * none is taken for a new model, not for an old one.
 *
 * Sources: Gemini API docs, "Gemini thinking" (levels and budgets by model), "Thought signatures", "Function
 * calling" (multimodal function responses), "Structured outputs" (with tools), Vertex AI docs, "Thinking"; error messages of the API itself;
 * LibreChat-AI/agents#323 and #499 (models whose last turn is the user's), anomalyco/opencode#38924 (sampling).
 */
const MODELS: readonly (readonly [RegExp, ModelTraits])[] = [
  [/^gemini-(1[.-]|pro($|-vision))/, GEMINI_1],
  [/^gemini-2\.0/, GEMINI_2_0],
  [/^gemini-2\.5-pro/, { ...GEMINI_2_5, thinking: { by: 'budget', min: 128, max: 32_768, off: false } }],
  [
    /^gemini-2\.5-flash-lite/,
    { ...GEMINI_2_5, thinking: { by: 'budget', min: 512, max: 24_576, off: true } },
  ],
  [/^gemini-2\.5-flash-image/, { ...GEMINI_2_5, thinking: { by: 'nothing' } }],
  [/^gemini-(2\.5|robotics-er-1\.5)/, GEMINI_2_5],
  [/^gemini-3-pro-image/, { ...GEMINI_3, thinking: { by: 'nothing' } }],
  [/^gemini-3-pro/, { ...GEMINI_3, thinking: { by: 'level', levels: ['low', 'high'] } }],
  [/^gemini-3\.1-flash-image/, { ...GEMINI_3, thinking: { by: 'level', levels: ['minimal', 'high'] } }],
  [/^gemini-3\.5-flash-lite/, ALL_LEVELS_ALONE],
  [/^gemini-3(\.[15])?-flash/, ALL_LEVELS],
  [/^gemini-3\.6-flash/, ALL_LEVELS_ALONE],
  [/^gemini-3\.\d+-flash-lite/, ALL_LEVELS_ALONE],
  [/^gemini-3\.1-/, GEMINI_3],
  [
    /^gemma-[123]/,
    {
      ...GEMINI_2_0,
      systemInstruction: false,
      jsonMode: false,
      penalties: false,
      logprobs: false,
      functions: false,
    },
  ],
  [/^gemma-/, { ...GEMINI_3, thinking: { by: 'nothing' }, signaturesRequired: false }],
];

/**
 * `model` as in a request's URL: `gemini-2.5-pro` or `models/…`; at Vertex AI `publishers/google/models/…`, whose models take more.
 *
 * Sources of what they take there: vercel/ai#5418, BerriAI/litellm#31600 (log probabilities, before Gemini 3), googleapis/js-genai#1609
 * (several candidates), BerriAI/litellm#10548 (output).
 */
export function modelTraits(model: string): ModelTraits {
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase();
  const traits = MODELS.find(([pattern]) => pattern.test(name))?.[1] ?? NEWEST;
  if (!model.startsWith('publishers/')) return traits;
  const mostOutputTokens = Math.min(traits.mostOutputTokens, 65_535);
  return { ...traits, mostOutputTokens, mostCandidates: 8, logprobs: /^gemini-[12]/.test(name) };
}
