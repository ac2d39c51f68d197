import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../conversation/json.ts';

/**
 * The body as JSON. Its structure was checked at admission; what only a parser finds is found here.
 *
 * @throws GatewayError `invalid_request`
 */
export function parseBody(body: Buffer): JsonObject {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString('utf8'));
  } catch {
    throw invalidRequest('The request body is not valid JSON.');
  }
  if (!isObject(parsed)) throw invalidRequest('The request body must be a JSON object.');
  return parsed;
}
