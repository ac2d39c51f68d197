import type { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import type { CountDialect } from '../count-tokens.ts';
import { isCount } from '../counts.ts';
import { beginsDigit, hasValue } from '../json-bytes.ts';
import { noAnswer, type PassThrough } from '../pass-through.ts';
import { decodeRequest } from './decode-request.ts';
import { encodeRequest } from './encode-request.ts';
import { failureOf } from './errors.ts';
import { passThrough } from './pass-through.ts';

/**
 * What `POST /v1/responses/input_tokens` takes of a request's parameters. Source: the openai package (`InputTokenCountParams`).
 */
const COUNTED = new Set([
  'model',
  'input',
  'instructions',
  'previous_response_id',
  'conversation',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'reasoning',
  'text',
  'truncation',
  'personality',
]);

const COUNT = 'input_tokens';
const ASKED = 'count of tokens';

export const responsesCounts: CountDialect = {
  decodeRequest,
  encodeRequest: (conversation, model) => {
    const { body } = encodeRequest(conversation, model);
    const counted: JsonObject = Object.fromEntries(Object.entries(body).filter(([key]) => COUNTED.has(key)));
    // What is left out here would be named where it matters: at the call itself.
    return { body: counted, dropped: [] };
  },
  decodeResponse: (body) => {
    const tokens = isObject(body) ? body[COUNT] : undefined;
    if (!isCount(tokens)) throw failedCount(body);
    return tokens;
  },
  encodeResponse: (tokens) => ({ object: 'response.input_tokens', [COUNT]: tokens }),
};

function failedCount(body: JsonValue | undefined): GatewayError {
  return failureOf(body) ?? noAnswer(ASKED);
}

const COUNT_KEY = Buffer.from(`"${COUNT}"`);

/** A count between two sides that both speak the dialect: nothing of it is generated, or kept. */
export const countPassThrough: PassThrough = {
  fields: passThrough.fields,
  bridge: passThrough.bridge,
  prepareRequest: passThrough.prepareRequest,
  streamScanner: passThrough.streamScanner,
  readUsage: () => undefined,
  readFailure: (body) =>
    hasValue(body, COUNT_KEY, beginsDigit) ? undefined : failedCount(tryParseJson(body.toString('utf8'))),
};
