import type { GatewayError } from '../conversation/gateway-error.ts';

/** The headers that say whether, and when, a client is to try again after an error. */
export function retryHeaders({ retryAfterMs, retryable }: GatewayError): Record<string, string> {
  // Who is told 0 does not wait at all.
  const seconds = retryAfterMs === undefined ? undefined : Math.max(Math.ceil(retryAfterMs / 1000), 1);
  return {
    ...(seconds !== undefined && { 'retry-after': String(seconds) }),
    // Read by the SDKs of OpenAI and Anthropic.
    ...(retryable !== undefined && { 'x-should-retry': String(retryable) }),
  };
}
