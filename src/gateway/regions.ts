import { compileGlob } from '../config/glob.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { Target } from '../routing/target.ts';
import type { Account } from '../upstream/upstream.ts';
import type { Caller } from './snapshot.ts';

/** Where calls of a tenant may be served. */
export interface Regions {
  /** As they are written: names or patterns. */
  names: readonly string[];
  /** `undefined`: nobody says where. */
  allow(region: string | undefined): boolean;
}

/** `undefined` where a tenant says nothing: anywhere. What nobody says the region of is in none that is allowed. */
export function compileRegions(names: readonly string[] | undefined): Regions | undefined {
  if (!names) return undefined;
  const globs = names.map(compileGlob);
  return { names, allow: (region) => region !== undefined && globs.some((fits) => fits(region)) };
}

/** What is said of a target goes before what its model's name says, and that before what is said of its account. */
export function mayServe({ regions }: Pick<Caller, 'regions'>, target: Target, account: Account): boolean {
  return !regions || regions.allow(target.region ?? regionOf(target, account));
}

function regionOf({ upstream: { declaration }, model }: Target, { settings }: Account): string | undefined {
  const called = settings.region ?? settings.location;
  return declaration.regionOf ? declaration.regionOf(model, called) : called;
}

/** Whether a target has an account that may serve a caller. */
export function hasPlaceFor(caller: Pick<Caller, 'regions'>, target: Target): boolean {
  if (!caller.regions) return true;
  const { upstream, account } = target;
  return upstream.accounts.some(
    (one) => (account === undefined || one.name === account) && mayServe(caller, target, one),
  );
}

/** The code of an error for want of a region that is allowed. */
export const REGION_NOT_ALLOWED = 'region_not_allowed';

/** `what`: what is nowhere in a region of the caller's, as the subject of a sentence. */
export function outOfRegion({ regions }: Pick<Caller, 'regions'>, what: string): GatewayError {
  const names = regions?.names.join(', ') ?? '';
  const message = `${what} is not served in a region that your tenant allows (${names || 'none'}). Ask the gateway's operator.`;
  return new GatewayError('forbidden', message, { code: REGION_NOT_ALLOWED });
}
