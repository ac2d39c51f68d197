import { isDeepStrictEqual } from 'node:util';
import { AddressPool, type Base } from './address-pool.ts';
import type { DiscoveryOptions } from './look-up.ts';

/** How it is asked whether an address is well. */
export interface CheckOptions {
  /** At the root of the server with a slash, else below the base URL. */
  path: string;
  /** Milliseconds between two checks. */
  interval: number;
  /** Milliseconds after which a check has failed. */
  timeout: number;
  /** Checks that fail one after another. */
  unhealthyAfter: number;
  /** Checks that go well one after another. */
  healthyAfter: number;
}

export interface ServerOptions {
  discovery?: DiscoveryOptions | undefined;
  check?: CheckOptions | undefined;
}

/** The servers of a provider: where they are found, whether they are well, and the addresses of each account. */
export interface Servers extends ServerOptions {
  /** By the name of the account. */
  pools: ReadonlyMap<string, AddressPool>;
}

interface AccountBase {
  name: string;
  origin: string;
  basePath: string;
}

/**
 * @param before the servers as they were: addresses that are found in the same way, for the same base URL, are taken over with
 *   all that is known of them
 * @returns `undefined` where nothing is looked up or checked: the base URL is all there is
 */
export function buildServers(
  { discovery, check }: ServerOptions,
  accounts: readonly AccountBase[],
  now: () => number,
  before: Servers | undefined,
): Servers | undefined {
  if (!discovery && !check) return undefined;
  const isFoundAlike = before !== undefined && isSameSource(before.discovery, discovery);
  const pools = accounts.map(({ name, origin, basePath }): [string, AddressPool] => {
    const base: Base = { origin, path: basePath };
    const known = isFoundAlike ? before.pools.get(name) : undefined;
    if (known && isDeepStrictEqual(known.base, base)) return [name, known];
    const pool = new AddressPool(base, now);
    if (!discovery) pool.replace([ownPlace(origin)]);
    return [name, pool];
  });
  return { discovery, check, pools: new Map(pools) };
}

function isSameSource(before: DiscoveryOptions | undefined, now: DiscoveryOptions | undefined): boolean {
  return isDeepStrictEqual({ ...before, interval: undefined }, { ...now, interval: undefined });
}

/** Where nothing is looked up, the base URL's host is the one address. */
function ownPlace(origin: string): { host: string; weight: number; priority: number } {
  return { host: new URL(origin).hostname.replace(/^\[|\]$/g, ''), weight: 1, priority: 0 };
}
