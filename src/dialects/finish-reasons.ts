import type { FinishReason } from '../conversation/completion.ts';
import { dropFromAnswer } from './dropped-parts.ts';

/**
 * Finish reasons of every dialect from one table. A row is a neutral reason; a cell lists the dialect's words
 * for it: the first is what we write, all are what we read. Nothing is written in a dialect whose cell is empty.
 *
 * In `responses` a cell is the reason why a response is incomplete, or `completed`; an empty one is incomplete for no
 * reason that is told.
 *
 * Sources: OpenAI API reference (chat completion object, response object), Anthropic "Handling stop reasons",
 * Gemini API reference (`FinishReason`), Bedrock API reference (`ConverseResponse.stopReason`). Words of OpenAI's kin: Together (`eos`),
 * Text Generation Inference (`eos_token`, `stop_sequence`), Mistral (`model_length`), Z.AI (`sensitive`, `model_context_window_exceeded`).
 */
const FINISH_REASONS = {
  stop: {
    chat: ['stop', 'eos', 'eos_token'],
    responses: ['completed'],
    messages: ['end_turn'],
    gemini: ['STOP'],
    converse: ['end_turn'],
  },
  stop_sequence: {
    chat: ['stop', 'stop_sequence'],
    responses: ['completed'],
    messages: ['stop_sequence'],
    gemini: ['STOP'],
    converse: ['stop_sequence'],
  },
  length: {
    chat: ['length'],
    responses: ['max_output_tokens'],
    messages: ['max_tokens'],
    // The second: Google ended it, and goes on from a token of its own that no other dialect can say.
    gemini: ['MAX_TOKENS', 'CONTINUATION'],
    converse: ['max_tokens'],
  },
  tool_calls: {
    chat: ['tool_calls', 'function_call'],
    responses: ['completed'],
    messages: ['tool_use'],
    gemini: ['STOP'],
    converse: ['tool_use'],
  },
  content_filter: {
    chat: ['content_filter', 'sensitive'],
    responses: ['content_filter'],
    messages: ['refusal'],
    gemini: [
      'SAFETY',
      'RECITATION',
      'LANGUAGE',
      'BLOCKLIST',
      'PROHIBITED_CONTENT',
      'SPII',
      'IMAGE_SAFETY',
      'IMAGE_PROHIBITED_CONTENT',
      'IMAGE_RECITATION',
    ],
    converse: ['content_filtered', 'guardrail_intervened'],
  },
  refusal: {
    chat: ['content_filter'],
    responses: ['content_filter'],
    messages: ['refusal'],
    gemini: ['SAFETY'],
    converse: [],
  },
  pause: {
    chat: ['stop'],
    responses: ['completed'],
    messages: ['pause_turn'],
    gemini: ['STOP'],
    converse: [],
  },
  context_length: {
    chat: ['length', 'model_length', 'model_context_window_exceeded'],
    responses: ['max_output_tokens'],
    messages: ['model_context_window_exceeded'],
    gemini: ['MAX_TOKENS'],
    converse: ['model_context_window_exceeded'],
  },
  // Nothing says it but Gemini and Bedrock; `stop` would say that the answer is all there is.
  malformed_tool_call: {
    chat: ['content_filter'],
    responses: ['content_filter'],
    messages: ['refusal'],
    gemini: [
      'MALFORMED_FUNCTION_CALL',
      'UNEXPECTED_TOOL_CALL',
      'TOO_MANY_TOOL_CALLS',
      'MISSING_THOUGHT_SIGNATURE',
    ],
    converse: ['malformed_tool_use'],
  },
  // Two dialects have no word for an end that nobody explains. `stop` claims the least of theirs: the others say that a limit or a
  // filter ended the answer, which clients raise as errors of their own. It is named (`nameFittedFinish`).
  other: {
    chat: ['stop'],
    responses: [],
    messages: ['end_turn'],
    gemini: ['OTHER', 'FINISH_REASON_UNSPECIFIED', 'IMAGE_OTHER', 'NO_IMAGE'],
    converse: ['malformed_model_output'],
  },
} satisfies Record<FinishReason, Record<FinishDialect, string[]>>;

type FinishDialect = 'chat' | 'responses' | 'messages' | 'gemini' | 'converse';

/** Where two neutral reasons share a word, the one that reading it gives. */
const READ_AS: Record<FinishDialect, Record<string, FinishReason>> = {
  chat: { stop: 'stop', length: 'length', content_filter: 'content_filter' },
  responses: { completed: 'stop', max_output_tokens: 'length', content_filter: 'content_filter' },
  messages: { refusal: 'refusal', end_turn: 'stop' },
  gemini: { STOP: 'stop', MAX_TOKENS: 'length', SAFETY: 'content_filter' },
  converse: {},
};

const READ = new Map<FinishDialect, Map<string, FinishReason>>();
for (const dialect of ['chat', 'responses', 'messages', 'gemini', 'converse'] as const) {
  const words = new Map<string, FinishReason>();
  for (const [reason, cells] of Object.entries(FINISH_REASONS)) {
    for (const word of cells[dialect]) words.set(word, READ_AS[dialect][word] ?? (reason as FinishReason));
  }
  READ.set(dialect, words);
}

/** The dialect's word for a reason. */
export function writeFinishReason(dialect: FinishDialect, reason: FinishReason): string {
  return FINISH_REASONS[reason][dialect][0] ?? '';
}

/** Where the nearest word says more than is known: `answer.finish_reason=stop`. @param field where it stands */
export function nameFittedFinish(
  dropped: string[],
  dialect: 'chat' | 'messages',
  reason: FinishReason,
  field: string,
): void {
  if (reason === 'other') dropFromAnswer(dropped, `${field}=${writeFinishReason(dialect, reason)}`);
}

/** The reason that a dialect's word means; `other` for words not known (yet). */
export function readFinishReason(dialect: FinishDialect, word: string): FinishReason {
  return READ.get(dialect)?.get(word) ?? 'other';
}
