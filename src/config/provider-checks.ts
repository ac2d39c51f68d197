import { isObject, type JsonObject } from '../conversation/json.ts';
import { findProviderKey, findSetting, findSignIn, readVariable } from './environment.ts';
import type { Finding } from './finding.ts';
import { type KnownProvider, SETTING_NAMES } from './known-provider.ts';
import { type ConfigPath, select } from './path.ts';
import { hasCredentials } from './sections/providers.ts';
import type { Environment } from './substitute.ts';
import { suggest } from './suggest.ts';

/** `prompt/NAME` in a client's `model` is a prompt, so no provider can have the name. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(['prompt']);

/** What declared providers lack: an adapter that exists, an address, a credential. */
export function checkProviders(
  value: unknown,
  knownProviders: readonly KnownProvider[],
  env: Environment,
): Finding[] {
  return select(value, 'providers.*').flatMap(({ path, value: provider }) => {
    const name = String(path.at(-1));
    if (RESERVED_NAMES.has(name)) {
      return [
        {
          path,
          at: 'key' as const,
          message: `${name}/NAME is how clients reach prompts: choose another name`,
        },
      ];
    }
    if (!isObject(provider)) return [];
    const adapter = provider['adapter'] ?? name;
    const known = knownProviders.find((candidate) => candidate.name === adapter);
    if (known === undefined) return findUnknownAdapter(path, provider['adapter'], knownProviders);
    // The environment's key and address belong to the provider of that name, not to others of its kind.
    const ownEnv = name === known.name ? env : {};
    return findMissing(path, provider, known, ownEnv);
  });
}

function findUnknownAdapter(path: ConfigPath, adapter: unknown, known: readonly KnownProvider[]): Finding[] {
  const names = known.map((provider) => provider.name);
  const expected = `one of ${names.join(', ')}`;
  if (adapter === undefined) {
    const meant = suggest(String(path.at(-1)), names);
    const hint = meant === undefined ? '' : `; did you mean "${meant}"?`;
    return [{ path, at: 'key', message: `is no built-in provider: write \`adapter\`, ${expected}${hint}` }];
  }
  if (typeof adapter !== 'string') return [];
  return [{ path: [...path, 'adapter'], message: `expected ${expected}`, found: 'value', candidates: names }];
}

function findMissing(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
  env: Environment,
): Finding[] {
  if (known.inProcess !== undefined) return findServers(path, provider, `${known.name} has no address`);
  return [
    ...findMissingAddress(path, provider, known, env),
    ...findMissingSettings(path, provider, known, env),
    ...findMissingKey(path, provider, known, env),
    ...findUntaken(path, provider, known),
    ...findSignedHeaders(path, provider, known, env),
    ...(known.signIn?.kind === 'aws'
      ? findServers(path, { discovery: provider['discovery'] }, 'requests are signed for one address')
      : []),
  ];
}

/** What is about a provider's servers, where it has none of that kind. */
function findServers(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  reason: string,
): Finding[] {
  return (['discovery', 'health.check'] as const)
    .flatMap((pattern) => select(provider, pattern))
    .filter(({ value }) => value !== undefined)
    .map(({ path: at }) => ({
      path: [...path, ...at],
      at: 'key' as const,
      message: `has no effect here: ${reason}`,
    }));
}

function findMissingAddress(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
  env: Environment,
): Finding[] {
  const variable = known.envBaseUrl === undefined ? undefined : readVariable(env, known.envBaseUrl);
  const isKnown = known.baseUrl !== undefined || known.baseUrlAt !== undefined;
  if (provider['baseUrl'] !== undefined || isKnown || variable !== undefined) return [];
  return [{ path, at: 'key', message: `baseUrl is missing: ${known.name} has no address of its own` }];
}

/** A setting may stand at the provider, or at each of its accounts. */
function findMissingSettings(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
  env: Environment,
): Finding[] {
  const accounts = accountsOf(provider);
  return SETTING_NAMES.flatMap((name) => {
    const source = known.settings?.[name];
    if (source?.required !== true || provider[name] !== undefined) return [];
    if (findSetting(known, name, env) !== undefined) return [];
    if (accounts.length > 0 && accounts.every((account) => account[name] !== undefined)) return [];
    return [
      { path, at: 'key' as const, message: `${name} is missing: write it${orSet(path, known, source.env)}` },
    ];
  });
}

function findMissingKey(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
  env: Environment,
): Finding[] {
  const takesNone = known.envKeys.length === 0 && known.signIn === undefined;
  if ((known.credential ?? 'required') !== 'required' || takesNone) return [];
  if (findProviderKey(known, env) !== undefined || findSignIn(known, env) !== undefined) return [];
  if (known.signIn?.ambient === true) return [];
  if (provider['accounts'] === undefined) {
    // At an address of the operator's own, a proxy may add the key.
    if (provider['baseUrl'] !== undefined) return [];
    return [{ path, at: 'key', message: `has no key: write accounts${orSet(path, known, known.envKeys)}` }];
  }
  const { signIn } = known;
  if (signIn === undefined) return [];
  return accountsOf(provider).flatMap((account, index) =>
    hasCredentials(account)
      ? []
      : [
          {
            path: [...path, 'accounts', index],
            message: `has no credentials: write ${signIn.kind} or apiKey`,
          },
        ],
  );
}

/** The variables belong to the provider of the declaration's name alone. */
function orSet(path: ConfigPath, known: KnownProvider, variables: readonly string[] = []): string {
  return path.at(-1) === known.name && variables.length > 0 ? `, or set ${variables.join(' or ')}` : '';
}

/** What is written and this kind of provider has no use for: it would be silently without effect. */
function findUntaken(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
): Finding[] {
  const { settings = {} } = known;
  // Where calls are served can be said of every provider, but for those that have another word for it.
  const isTaken = (name: string) =>
    settings[name] !== undefined || (name === 'region' && settings['location'] === undefined);
  const atProvider = [...CLOUD_SETTINGS, 'project'].filter(
    (name) => provider[name] !== undefined && !isTaken(name),
  );
  const inAccounts = accountsOf(provider).flatMap((account, index) => {
    const untaken = [
      ...CLOUD_SETTINGS.filter((name) => !isTaken(name)),
      ...SIGN_IN_KINDS.filter((kind) => kind !== known.signIn?.kind),
    ];
    return untaken
      .filter((name) => account[name] !== undefined)
      .map((name): ConfigPath => [...path, 'accounts', index, name])
      .concat(findUntakenNext([...path, 'accounts', index, 'next'], account['next'], known));
  });
  return [...atProvider.map((name): ConfigPath => [...path, name]), ...inAccounts].map((place) => ({
    path: place,
    at: 'key' as const,
    message: `${known.name} takes no ${place.at(-1)}`,
  }));
}

function findUntakenNext(path: ConfigPath, next: unknown, known: KnownProvider): ConfigPath[] {
  if (!isObject(next)) return [];
  return SIGN_IN_KINDS.filter((kind) => kind !== known.signIn?.kind && next[kind] !== undefined).map(
    (kind) => [...path, kind],
  );
}

/** Headers that a signature is made of. */
const SIGNED = /^(?:authorization|x-amz-.*)$/i;

/** A configured header that signing makes, too: the signature is what goes out, so it would be silently without effect. */
function findSignedHeaders(
  path: ConfigPath,
  provider: Readonly<Record<string, unknown>>,
  known: KnownProvider,
  env: Environment,
): Finding[] {
  const { signIn } = known;
  if (signIn === undefined) return [];
  const accounts = accountsOf(provider);
  const signs = accounts.map(({ apiKey, apiKeyFile }) => apiKey === undefined && apiKeyFile === undefined);
  const findsCredentials = signIn.ambient === true || findSignIn(known, env) !== undefined;
  const signsAlone = accounts.length === 0 && findsCredentials && findProviderKey(known, env) === undefined;
  const holders = [
    ...(signsAlone || signs.includes(true) ? [{ holder: provider, at: path }] : []),
    ...accounts.flatMap((holder, index) =>
      signs[index] ? [{ holder, at: [...path, 'accounts', index] }] : [],
    ),
  ];
  return holders.flatMap(({ holder, at }) =>
    Object.keys(isObject(holder['headers']) ? holder['headers'] : {})
      .filter((name) => SIGNED.test(name))
      .map((name) => ({
        path: [...at, 'headers', name],
        at: 'key' as const,
        message: `each request is signed, which makes this header: leave it out, or write apiKey instead of ${signIn.kind}`,
      })),
  );
}

/** `project` is not among them: of an account, OpenAI and Google take it, and others always let it be. */
const CLOUD_SETTINGS = ['region', 'location', 'apiVersion', 'deployments'] as const;
const SIGN_IN_KINDS = ['aws', 'google', 'entra'] as const;

/** Entries of another shape are the schema's to refuse. */
function accountsOf(provider: Readonly<Record<string, unknown>>): JsonObject[] {
  const { accounts } = provider;
  return Array.isArray(accounts) ? accounts.map((account) => (isObject(account) ? account : {})) : [];
}
