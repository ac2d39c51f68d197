import { isObject } from '../../conversation/json.ts';
import type { Dialect } from '../dialect.ts';
import { decodeError, encodeError } from './errors.ts';
import { readMessage } from './proto.ts';
import { decodeRequest } from './request-decode.ts';
import { encodeRequest } from './request-encode.ts';
import { decodeResponse } from './response-decode.ts';
import { encodeResponse } from './response-encode.ts';
import { streamDecoder } from './stream-decode.ts';
import { streamEncoder } from './stream-encode.ts';
import { decodeUsage } from './usage.ts';

/** Google's Gemini API: `generateContent` and `streamGenerateContent`. Embeddings are in `embeddings.ts`. */
export const gemini: Dialect = {
  name: 'gemini',
  // Google's own clients take nothing in a stream but events with data.
  keepAlive: '',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  readUsage: (body) => (isObject(body) ? decodeUsage(readMessage(body)['usageMetadata']).usage : undefined),
  encodeResponse,
  streamDecoder,
  streamEncoder,
  decodeError,
  encodeError,
};
