import type { Conversation, Parameters } from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';

/**
 * `REFUSE`: without it the answer would be another one, so the call is refused. `DROP`: left out and named in `x-fairlead-dropped`. `DO`: the
 * gateway does it by itself.
 */
const REFUSE = Symbol('refuse');
const DROP = Symbol('drop');
const DO = Symbol('do');

type Cell = string | typeof REFUSE | typeof DROP | typeof DO;
export type ParameterDialect = 'chat' | 'responses' | 'messages' | 'gemini' | 'converse';

/**
 * What becomes of each parameter in each dialect: the path it is written to, or one of the two policies.
 * A dialect's codec writes by this table, the compatibility page is made from it.
 *
 * Sources: OpenAI API reference (create chat completion, create a model response), Anthropic API reference (create a
 * message), Gemini API reference (`GenerationConfig`), Bedrock API reference (`Converse`). Log probabilities have no flag in `responses`: they are asked
 * for in `include`.
 */
export const PARAMETERS = {
  maxOutputTokens: {
    chat: 'max_completion_tokens',
    responses: 'max_output_tokens',
    messages: 'max_tokens',
    gemini: 'generationConfig.maxOutputTokens',
    converse: 'inferenceConfig.maxTokens',
  },
  temperature: {
    chat: 'temperature',
    responses: 'temperature',
    messages: 'temperature',
    gemini: 'generationConfig.temperature',
    converse: 'inferenceConfig.temperature',
  },
  topP: {
    chat: 'top_p',
    responses: 'top_p',
    messages: 'top_p',
    gemini: 'generationConfig.topP',
    converse: 'inferenceConfig.topP',
  },
  topK: {
    chat: 'top_k',
    responses: DROP,
    messages: 'top_k',
    gemini: 'generationConfig.topK',
    converse: 'additionalModelRequestFields.top_k',
  },
  frequencyPenalty: {
    chat: 'frequency_penalty',
    responses: DROP,
    messages: DROP,
    gemini: 'generationConfig.frequencyPenalty',
    converse: DROP,
  },
  presencePenalty: {
    chat: 'presence_penalty',
    responses: DROP,
    messages: DROP,
    gemini: 'generationConfig.presencePenalty',
    converse: DROP,
  },
  seed: { chat: 'seed', responses: DROP, messages: DROP, gemini: 'generationConfig.seed', converse: DROP },
  stop: {
    chat: 'stop',
    responses: DO,
    messages: 'stop_sequences',
    gemini: 'generationConfig.stopSequences',
    converse: 'inferenceConfig.stopSequences',
  },
  n: {
    chat: 'n',
    responses: REFUSE,
    messages: REFUSE,
    gemini: 'generationConfig.candidateCount',
    converse: REFUSE,
  },
  logprobs: {
    chat: 'logprobs',
    responses: 'include',
    messages: DROP,
    gemini: 'generationConfig.responseLogprobs',
    converse: DROP,
  },
  topLogprobs: {
    chat: 'top_logprobs',
    responses: 'top_logprobs',
    messages: DROP,
    gemini: 'generationConfig.logprobs',
    converse: DROP,
  },
  logitBias: { chat: 'logit_bias', responses: DROP, messages: DROP, gemini: DROP, converse: DROP },
  endUser: { chat: 'user', responses: 'user', messages: 'metadata.user_id', gemini: DROP, converse: DROP },
  serviceTier: {
    chat: 'service_tier',
    responses: 'service_tier',
    messages: 'service_tier',
    gemini: DROP,
    converse: 'serviceTier.type',
  },
  verbosity: { chat: 'verbosity', responses: 'text.verbosity', messages: DROP, gemini: DROP, converse: DROP },
  promptCacheKey: {
    chat: 'prompt_cache_key',
    responses: 'prompt_cache_key',
    messages: DROP,
    gemini: DROP,
    converse: DROP,
  },
} satisfies Record<keyof Parameters, Record<ParameterDialect, Cell>>;

/** What becomes of a parameter in a dialect: the path that it is written to, or what is done where there is none. */
export function parameterFate(
  key: keyof Parameters,
  dialect: ParameterDialect,
): { path: string } | 'refused' | 'dropped' | 'done by the gateway' {
  const cell: Cell = PARAMETERS[key][dialect];
  if (typeof cell === 'string') return { path: cell };
  if (cell === DO) return 'done by the gateway';
  return cell === REFUSE ? 'refused' : 'dropped';
}

/** The caller's own word for a parameter. */
export function parameterName(conversation: Conversation, key: keyof Parameters): string {
  const spelling = conversation.spelling?.[key];
  if (spelling !== undefined) return spelling;
  const row: Partial<Record<string, Cell>> = PARAMETERS[key];
  const cell = row[conversation.dialect];
  return typeof cell === 'string' ? cell : key;
}

const CHAT_KEYS = new Map<string, keyof Parameters>([
  ...Object.entries(PARAMETERS).map(([key, { chat }]) => [chat, key as keyof Parameters] as const),
  ['max_tokens', 'maxOutputTokens'],
]);

/** The parameter that a field of a chat request says; `undefined` for the fields that are none. */
export function chatParameterKey(field: string): keyof Parameters | undefined {
  return CHAT_KEYS.get(field);
}

export interface WrittenParameter {
  key: keyof Parameters;
  /** Where it goes, dots between steps. */
  path: string;
  value: unknown;
}

/**
 * Applies the table to a conversation: what to write where, and what was dropped (in the caller's words).
 * `n: 1` is what every dialect does anyway and is neither refused nor dropped.
 */
export function planParameters(
  conversation: Conversation,
  dialect: ParameterDialect,
): { written: WrittenParameter[]; dropped: string[] } {
  const written: WrittenParameter[] = [];
  const dropped: string[] = [];
  for (const [name, value] of Object.entries(conversation.parameters)) {
    if (value === undefined) continue;
    const key = name as keyof Parameters;
    const cell: Cell = PARAMETERS[key][dialect];
    if (key === 'topLogprobs' && asksForNone(conversation, dialect))
      dropped.push(parameterName(conversation, key));
    else if (typeof cell === 'string') written.push({ key, path: cell, value });
    else if (cell === DO || (key === 'n' && value === 1)) continue;
    else if (cell === REFUSE) throw refusedParameter(conversation, key);
    else dropped.push(parameterName(conversation, key));
  }
  return { written, dropped };
}

/**
 * A number of alternatives to probabilities that are not asked for. Of `responses` that is a call as any other, and its answer has none;
 * `chat` and `gemini` refuse it, in words that only their own callers know. Sources: as above (`top_logprobs`, `include`, `logprobs`).
 */
function asksForNone({ dialect, parameters }: Conversation, target: ParameterDialect): boolean {
  return dialect !== target && parameters.logprobs !== true;
}

function refusedParameter(conversation: Conversation, key: keyof Parameters): Error {
  return unsupportedParameter(parameterName(conversation, key));
}

/** What a caller is told about a parameter without which the answer would be wrong; `name` in its own words. */
export function unsupportedParameter(name: string): Error {
  return invalidRequest(
    `'${name}' cannot be expressed by the model this call goes to. Leave it out or choose another model.`,
    name,
    'unsupported_parameter',
  );
}

/** What a caller is told who wants more answers at once than the model gives. */
export function tooManyAnswers(conversation: Conversation, most: number): Error {
  const name = parameterName(conversation, 'n');
  if (most === 1) return unsupportedParameter(name);
  return invalidRequest(
    `'${name}' is more than ${most}, and the model this call goes to gives no more answers at once. Ask for fewer, or choose another model.`,
    name,
    'unsupported_parameter',
  );
}
