import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject } from '../../conversation/json.ts';
import type { CountDialect } from '../count-tokens.ts';
import { messageIn, numberIn, readMessage } from './proto.ts';
import { decodeRequest } from './request-decode.ts';
import { encodeRequest } from './request-encode.ts';

/**
 * `models/MODEL:countTokens`: of `contents` alone, or of a whole `generateContentRequest`.
 *
 * Source: Gemini API reference, "Counting tokens".
 */
export const geminiCounts: CountDialect = {
  decodeRequest: (body, address) => {
    const request = readMessage(body);
    return decodeRequest(messageIn(request, 'generateContentRequest') ?? request, address);
  },
  encodeRequest: (conversation, model) => {
    const { body } = encodeRequest(conversation, model);
    const name = model.includes('/') ? model : `models/${model}`;
    return { body: { generateContentRequest: { model: name, ...body } }, dropped: [] };
  },
  decodeResponse: (body) => {
    const tokens = numberIn(isObject(body) ? readMessage(body) : {}, 'totalTokens');
    // A count of nothing is left out, as proto3 has it.
    if (tokens === undefined && !isObject(body)) {
      throw new GatewayError('upstream_unavailable', 'The provider sent a count that is no object.');
    }
    return tokens ?? 0;
  },
  encodeResponse: (tokens) => ({ totalTokens: tokens }),
};
