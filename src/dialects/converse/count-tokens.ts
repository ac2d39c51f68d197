import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { UpstreamCounts } from '../count-tokens.ts';
import { isCount } from '../counts.ts';
import { encodeRequest } from './request-encode.ts';
import { rejectAnswer } from './response.ts';

/** What is counted of a Converse request. Source: Bedrock API reference (`ConverseTokensRequest`). */
const COUNTED = new Set(['messages', 'system', 'toolConfig', 'additionalModelRequestFields']);

/** `POST /model/ID/count-tokens`. Source: Bedrock API reference (`CountTokens`). */
export const converseCounts: UpstreamCounts = {
  encodeRequest: (conversation, model) => {
    const { body } = encodeRequest(conversation, model);
    const converse: JsonObject = Object.fromEntries(Object.entries(body).filter(([key]) => COUNTED.has(key)));
    // What is left out here would be named where it matters: at the call itself.
    return { body: { input: { converse } }, dropped: [] };
  },
  decodeResponse: (body) => {
    const tokens = isObject(body) ? body['inputTokens'] : undefined;
    if (!isCount(tokens)) throw rejectAnswer('a count', 'inputTokens');
    return tokens;
  },
};
