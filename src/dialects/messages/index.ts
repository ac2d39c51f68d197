import { isObject } from '../../conversation/json.ts';
import { answerIdsWith } from '../answer-ids.ts';
import type { Dialect } from '../dialect.ts';
import { decodeError, encodeError, errorStatus } from './errors.ts';
import { decodeRequest } from './request-decode.ts';
import { encodeRequest } from './request-encode.ts';
import { decodeResponse, encodeResponse } from './response.ts';
import { MessagesStreamDecoder } from './stream-decoder.ts';
import { MessagesStreamEncoder } from './stream-encoder.ts';
import { decodeUsage } from './usage.ts';

/** Anthropic's Messages API. */
export const messages: Dialect = {
  name: 'messages',
  answerId: answerIdsWith('msg_'),
  keepAlive: 'event: ping\ndata: {"type":"ping"}\n\n',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  readUsage: (body) => (isObject(body) && isObject(body['usage']) ? decodeUsage(body['usage']) : undefined),
  encodeResponse,
  streamDecoder: () => new MessagesStreamDecoder(),
  streamEncoder: (options) => new MessagesStreamEncoder(options),
  decodeError,
  encodeError,
  errorStatus,
};
