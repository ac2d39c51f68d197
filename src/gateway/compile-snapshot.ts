import type { CapturePolicy } from '../captures/capture.ts';
import type { Config, ProviderConfig, TargetConfig, TenantConfig } from '../config/resolve.ts';
import { passThrough } from '../dialects/chat/pass-through.ts';
import { compileLimits, type LimitBook } from '../quotas/compile-limits.ts';
import type { CounterBook } from '../quotas/counters.ts';
import { Routes } from '../routing/resolve-targets.ts';
import type { Target } from '../routing/target.ts';
import { hashSecret, KeyRing, type TenantKey } from '../tenants/keys.ts';
import { compileModelPermission, type ModelPermission } from '../tenants/permissions.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import type { SignInContext } from '../upstream/sign-in/create-signer.ts';
import { buildUpstream, type Timeouts, type Upstream } from '../upstream/upstream.ts';
import type { Caller, Snapshot } from './snapshot.ts';

export interface SnapshotSources {
  config: Config;
  declarations: readonly ProviderDeclaration[];
  /** Keys that the gateway made itself. */
  madeKeys: readonly TenantKey[];
  /** What signing in at providers needs; its clock is the snapshot's, too. */
  signIn: SignInContext;
  /** What counts calls against limits: it outlives snapshots. */
  counters: CounterBook;
}

/** Compiles a configuration into what the way of a call reads. */
export function compileSnapshot({
  config,
  declarations,
  madeKeys,
  signIn,
  counters,
}: SnapshotSources): Snapshot {
  const { now } = signIn;
  const upstreams = compileUpstreams(config, declarations, signIn);
  const limits = compileLimits(config, counters);
  const models = new Map<string, Target[]>();
  for (const [name, model] of Object.entries(config.models)) {
    models.set(
      name,
      model.targets.map((target) => compileTarget(target, upstreams)),
    );
  }
  return {
    routes: new Routes(models, upstreams),
    chatFields: new Set([
      ...passThrough.fields,
      ...[...upstreams.values()].flatMap(({ quirked }) => [...(quirked?.wantedFields ?? [])]),
    ]),
    findCaller: compileCallers(config, madeKeys, limits, now),
    missingProviders: new Map(
      declarations
        .filter(({ name }) => !upstreams.has(name))
        .map((declaration) => [declaration.name, adviseSetUp(declaration)]),
    ),
    created: Math.floor(now() / 1000),
    maxBodyBytes: config.server.bodyLimit,
    responses: { store: config.responses.store, retentionMs: config.responses.retention },
    limits: limits.all,
  };
}

function adviseSetUp(declaration: ProviderDeclaration): string {
  const { name } = declaration;
  const variables = variablesOf(declaration);
  const ways = [
    ...(variables.length === 0 ? [] : [`set ${variables.join(' and ')}`]),
    "add it under 'providers' in the config",
  ];
  return `The provider '${name}' is not set up here: ${ways.join(' or ')}.`;
}

/** The variables that make a provider exist: its key, its address where it has none, what it cannot be without. */
function variablesOf({ envKeys, envBaseUrl, baseUrl, baseUrlAt, settings }: ProviderDeclaration): string[] {
  const required = Object.values(settings ?? {}).filter((setting) => setting.required === true);
  return [
    envKeys[0],
    baseUrl === undefined && !baseUrlAt ? envBaseUrl : undefined,
    ...required.map(({ env }) => env?.[0]),
  ].filter((variable) => variable !== undefined);
}

function compileUpstreams(
  config: Config,
  declarations: readonly ProviderDeclaration[],
  signIn: SignInContext,
): Map<string, Upstream> {
  const byName = new Map(declarations.map((declaration) => [declaration.name, declaration]));
  const upstreams = new Map<string, Upstream>();
  for (const [name, provider] of Object.entries(config.providers)) {
    const declaration = byName.get(provider.adapter);
    if (!declaration)
      throw new Error(`provider '${name}' has an unknown adapter, which the config check lets no one have`);
    upstreams.set(name, compileUpstream(name, provider, declaration, signIn));
  }
  return upstreams;
}

function compileUpstream(
  name: string,
  provider: ProviderConfig,
  declaration: ProviderDeclaration,
  signIn: SignInContext,
): Upstream {
  const { baseUrl, headers, accounts, timeouts, ...settings } = provider;
  const { project, region, location, apiVersion, deployments } = settings;
  return buildUpstream(
    {
      name,
      declaration,
      baseUrl,
      settings: { project, region, location, apiVersion, deployments },
      headers,
      accounts,
      timeouts: compileTimeouts(timeouts),
    },
    signIn,
  );
}

function compileTarget(target: TargetConfig, upstreams: ReadonlyMap<string, Upstream>): Target {
  const { provider, model, timeouts } = target;
  const upstream = upstreams.get(provider);
  if (!upstream)
    throw new Error(`target '${target.target}' has no provider, which the config check lets no one have`);
  return { name: `${provider}/${model}`, upstream, model, timeouts: compileTimeouts(timeouts) };
}

function compileTimeouts(timeouts: ProviderConfig['timeouts']): Timeouts {
  return {
    connectMs: timeouts.connect,
    firstByteMs: timeouts.firstByte,
    idleMs: timeouts.idle,
    totalMs: timeouts.total,
  };
}

/** `undefined` where usage records are all that is kept. */
function compileCapture(capture: TenantConfig['capture']): CapturePolicy | undefined {
  if (capture?.mode !== 'full') return undefined;
  return { retentionMs: capture.retention, redact: capture.redact };
}

function compileCallers(
  config: Config,
  madeKeys: readonly TenantKey[],
  limits: LimitBook,
  now: () => number,
): Snapshot['findCaller'] {
  const callers = new Map<string, Caller>();
  const keys: TenantKey[] = [];
  const add = (key: TenantKey, mayCall: ModelPermission, capture?: CapturePolicy) => {
    keys.push(key);
    const { tenant, key: name } = key;
    callers.set(key.hash, { tenant, key: name, mayCall, capture, limits: limits.ofKey(tenant, name) });
  };
  for (const [tenant, { models, keys: tenantKeys, capture }] of Object.entries(config.tenants)) {
    const policy = compileCapture(capture);
    const ofTenant = compileModelPermission(models);
    for (const { name, secret, expires, models: keyModels } of tenantKeys) {
      const ofKey = keyModels ? compileModelPermission(keyModels) : undefined;
      const mayCall = ofKey ? (model: string) => ofTenant(model) && ofKey(model) : ofTenant;
      add({ tenant, key: name, hash: hashSecret(secret), expiresAt: expires }, mayCall, policy);
    }
  }
  for (const key of madeKeys) add(key, compileModelPermission(['*']));
  const ring = new KeyRing(keys, now);
  return (secret) => {
    const key = ring.find(secret);
    return key && callers.get(key.hash);
  };
}
