import { parseKeepingArguments } from '../conversation/exact-numbers.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';

/**
 * The body as JSON. Its structure was checked at admission; what only a parser finds is found here.
 *
 * @throws GatewayError `invalid_request`
 */
export function parseBody(body: Buffer): JsonObject {
  const parsed = parseKeepingArguments(body.toString('utf8'));
  if (parsed === undefined) throw invalidRequest('The request body is not valid JSON.');
  if (!isObject(parsed)) throw invalidRequest('The request body must be a JSON object.');
  return parsed;
}
