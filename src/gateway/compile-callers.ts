import { isDeepStrictEqual } from 'node:util';
import type { CapturePolicy } from '../captures/capture.ts';
import type { Config, TenantConfig } from '../config/resolve.ts';
import { appendAll } from '../conversation/append-all.ts';
import { RANKS } from '../overload/bounds.ts';
import { Holder } from '../overload/share.ts';
import {
  compileSharedLimits,
  compileTenantLimits,
  listSharedLimits,
  type SharedLimits,
} from '../quotas/compile-limits.ts';
import type { CounterBook } from '../quotas/counters.ts';
import type { Limit } from '../quotas/limit.ts';
import { hashOf, KeyRing, type TenantKey } from '../tenants/keys.ts';
import {
  type Approvals,
  compileApprovals,
  compileModelPermission,
  compilePromptPermission,
  compileTenantPermission,
  type ModelPermission,
} from '../tenants/permissions.ts';
import type { SignInContext } from '../upstream/sign-in/create-signer.ts';
import type { TenantCaller } from './compile-tokens.ts';
import { compileRegions } from './regions.ts';
import type { Caller } from './snapshot.ts';

export interface CallerSources {
  config: Config;
  /** Keys that the gateway made itself. */
  madeKeys: readonly TenantKey[];
  signIn: Pick<SignInContext, 'now'>;
  /** What counts calls against limits: it outlives snapshots. */
  counters: CounterBook;
}

interface CallerKey extends TenantKey {
  caller: Caller;
}

interface CompiledTenant {
  config: TenantConfig;
  keys: readonly CallerKey[];
  /** What all its callers have. */
  common: TenantCaller;
  limits: readonly Limit[];
}

/** The callers of a configuration, each with its key. */
export interface CompiledCallers {
  ring: KeyRing<CallerKey>;
  byTenant: ReadonlyMap<string, CompiledTenant>;
  made: readonly CallerKey[];
  sharedLimits: SharedLimits;
  approvals: Approvals;
}

/** `undefined` where usage records are all that is kept. */
function compileCapture(capture: TenantConfig['capture']): CapturePolicy | undefined {
  if (capture?.mode !== 'full') return undefined;
  return { retentionMs: capture.retention, redact: capture.redact };
}

/** Tenants whose configuration is the very same object as before are not looked at, unless models or prompts have other limits, or models other approvals. */
export function compileCallers(
  { config, madeKeys, signIn, counters }: CallerSources,
  before: { config: Config; callers: CompiledCallers } | undefined,
): CompiledCallers {
  const sameLimits = before && isDeepStrictEqual(listSharedLimits(config), listSharedLimits(before.config));
  const sharedLimits = sameLimits ? before.callers.sharedLimits : compileSharedLimits(config, counters);
  const approvals = compileApprovals(config.models);
  const isSame = sameLimits && isDeepStrictEqual(approvals, before.callers.approvals);
  const permit = (tenant: Pick<TenantConfig, 'models' | 'grants'>) =>
    compileTenantPermission(tenant, approvals, signIn.now);
  const byTenant = new Map(before?.callers.byTenant);
  const gone: CallerKey[] = [...(before?.callers.made ?? [])];
  const added: CallerKey[] = [];
  for (const [name, tenant] of byTenant) {
    if (config.tenants[name] !== undefined) continue;
    appendAll(gone, tenant.keys);
    byTenant.delete(name);
  }
  // Not by its entries: there may be ten thousand tenants, of which one has changed. The mapping has no prototype.
  for (const name in config.tenants) {
    const tenant = config.tenants[name];
    const known = byTenant.get(name);
    if (tenant === undefined || (isSame && known?.config === tenant)) continue;
    // The calls that it has under way count on.
    const holder = known?.common.holder ?? new Holder();
    const may = { mayCall: permit(tenant), mayPrompt: compilePromptPermission(tenant, signIn.now) };
    const compiled = compileTenant(name, tenant, may, sharedLimits, counters, holder);
    if (known) appendAll(gone, known.keys);
    appendAll(added, compiled.keys);
    byTenant.set(name, compiled);
  }
  const holders = new Map((before?.callers.made ?? []).map(({ tenant, caller }) => [tenant, caller.holder]));
  const made = madeKeys.map((key): CallerKey => {
    const { tenant, key: name } = key;
    const limits = compileTenantLimits(tenant, { keys: [] }, sharedLimits, counters).ofKey(name);
    const holder = holders.get(tenant) ?? new Holder();
    holders.set(tenant, holder);
    const mayCall = permit({ models: ['*'] });
    const mayPrompt = () => true;
    const rank = RANKS.normal;
    return {
      ...key,
      caller: { tenant, key: name, mayCall, mayPrompt, capture: undefined, limits, holder, rank },
    };
  });
  appendAll(added, made);
  const ring = before ? before.callers.ring.replace(gone, added) : new KeyRing(added, signIn.now);
  return { ring, byTenant, made, sharedLimits, approvals };
}

function compileTenant(
  tenant: string,
  config: TenantConfig,
  ofTenant: { mayCall: ModelPermission; mayPrompt: ModelPermission },
  sharedLimits: SharedLimits,
  counters: CounterBook,
  holder: Holder,
): CompiledTenant {
  const capture = compileCapture(config.capture);
  const limits = compileTenantLimits(tenant, config, sharedLimits, counters);
  const rank = RANKS[config.priority];
  const common: TenantCaller = {
    ...{ tenant, ...ofTenant, capture, limits: limits.ofAnyKey, holder, rank },
    regions: compileRegions(config.regions),
  };
  const keys: CallerKey[] = [];
  for (const { name, secret, secretHash, previous, expires, models: keyModels, prompts } of config.keys) {
    const ofKey = keyModels ? compileModelPermission(keyModels) : undefined;
    const mayCall = ofKey ? (model: string) => ofTenant.mayCall(model) && ofKey(model) : ofTenant.mayCall;
    const prompted = prompts && compileModelPermission(prompts);
    const mayPrompt = prompted
      ? (prompt: string) => ofTenant.mayPrompt(prompt) && prompted(prompt)
      : ofTenant.mayPrompt;
    const key: CallerKey = {
      tenant,
      key: name,
      hash: secretHash ?? hashOf({ secret, secretHash }),
      caller: {
        ...{ ...common, key: name, mayCall, keyMayCall: ofKey, limits: limits.ofKey(name) },
        ...{ mayPrompt, keyMayPrompt: prompted },
      },
    };
    if (expires !== undefined) key.expiresAt = expires;
    keys.push(key);
    if (!previous) continue;
    const expiresAt = Math.min(previous.until, expires ?? Number.POSITIVE_INFINITY);
    keys.push({ ...key, hash: previous.secretHash, expiresAt });
  }
  return { config, keys, common, limits: limits.own };
}

/** All limits that hold for any of them. */
export function listLimits({ sharedLimits, byTenant }: CompiledCallers): Limit[] {
  const all: Limit[] = [];
  for (const limits of sharedLimits.ofModels.values()) appendAll(all, limits);
  for (const limits of sharedLimits.ofPrompts.values()) appendAll(all, limits);
  for (const { limits } of byTenant.values()) appendAll(all, limits);
  return all;
}
