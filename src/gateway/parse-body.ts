import { parseKeepingArguments } from '../conversation/exact-numbers.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';
import { noteLongNumbers } from '../conversation/long-numbers.ts';
import { decodeUtf8 } from '../conversation/utf8.ts';
import { badUtf8 } from '../dialects/request-fields.ts';

/**
 * The body as JSON. Its structure was checked at admission; what only a parser finds is found here.
 *
 * @throws GatewayError `invalid_request`
 */
export function parseBody(body: Buffer): JsonObject {
  const text = decodeUtf8(body);
  if (text === undefined) throw badUtf8(body);
  const parsed = parseKeepingArguments(text);
  if (parsed === undefined) throw invalidRequest('The request body is not valid JSON.');
  if (!isObject(parsed)) throw invalidRequest('The request body must be a JSON object.');
  noteLongNumbers(parsed, text);
  return parsed;
}
