import { isObject } from '../../conversation/json.ts';
import { answerIdsWith } from '../answer-ids.ts';
import type { Dialect } from '../dialect.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeRequest } from './encode-request.ts';
import { decodeError, encodeError } from './errors.ts';
import { decodeResponse, encodeResponse } from './response.ts';
import { ChatStreamDecoder } from './stream-decoder.ts';
import { ChatStreamEncoder } from './stream-encoder.ts';
import { decodeUsage } from './usage.ts';

/** OpenAI Chat Completions, and what servers of its kin make of it. */
export const chat: Dialect = {
  name: 'chat',
  answerId: answerIdsWith('chatcmpl-'),
  decodeRequest,
  encodeRequest,
  decodeResponse,
  readUsage: (body) => (isObject(body) ? decodeUsage(body['usage'], body['service_tier']) : undefined),
  encodeResponse,
  streamDecoder: () => new ChatStreamDecoder(),
  streamEncoder: (options) => new ChatStreamEncoder(options),
  decodeError,
  encodeError,
};
