import { GatewayError } from '../conversation/gateway-error.ts';
import type { SignableRequest } from '../upstream/sign-in/signer.ts';
import type { UpstreamRequest } from './prepare.ts';

const NOTHING = Buffer.alloc(0);

/**
 * What a signer is told of a request: what is sent.
 *
 * @throws GatewayError `invalid_request` where the body is handed on while it arrives: nobody knows it yet.
 */
export function signableRequest(
  { method = 'POST', path, body = NOTHING }: UpstreamRequest,
  origin: string,
): SignableRequest {
  if (!Buffer.isBuffer(body)) {
    throw new GatewayError('invalid_request', 'What is handed on while it arrives cannot be signed.');
  }
  return { method, origin, path, body };
}
