import { GatewayError } from '../conversation/gateway-error.ts';
import type { NamedFor } from '../routing/limit.ts';

/**
 * What a call comes to for which no place is left but those that named a time before which they are not to be called.
 *
 * @param providers the names of all that the call could go to
 * @param namedFor what they named it for; `undefined` where some limit our calls, and others fail
 */
export function allCool(
  providers: readonly string[],
  namedFor: NamedFor | undefined,
  retryAfterMs: number,
): GatewayError {
  const [only] = providers;
  const one = providers.length === 1 ? `The provider '${only}'` : undefined;
  const kind = namedFor === 'failing' ? 'upstream_unavailable' : 'upstream_rate_limited';
  const message = `${WORDS[namedFor ?? 'both'](one)} Try again in ${Math.ceil(retryAfterMs / 1000)} s.`;
  return new GatewayError(kind, message, { retryAfterMs });
}

const WORDS: Record<NamedFor | 'both', (one: string | undefined) => string> = {
  limited: (one) =>
    `${one ?? 'All providers'} limit${one ? 's' : ''} the rate of the gateway's own requests.`,
  failing: (one) =>
    one
      ? `${one} failed, and said when it may be called again.`
      : 'All providers failed, and said when they may be called again.',
  both: (one) =>
    `${one ?? 'Each provider'} limits the rate of the gateway's own requests or failed, and said when it may be called again.`,
};
