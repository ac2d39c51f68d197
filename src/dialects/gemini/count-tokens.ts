import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { CountDialect, UpstreamCounts } from '../count-tokens.ts';
import { isCount } from '../counts.ts';
import { messageIn, readMessage } from './proto.ts';
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
    // A count of nothing is left out, as proto3 has it.
    const { totalTokens = 0 } = isObject(body) ? readMessage(body) : { totalTokens: null };
    if (!isCount(totalTokens)) throw new GatewayError('upstream_unavailable', 'The provider sent no count.');
    return totalTokens;
  },
  encodeResponse: (tokens) => ({ totalTokens: tokens }),
};

/** What Vertex's `:countTokens` takes of a request, which has no place for a whole one. Source: Vertex API reference (`CountTokensRequest`). */
const COUNTED = new Set(['contents', 'systemInstruction', 'tools', 'generationConfig']);

export const vertexCounts: UpstreamCounts = {
  encodeRequest: (conversation, model) => {
    const { body } = encodeRequest(conversation, model);
    const counted: JsonObject = Object.fromEntries(Object.entries(body).filter(([key]) => COUNTED.has(key)));
    return { body: counted, dropped: [] };
  },
  decodeResponse: (body) => geminiCounts.decodeResponse(body),
};
