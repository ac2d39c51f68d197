import type { z } from 'zod';
import { readCredentialFile } from './credential-files.ts';
import {
  defaultStorePath,
  type EnvironmentSettings,
  findProviderKey,
  findSetting,
  findSignIn,
  isPresent,
  readVariable,
} from './environment.ts';
import type { Secret } from './fields.ts';
import { type KnownProvider, SETTING_NAMES, type SettingName } from './known-provider.ts';
import { type ConfigPath, formatPath } from './path.ts';
import { ConfigError, type ConfigProblem } from './problem.ts';
import { bridgeReleases, type Release, releaseOf } from './release.ts';
import type { ParsedConfig } from './schema.ts';
import { type modelSchema, targetSchema } from './sections/models.ts';
import { hasCredentials, type providerSchema } from './sections/providers.ts';
import type { Environment } from './substitute.ts';
import type { Milliseconds } from './units.ts';

/** Timeouts of one attempt, every one of them decided. */
export interface Timeouts {
  connect: Milliseconds;
  firstByte: Milliseconds;
  idle: Milliseconds;
  total: Milliseconds;
}

/**
 * Generous towards models that think long before their first byte, or between two of them.
 */
export const DEFAULT_TIMEOUTS: Readonly<Timeouts> = Object.freeze({
  connect: 5_000,
  firstByte: 300_000,
  idle: 300_000,
  total: 600_000,
});

interface Resolved {
  timeouts: Timeouts;
}

type ResolvedProvider = Omit<
  z.output<typeof providerSchema>,
  'adapter' | 'accounts' | 'headers' | 'timeouts'
> &
  Resolved & {
    adapter: string;
    /** Empty: requests go out without a credential. */
    accounts: NonNullable<z.output<typeof providerSchema>['accounts']>;
    headers: Record<string, string>;
    /** `environment` where the provider is not written in the file. */
    origin: 'file' | 'environment';
  };
type ParsedTarget = z.output<typeof targetSchema>;
/** `release`: what it is apart from its place, as the config language writes it. */
type ResolvedTarget = Omit<z.output<typeof targetSchema>, 'timeouts'> & Resolved & { release: Release };
type ResolvedModel = Omit<z.output<typeof modelSchema>, 'targets' | 'timeouts' | 'fallbacks'> & {
  targets: ResolvedTarget[];
  fallbacks?: { contextLength?: ResolvedTarget[] | undefined; contentPolicy?: ResolvedTarget[] | undefined };
};

/** Where a model moves: from which target to which, and whether the model has the second in the place of the first already. */
type ResolvedRollout = NonNullable<ParsedConfig['rollouts']>[string] & {
  move?: { stable: ResolvedTarget; candidate: ResolvedTarget; isMoved: boolean };
};

/** Text first: a branded string would count as an object. */
type DeepReadonly<T> = T extends string
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

/**
 * The whole configuration as one immutable value: file and environment together, units read, defaults applied,
 * timeouts decided for each target (target before model before provider before the defaults).
 */
export type Config = DeepReadonly<
  Omit<ParsedConfig, 'store' | 'providers' | 'models' | 'rollouts'> & {
    /** The file as it was named; `null` where there was none. */
    file: string | null;
    dataDirectory: string;
    adminKey: string | undefined;
    /** The files that credentials were read from. */
    credentialFiles: string[];
    store: NonNullable<ParsedConfig['store']>;
    providers: Record<string, ResolvedProvider>;
    models: Record<string, ResolvedModel>;
    rollouts: Record<string, ResolvedRollout>;
  }
>;

export type ProviderConfig = Config['providers'][string];
export type ModelConfig = Config['models'][string];
export type TargetConfig = ModelConfig['targets'][number];
export type RolloutConfig = Config['rollouts'][string];
export type TenantConfig = Config['tenants'][string];
export type IssuerConfig = Config['issuers'][string];
export type LimitsConfig = NonNullable<TenantConfig['limits']>;
export type WebhookConfig = Config['webhooks'][string];
export type AlertConfig = Config['alerts'][string];

/** Completes a valid config from the environment and freezes it. */
export function resolveConfig(
  parsed: ParsedConfig,
  file: string | null,
  settings: EnvironmentSettings,
  knownProviders: readonly KnownProvider[],
  env: Environment,
): Config {
  const files: CredentialFiles = { paths: [], problems: [], file: file ?? 'configuration' };
  const providers = resolveProviders(parsed, knownProviders, env, files);
  if (files.problems.length > 0) throw new ConfigError(files.problems);
  return deepFreeze({
    ...parsed,
    credentialFiles: files.paths,
    file,
    dataDirectory: settings.dataDirectory,
    adminKey: settings.adminKey,
    server: {
      ...parsed.server,
      host: settings.host ?? parsed.server.host,
      port: settings.port ?? parsed.server.port,
    },
    store: parsed.store ?? { kind: 'sqlite' as const, path: defaultStorePath(settings.dataDirectory) },
    providers,
    models: mapValues(parsed.models, (model) => resolveModel(model, providers)),
    rollouts: mapValues(parsed.rollouts ?? {}, (rollout) => resolveRollout(rollout, parsed, providers)),
  });
}

function resolveProviders(
  parsed: ParsedConfig,
  knownProviders: readonly KnownProvider[],
  env: Environment,
  files: CredentialFiles,
): Record<string, ResolvedProvider> {
  const known = new Map(knownProviders.map((provider) => [provider.name, provider]));
  const declared = mapValues(parsed.providers, (written, name) => {
    const adapter = written.adapter ?? name;
    const accounts = written.accounts?.map((account, index) =>
      readFiles(account, ['providers', name, 'accounts', index], files),
    );
    const read = { ...written, adapter, ...(accounts && { accounts }) };
    return resolveProvider(name, read, known.get(adapter), env, 'file');
  });
  const present = knownProviders.filter(
    (provider) => !Object.hasOwn(parsed.providers, provider.name) && isPresent(provider, env),
  );
  for (const provider of present) {
    declared[provider.name] = resolveProvider(
      provider.name,
      { adapter: provider.name },
      provider,
      env,
      'environment',
    );
  }
  return declared;
}

function resolveProvider(
  name: string,
  written: ParsedConfig['providers'][string] & { adapter: string },
  known: KnownProvider | undefined,
  env: Environment,
  origin: ResolvedProvider['origin'],
): ResolvedProvider {
  // The environment's key and address belong to the provider of that name, not to others of its kind.
  const own = known !== undefined && known.name === name ? known : undefined;
  const fromEnvironment = own?.envBaseUrl === undefined ? undefined : readVariable(env, own.envBaseUrl);
  const baseUrl = written.baseUrl ?? fromEnvironment ?? known?.baseUrl;
  return {
    ...written,
    ...(baseUrl !== undefined && { baseUrl }),
    ...resolveSettings(written, known, own, env),
    accounts: resolveAccounts(written.accounts, own, env),
    headers: written.headers ?? {},
    timeouts: { ...DEFAULT_TIMEOUTS, ...written.timeouts },
    origin,
  };
}

/** What is written, else what the environment of the vendor's tools says, else the declaration's default. */
function resolveSettings(
  written: ParsedConfig['providers'][string],
  known: KnownProvider | undefined,
  own: KnownProvider | undefined,
  env: Environment,
): Partial<Record<SettingName, string>> {
  const settings: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const value =
      written[name] ?? (own && findSetting(own, name, env)?.value) ?? known?.settings?.[name]?.default;
    if (value !== undefined) settings[name] = value;
  }
  return settings;
}

/** What came of reading credentials from files. */
interface CredentialFiles {
  paths: string[];
  problems: ConfigProblem[];
  /** How problems name the configuration. */
  file: string;
}

/** An account, and what is to replace its credential, with what their files hold. */
function readFiles(account: Account, path: ConfigPath, files: CredentialFiles): Account {
  const { next } = account;
  const read = readFile(account, path, files);
  return next ? { ...read, next: readFile(next, [...path, 'next'], files) } : read;
}

function readFile<T extends { apiKeyFile?: string | undefined }>(
  holder: T,
  path: ConfigPath,
  files: CredentialFiles,
): T {
  const { apiKeyFile, ...rest } = holder;
  if (apiKeyFile === undefined) return holder;
  files.paths.push(apiKeyFile);
  const read = readCredentialFile(apiKeyFile);
  if ('credential' in read) return { ...rest, apiKey: read.credential } as unknown as T;
  files.problems.push({ file: files.file, path: formatPath([...path, 'apiKeyFile']), message: read.problem });
  return holder;
}

/** Where a cloud's accounts say no credentials (but regions, say), those of the environment are meant. */
function resolveAccounts(
  written: ResolvedProvider['accounts'] | undefined,
  own: KnownProvider | undefined,
  env: Environment,
): ResolvedProvider['accounts'] {
  const found = own && credentialsFromEnvironment(own, env);
  if (written === undefined) return found ? [{ name: 'environment', ...found }] : [];
  if (!own?.signIn) return written;
  return written.map((account) => (hasCredentials(account) ? account : { ...account, ...found }));
}

type Account = ResolvedProvider['accounts'][number];

/** `checkEnvironmentOf` has held them against the same patterns as written ones. */
function credentialsFromEnvironment(known: KnownProvider, env: Environment): Partial<Account> | undefined {
  const found = findProviderKey(known, env);
  if (found !== undefined) return { apiKey: found.key as Secret };
  const fields = findSignIn(known, env);
  if (fields === undefined || known.signIn === undefined) return undefined;
  // Nothing but the signing itself: the vendor's library finds what it needs.
  return Object.keys(fields).length === 0 ? {} : ({ [known.signIn.kind]: fields } as Partial<Account>);
}

function resolveTarget(
  target: ParsedTarget,
  timeouts: Partial<Timeouts> | undefined,
  providers: Readonly<Record<string, ResolvedProvider>>,
): ResolvedTarget {
  const ofProvider = providers[target.provider]?.timeouts ?? DEFAULT_TIMEOUTS;
  const release = releaseOf(target);
  return { ...target, timeouts: { ...ofProvider, ...timeouts, ...target.timeouts }, release };
}

/** Of a model: both of its releases are targets like those that the model has. */
function resolveRollout(
  rollout: NonNullable<ParsedConfig['rollouts']>[string],
  { models }: ParsedConfig,
  providers: Readonly<Record<string, ResolvedProvider>>,
): ResolvedRollout {
  const { model } = rollout;
  if (model === undefined) return rollout;
  const { targets = [], timeouts } = models[model] ?? {};
  const written = { stable: readRelease(rollout.stable), candidate: readRelease(rollout.candidate) };
  const { stable, candidate, isMoved } = bridgeReleases(written, targets);
  const resolve = (target: ParsedTarget) => resolveTarget(target, timeouts, providers);
  return { ...rollout, move: { stable: resolve(stable), candidate: resolve(candidate), isMoved } };
}

/** What is parsed already stays as it is: durations are numbers there. */
function readRelease(release: NonNullable<ParsedConfig['rollouts']>[string]['stable']): ParsedTarget {
  const target = typeof release === 'object' ? release.target : release;
  return { ...targetSchema.parse(target), ...(typeof release === 'object' && release) };
}

function resolveModel(
  model: ParsedConfig['models'][string],
  providers: Readonly<Record<string, ResolvedProvider>>,
): ResolvedModel {
  const { timeouts, fallbacks, ...rest } = model;
  const resolve = (target: (typeof model.targets)[number]) => resolveTarget(target, timeouts, providers);
  return {
    ...rest,
    targets: model.targets.map(resolve),
    ...(fallbacks && {
      fallbacks: {
        contextLength: fallbacks.contextLength?.map(resolve),
        contentPolicy: fallbacks.contentPolicy?.map(resolve),
      },
    }),
  };
}

/** Without prototype, as `mapping()` gives them: names are looked up in it that somebody else chose. */
function mapValues<T, R>(
  entries: Readonly<Record<string, T>>,
  map: (value: T, name: string) => R,
): Record<string, R> {
  const mapped: Record<string, R> = Object.create(null);
  for (const [name, value] of Object.entries(entries)) mapped[name] = map(value, name);
  return mapped;
}

function deepFreeze<T>(value: T): DeepReadonly<T> {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const key in value) {
      const child = value[key];
      if (typeof child === 'object') deepFreeze(child);
    }
  }
  return value as DeepReadonly<T>;
}
