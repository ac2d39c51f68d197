import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { QuirkedChat } from '../dialects/chat/quirked-chat.ts';
import { buildServers, type ServerOptions, type Servers } from './addresses/servers.ts';
import type {
  AwsCredentials,
  EntraCredentials,
  GoogleCredentials,
  ProviderDeclaration,
  Settings,
} from './provider.ts';
import { listSecrets } from './secrets.ts';
import { createSigner, type SignInContext } from './sign-in/create-signer.ts';
import type { Signer } from './sign-in/signer.ts';
import { Standing, type TrialOptions } from './standing.ts';

/** A provider as this configuration knows it: the declaration plus where it is and who we are there. */
export interface Upstream {
  /** The name in target names; may differ from the declaration's (`local: { adapter: openai-compatible }`). */
  name: string;
  /** The permission for all of its models: `NAME/*`. */
  allModels: string;
  declaration: ProviderDeclaration;
  /** Its way of the chat dialect, where it speaks it. */
  quirked: QuirkedChat | undefined;
  accounts: [Account, ...Account[]];
  /** For targets that are named directly; those of a configured model have their own. */
  timeouts: Timeouts;
  /** Its servers, where they are looked up or checked; absent: its accounts' base URLs are all there is. */
  servers?: Servers | undefined;
}

/** Bounds on one attempt. */
export interface Timeouts {
  connectMs: number;
  /** From sending the request to the head of the answer. */
  firstByteMs: number;
  /** Between two packets of an answer. */
  idleMs: number;
  totalMs: number;
}

export interface Account {
  name: string;
  /** Scheme, host and port of the base URL, which may differ between accounts (regions). */
  origin: string;
  /** Path of the base URL without a trailing slash. */
  basePath: string;
  settings: Settings;
  /** Of the provider's calls, relative to its other accounts. */
  weight: number;
  /** The headers of every request, names and values in turns. */
  headers: string[];
  /** Makes what further headers a request needs. Absent: the credential, if any, is in `headers` already. */
  signer: Signer | undefined;
  /** Whether the provider takes its credential. */
  standing: Standing;
  /** The same account with the credential that is to replace this one. */
  next?: Account | undefined;
  /** Of such a one: its configuration. */
  replaces?: NextCredential | undefined;
  /**
   * Tells who we are there from whom we were before, also between instances: another credential, organisation or address is another mark.
   * It is too short for anything to be learned of a credential from it.
   */
  mark: string;
  /** What must never be told to anyone (`listSecrets`): providers quote it in their errors. */
  secrets(): readonly string[];
  /** All that it was built from: an account of the next configuration with the same is this one. */
  builtFrom?: object;
}

export interface CredentialOptions {
  apiKey?: string | undefined;
  aws?: AwsCredentials | undefined;
  google?: GoogleCredentials | undefined;
  entra?: EntraCredentials | undefined;
}

/** A credential that is to replace its account's. */
export interface NextCredential extends CredentialOptions, TrialOptions {}

export interface AccountOptions extends Settings, CredentialOptions {
  name: string;
  weight?: number | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
  next?: NextCredential | undefined;
}

/** Later ones go before earlier ones, however a name is written (RFC 9110 5.1: its case means nothing). */
function mergeHeaders(sources: readonly (Readonly<Record<string, string>> | undefined)[]): string[] {
  const merged = new Map<string, string>();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) merged.set(name.toLowerCase(), value);
  }
  return [...merged].flat();
}

export interface UpstreamOptions extends ServerOptions {
  name: string;
  declaration: ProviderDeclaration;
  /** Absent: the declaration's. */
  baseUrl?: string | undefined;
  /** For accounts that do not say otherwise. */
  settings?: Settings;
  headers?: Readonly<Record<string, string>> | undefined;
  accounts: readonly AccountOptions[];
  timeouts: Timeouts;
}

/** Of a hash: 16 bits, so that also a weak secret cannot be found by them. Two credentials of an account hardly ever have the same. */
const MARK_DIGITS = 4;

/** A provider that lives in this process has no address. */
const NOWHERE = 'http://in-process.invalid';

/**
 * Puts a declaration, an address and credentials together.
 *
 * @param before the provider as it was: accounts that are as they were are taken over, with the tokens that they hold
 */
export function buildUpstream(options: UpstreamOptions, context: SignInContext, before?: Upstream): Upstream {
  const { name, declaration, timeouts } = options;
  // Without an account requests go out without a credential: servers of one's own often want none.
  const [first = { name: 'none' }, ...others] = options.accounts;
  const known = before ? withNext(before.accounts) : [];
  const buildOne = (account: AccountOptions, replaces?: NextCredential): Account => {
    const { baseUrl, settings, headers } = options;
    const origins = { declaration: declaration.name, baseUrl, settings, headers, account };
    const alike = known.filter(({ builtFrom }) => isDeepStrictEqual(builtFrom, origins));
    const same = alike.find((candidate) => isDeepStrictEqual(candidate.replaces, replaces));
    if (same) return same;
    // One that has replaced another keeps its access token, and is on trial no more.
    const built = alike[0] ?? buildAccount(options, account, context);
    return { ...built, standing: createStanding(built, context, replaces), replaces, builtFrom: origins };
  };
  const build = ({ next, ...written }: AccountOptions): Account => {
    const account = buildOne(written);
    const candidate = next && buildOne(replaceCredential(written, next), next);
    return account.next === candidate ? account : { ...account, next: candidate };
  };
  const quirked = declaration.dialect === 'chat' ? new QuirkedChat(declaration.quirks ?? {}) : undefined;
  const accounts: Upstream['accounts'] = [build(first), ...others.map(build)];
  const servers = buildServers(options, accounts, context.now, before?.servers);
  return { name, allModels: `${name}/*`, declaration, quirked, accounts, timeouts, servers };
}

/** Accounts, each with the one that is to replace it. */
export function withNext(accounts: readonly Account[]): Account[] {
  return accounts.flatMap((account) => (account.next ? [account, account.next] : [account]));
}

function replaceCredential(account: AccountOptions, next: NextCredential): AccountOptions {
  const { apiKey: _apiKey, aws: _aws, google: _google, entra: _entra, ...rest } = account;
  const { share: _share, proveAfter: _proveAfter, ...credential } = next;
  return { ...rest, ...credential };
}

/** Access tokens may be revoked before their time: a new one is fetched before anybody is alarmed. */
function createStanding(
  { signer }: Pick<Account, 'signer'>,
  { now }: SignInContext,
  trial: NextCredential | undefined,
): Standing {
  return new Standing(now, { mayBeToken: signer?.renews === true, trial });
}

function buildAccount(
  upstream: UpstreamOptions,
  options: AccountOptions,
  context: SignInContext,
): Omit<Account, 'standing'> {
  const { declaration } = upstream;
  const { name, apiKey, aws, google, entra, headers } = options;
  const settings = mergeSettings(options, upstream.settings ?? {});
  const url = new URL(
    upstream.baseUrl ?? declaration.baseUrlAt?.(settings) ?? declaration.baseUrl ?? NOWHERE,
  );
  const credentials = { aws, google, entra };
  const headerValues = [...Object.values(upstream.headers ?? {}), ...Object.values(headers ?? {})];
  const signer =
    apiKey === undefined
      ? createSigner(upstream.name, declaration, settings, credentials, context)
      : undefined;
  const identity = [url.href, settings, upstream.headers, headers, apiKey, aws, google, entra];
  return {
    name,
    mark: createHash('sha256').update(JSON.stringify(identity)).digest('hex').slice(0, MARK_DIGITS),
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    settings,
    weight: options.weight ?? 1,
    headers: mergeHeaders([
      { 'content-type': 'application/json' },
      declaration.headers,
      signer ? withoutSigned(upstream.headers) : upstream.headers,
      apiKey === undefined ? undefined : declaration.authorize(apiKey),
      declaration.identifyAccount?.(settings),
      signer ? withoutSigned(headers) : headers,
    ]),
    signer,
    secrets: () => listSecrets([apiKey, ...headerValues, ...(signer?.secrets() ?? [])]),
  };
}

/** Headers that signing makes: what was configured would stand beside the signature, and break it. */
const SIGNED = /^(?:authorization|x-amz-.*)$/i;

function withoutSigned(headers: AccountOptions['headers']): AccountOptions['headers'] {
  return headers && Object.fromEntries(Object.entries(headers).filter(([name]) => !SIGNED.test(name)));
}

/** What the account says goes before what its provider says. */
function mergeSettings(account: Settings, provider: Settings): Settings {
  return {
    organization: account.organization ?? provider.organization,
    project: account.project ?? provider.project,
    region: account.region ?? provider.region,
    location: account.location ?? provider.location,
    apiVersion: account.apiVersion ?? provider.apiVersion,
    deployments: account.deployments ?? provider.deployments,
  };
}
