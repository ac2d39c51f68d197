import { isDeepStrictEqual } from 'node:util';
import { QuirkedChat } from '../dialects/chat/quirked-chat.ts';
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
  /** The headers of every request, as the flat list that undici writes fastest. */
  headers: string[];
  /** Makes what further headers a request needs. Absent: the credential, if any, is in `headers` already. */
  signer: Signer | undefined;
  /** What must never be told to anyone (`listSecrets`): providers quote it in their errors. */
  secrets(): readonly string[];
  /** All that it was built from: an account of the next configuration with the same is this one. */
  builtFrom?: object;
}

export interface AccountOptions extends Settings {
  name: string;
  apiKey?: string | undefined;
  aws?: AwsCredentials | undefined;
  google?: GoogleCredentials | undefined;
  entra?: EntraCredentials | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Later ones go before earlier ones, however a name is written (RFC 9110 5.1: its case means nothing). */
function mergeHeaders(sources: readonly (Readonly<Record<string, string>> | undefined)[]): string[] {
  const merged = new Map<string, string>();
  for (const source of sources) {
    for (const [name, value] of Object.entries(source ?? {})) merged.set(name.toLowerCase(), value);
  }
  return [...merged].flat();
}

export interface UpstreamOptions {
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
  const build = (account: AccountOptions) => {
    const { baseUrl, settings, headers } = options;
    const origins = { declaration: declaration.name, baseUrl, settings, headers, account };
    const known = before?.accounts.find(({ builtFrom }) => isDeepStrictEqual(builtFrom, origins));
    return known ?? { ...buildAccount(options, account, context), builtFrom: origins };
  };
  const quirked = declaration.dialect === 'chat' ? new QuirkedChat(declaration.quirks ?? {}) : undefined;
  const accounts: Upstream['accounts'] = [build(first), ...others.map(build)];
  return { name, allModels: `${name}/*`, declaration, quirked, accounts, timeouts };
}

function buildAccount(upstream: UpstreamOptions, options: AccountOptions, context: SignInContext): Account {
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
  return {
    name,
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    settings,
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
