import { isDeepStrictEqual } from 'node:util';
import type { Config, ModelConfig, ProviderConfig, TargetConfig } from '../config/resolve.ts';
import { passThrough as chat } from '../dialects/chat/pass-through.ts';
import {
  compileCompletionDefaults,
  compileDefaults,
  type DefaultParameters,
} from '../dialects/default-parameters.ts';
import type { CallerDialectName } from '../dialects/dialect.ts';
import { WordTable } from '../dialects/word-table.ts';
import { targetRetirement } from '../lifecycle/published-retirements.ts';
import { compileBounds } from '../overload/bounds.ts';
import type { CounterBook } from '../quotas/counters.ts';
import type { RolloutBook } from '../rollouts/rollout-book.ts';
import { type Capabilities, knownCapabilities } from '../routing/capabilities.ts';
import type { HedgingBook } from '../routing/hedging.ts';
import type { LaneBook, LanesInForce } from '../routing/lane-book.ts';
import { defaultRetries, Routes } from '../routing/resolve-targets.ts';
import type { Retirement, Route, Target } from '../routing/target.ts';
import type { TenantKey } from '../tenants/keys.ts';
import { namedModel } from '../upstream/named-model.ts';
import type { ProviderDeclaration } from '../upstream/provider.ts';
import type { SignInContext } from '../upstream/sign-in/create-signer.ts';
import { buildUpstream, type Timeouts, type Upstream } from '../upstream/upstream.ts';
import { publishedContextWindow } from '../usage/context-windows.ts';
import { mostUnsaidOutput } from './bound-call.ts';
import { type CompiledCallers, compileCallers, listLimits } from './compile-callers.ts';
import { compileLanes, type LanesOf } from './compile-lanes.ts';
import { compilePromptRollouts, compileRollouts } from './compile-rollouts.ts';
import { type CompiledIssuers, compileIssuers, compileTokens } from './compile-tokens.ts';
import { compileNotice, directEnd, keepMovingName } from './retire-model.ts';
import type { Snapshot } from './snapshot.ts';

export interface SnapshotSources {
  config: Config;
  declarations: readonly ProviderDeclaration[];
  /** Keys that the gateway made itself. */
  madeKeys: readonly TenantKey[];
  /** What signing in at providers needs; its clock is the snapshot's, too. */
  signIn: SignInContext;
  /** What counts calls against limits: it outlives snapshots. */
  counters: CounterBook;
  /** What is known of the places that calls go to: it outlives snapshots, too. */
  lanes: LaneBook;
  /** How long calls of each model take: it outlives them as well. */
  hedgings: HedgingBook;
  /** Where rollouts stand. */
  rollouts: RolloutBook;
}

/** A snapshot and what it was compiled from, so that the next one takes over what did not change. */
export interface CompiledSnapshot {
  snapshot: Snapshot;
  config: Config;
  callers: CompiledCallers;
  issuers: CompiledIssuers;
  /** What the book of lanes is to follow. */
  lanes: LanesInForce;
}

/** Compiles a configuration into what the way of a call reads. */
export function compileSnapshot(sources: SnapshotSources): Snapshot {
  return recompileSnapshot(sources, undefined).snapshot;
}

/**
 * Compiles a configuration, taking over from the one before: providers and accounts that are configured as they were
 * keep what they have (access tokens), and of tenants only those that changed are compiled.
 */
export function recompileSnapshot(
  sources: SnapshotSources,
  before: CompiledSnapshot | undefined,
): CompiledSnapshot {
  const { config, declarations, signIn, counters } = sources;
  const { now } = signIn;
  const upstreams = compileUpstreams(config, declarations, signIn, before);
  const callers = compileCallers(sources, before);
  const issuers = compileIssuers(config.issuers, signIn, before?.issuers);
  const { lanesOf, lanes } = compileLanes(sources.lanes, config);
  const models = new Map<string, Route>();
  for (const [name, model] of Object.entries(config.models)) {
    const route = compileRoute(model, (target) => compileTarget(target, config, upstreams, lanesOf));
    if (model.hedging) route.hedging = sources.hedgings.find(name, model.hedging);
    if (model.deprecated !== undefined) route.retirement = compileRetirement(model, model.deprecated);
    route.notice = compileNotice(route);
    models.set(name, route);
  }
  const rollouts = compileRollouts(
    config,
    (model) => models.get(model),
    (target) => compileTarget(target, config, upstreams, lanesOf),
    sources.rollouts,
  );
  for (const [name, { route }] of rollouts) keepMovingName(models.get(name), route);
  const snapshot: Snapshot = {
    rollouts,
    promptRollouts: compilePromptRollouts(config, sources.rollouts),
    routes: new Routes(models, upstreams, lanesOf, directEnd),
    fieldsOf: new Map([[chat, withQuirks(chat.fields, upstreams)]]),
    findCaller: (secret) => callers.ring.find(secret)?.caller,
    tokens: compileTokens(
      issuers,
      (name) => callers.byTenant.get(name)?.common,
      now,
      before?.snapshot.tokens,
    ),
    missingProviders: new Map(
      declarations
        .filter(({ name }) => !upstreams.has(name))
        .map((declaration) => [declaration.name, adviseSetUp(declaration)]),
    ),
    created: Math.floor(now() / 1000),
    maxBodyBytes: config.server.bodyLimit,
    responses: { store: config.responses.store, retentionMs: config.responses.retention },
    promptModel: config.prompts?.model,
    bounds: compileBounds(config),
    limits: listLimits(callers),
    lifeOf: counters.lifeOf,
  };
  return { snapshot, config, callers, issuers, lanes: { upstreams: [...upstreams.values()], lanes } };
}

function withQuirks(fields: WordTable, upstreams: ReadonlyMap<string, Upstream>): WordTable {
  const wanted = [...upstreams.values()].flatMap(({ quirked }) => quirked?.wantedFields.words ?? []);
  return new WordTable([...fields.words, ...wanted]);
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
  before: CompiledSnapshot | undefined,
): Map<string, Upstream> {
  const byName = new Map(declarations.map((declaration) => [declaration.name, declaration]));
  const upstreams = new Map<string, Upstream>();
  for (const [name, provider] of Object.entries(config.providers)) {
    const declaration = byName.get(provider.adapter);
    if (!declaration)
      throw new Error(`provider '${name}' has an unknown adapter, which the config check lets no one have`);
    const known = before?.snapshot.routes.upstreams.get(name);
    const isSame = known && isDeepStrictEqual(before?.config.providers[name], provider);
    upstreams.set(name, isSame ? known : compileUpstream(name, provider, declaration, signIn, known));
  }
  return upstreams;
}

function compileUpstream(
  name: string,
  provider: ProviderConfig,
  declaration: ProviderDeclaration,
  signIn: SignInContext,
  before: Upstream | undefined,
): Upstream {
  const { baseUrl, headers, accounts, timeouts, discovery, health, ...settings } = provider;
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
      discovery,
      check: health?.check,
    },
    signIn,
    before,
  );
}

function compileRoute(model: ModelConfig, compile: (target: TargetConfig) => Target): Route {
  const targets = model.targets.map(compile);
  const { strategy, retries = defaultRetries(targets), fallbacks, continueStreams, waitForRecovery } = model;
  const [first, ...others] = targets;
  const isSelective = others.some(
    ({ capabilities }) => !isDeepStrictEqual(capabilities, first?.capabilities),
  );
  const contextLength = fallbacks?.contextLength?.map(compile);
  const contentPolicy = fallbacks?.contentPolicy?.map(compile);
  return {
    ...{ targets, strategy, isSelective, retries, continueStreams, recoveryMs: waitForRecovery },
    fallbacks: { contextLength, contentPolicy },
    unsaidOutput: mostUnsaidOutput([...targets, ...(contextLength ?? []), ...(contentPolicy ?? [])]),
  };
}

/** Where nothing is said, calls go on as long as there is somewhere to go. */
function compileRetirement({ successor, onRetired }: ModelConfig, atMs: number): Retirement {
  return { atMs, successor, goesOn: successor !== undefined && onRetired !== 'gone' };
}

function compileTargetDefaults(
  parameters: DefaultParameters | undefined,
  { declaration }: Upstream,
  model: string,
): Target['defaults'] {
  if (!parameters) return undefined;
  const compile = (dialect: CallerDialectName) =>
    compileDefaults(parameters, dialect, namedModel(declaration, dialect, model));
  const fields = {
    chat: compile('chat'),
    responses: compile('responses'),
    messages: compile('messages'),
    gemini: compile('gemini'),
  };
  const completions = compileCompletionDefaults(parameters, namedModel(declaration, 'chat', model));
  return { parameters, fields, completions };
}

function compileTarget(
  target: TargetConfig,
  { providers }: Config,
  upstreams: ReadonlyMap<string, Upstream>,
  lanesOf: LanesOf,
): Target {
  const { provider, model, account, timeouts, weight, region } = target;
  const upstream = upstreams.get(provider);
  if (!upstream)
    throw new Error(`target '${target.target}' has no provider, which the config check lets no one have`);
  const name = `${provider}/${model}`;
  const capabilities: Capabilities = {
    contextLength: publishedContextWindow(providers[provider]?.adapter ?? provider, model),
    ...knownCapabilities(model),
    ...target.capabilities,
  };
  const lanes = lanesOf(name, upstream, true);
  const defaults = compileTargetDefaults(target.parameters, upstream, model);
  const retirement = targetRetirement(upstream.declaration.name, target);
  return {
    name,
    upstream,
    model,
    account,
    timeouts: compileTimeouts(timeouts),
    lanes,
    weight,
    region,
    capabilities,
    defaults,
    retirement,
  };
}

function compileTimeouts(timeouts: ProviderConfig['timeouts']): Timeouts {
  return {
    connectMs: timeouts.connect,
    firstByteMs: timeouts.firstByte,
    idleMs: timeouts.idle,
    totalMs: timeouts.total,
  };
}
