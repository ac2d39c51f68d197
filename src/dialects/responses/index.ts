import { isObject } from '../../conversation/json.ts';
import type { Dialect } from '../dialect.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeRequest } from './encode-request.ts';
import { decodeError, encodeError } from './errors.ts';
import { decodeResponse, encodeResponse } from './response.ts';
import { ResponsesStreamDecoder } from './stream-decoder.ts';
import { ResponsesStreamEncoder } from './stream-encoder.ts';
import { decodeUsage } from './usage.ts';

/** OpenAI's Responses API, and what servers of its kin make of it. */
export const responses: Dialect = {
  name: 'responses',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  readUsage: (body) => (isObject(body) ? decodeUsage(body['usage'], body) : undefined),
  encodeResponse,
  streamDecoder: () => new ResponsesStreamDecoder(),
  streamEncoder: (options) => new ResponsesStreamEncoder(options),
  decodeError,
  encodeError,
};
