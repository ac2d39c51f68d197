import { isObject } from '../../conversation/json.ts';
import type { UpstreamDialect } from '../dialect.ts';
import { decodeError } from './errors.ts';
import { encodeRequest } from './request-encode.ts';
import { decodeResponse } from './response.ts';
import { ConverseStreamDecoder } from './stream-decoder.ts';
import { decodeUsage } from './usage.ts';

/** Amazon Bedrock's Converse and ConverseStream. Spoken to providers only. */
export const converse: UpstreamDialect = {
  name: 'converse',
  encodeRequest,
  decodeResponse,
  readUsage: (body) =>
    isObject(body) && isObject(body['usage']) ? decodeUsage(body['usage'], body) : undefined,
  streamDecoder: () => new ConverseStreamDecoder(),
  decodeError,
};
