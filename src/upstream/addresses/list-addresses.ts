import type { Upstream } from '../upstream.ts';

/** How this instance sees one address of an account. */
export interface AddressHealth {
  provider: string;
  account: string;
  /** Scheme, host and port. */
  address: string;
  healthy: boolean;
  /** ISO 8601: since when it is healthy, or not. */
  since: string;
  /** What the last check, or connection, that failed came to; `null` where none has. */
  lastError: string | null;
}

/** All addresses that are looked up or checked, for `GET /admin/v1/health`; providers with neither have none. */
export function listAddresses(upstreams: Iterable<Pick<Upstream, 'name' | 'servers'>>): AddressHealth[] {
  const listed: AddressHealth[] = [];
  for (const { name: provider, servers } of upstreams) {
    for (const [account, pool] of servers?.pools ?? []) {
      for (const { origin, isWell, sinceMs, lastError } of pool.addresses) {
        listed.push({
          provider,
          account,
          address: origin,
          healthy: isWell,
          since: new Date(sinceMs).toISOString(),
          lastError: lastError ?? null,
        });
      }
    }
  }
  return listed;
}
