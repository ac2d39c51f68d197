import type { UpstreamDialect } from '../dialect.ts';
import { decodeError } from './errors.ts';
import { encodeRequest } from './request-encode.ts';
import { decodeResponse } from './response.ts';
import { ConverseStreamDecoder } from './stream-decoder.ts';

/** Amazon Bedrock's Converse and ConverseStream. Spoken to providers only. */
export const converse: UpstreamDialect = {
  name: 'converse',
  encodeRequest,
  decodeResponse,
  streamDecoder: () => new ConverseStreamDecoder(),
  decodeError,
};
