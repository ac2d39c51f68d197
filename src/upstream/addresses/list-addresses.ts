import type { AddressPool } from './address-pool.ts';

/** How this instance sees one address of an account. */
export interface AddressHealth {
  /** Scheme, host and port. */
  address: string;
  healthy: boolean;
  /** ISO 8601: since when it is healthy, or not. */
  since: string;
  /** ISO 8601: until when it is left out for its failures; `null` where it is not. */
  ejectedUntil: string | null;
  /** What the last check, connection or attempt came to that had it left out; `null` where none has. */
  lastError: string | null;
}

/** The addresses of an account, for `GET /admin/v1/health`; without a pool nothing is looked up or checked. */
export function listAddresses(pool: AddressPool | undefined): AddressHealth[] {
  if (!pool) return [];
  return pool.addresses.map(({ origin, isUsable, sinceMs, ejectedUntilMs, lastError }) => ({
    address: origin,
    healthy: isUsable,
    since: new Date(sinceMs).toISOString(),
    ejectedUntil: ejectedUntilMs === undefined ? null : new Date(ejectedUntilMs).toISOString(),
    lastError: lastError ?? null,
  }));
}
