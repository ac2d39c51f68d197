import { answerIdsWith } from '../answer-ids.ts';
import { chat } from '../chat/index.ts';
import type { Dialect } from '../dialect.ts';
import { decodeRequest } from './request.ts';
import { encodeResponse } from './response.ts';
import { CompletionsStreamEncoder } from './stream-encoder.ts';

/**
 * OpenAI's legacy text completions, a form of the chat dialect, as callers speak it: providers that do not have it are asked
 * in a conversation of one message.
 */
export const completions: Dialect = {
  ...chat,
  answerId: answerIdsWith('cmpl-'),
  decodeRequest,
  encodeResponse,
  streamEncoder: (options) => new CompletionsStreamEncoder(options),
};
