import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { CountDialect } from '../count-tokens.ts';
import { isCount } from '../counts.ts';
import { decodeRequest } from './request-decode.ts';
import { encodeRequest } from './request-encode.ts';
import { rejectAnswer } from './response.ts';

/** What `POST /v1/messages/count_tokens` takes of a message's parameters. Source: API reference, "Count tokens in a Message". */
const COUNTED = new Set([
  'model',
  'messages',
  'system',
  'tools',
  'tool_choice',
  'thinking',
  'output_config',
  'cache_control',
]);

export const messagesCounts: CountDialect = {
  decodeRequest: (body) => {
    // The one parameter that a message needs and a count has not.
    const conversation = decodeRequest({ ...body, max_tokens: 1 });
    const { maxOutputTokens: _, ...parameters } = conversation.parameters;
    return { ...conversation, parameters };
  },
  encodeRequest: (conversation, model) => {
    const { body, headers } = encodeRequest(conversation, model);
    const counted: JsonObject = Object.fromEntries(Object.entries(body).filter(([key]) => COUNTED.has(key)));
    // What is left out here would be named where it matters: at the call itself.
    return headers ? { body: counted, dropped: [], headers } : { body: counted, dropped: [] };
  },
  decodeResponse: (body) => {
    const tokens = isObject(body) ? body['input_tokens'] : undefined;
    if (!isCount(tokens)) throw rejectAnswer('a count', 'input_tokens');
    return tokens;
  },
  encodeResponse: (tokens) => ({ input_tokens: tokens }),
};
