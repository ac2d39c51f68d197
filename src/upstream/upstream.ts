import { invalidRequest } from '../conversation/gateway-error.ts';
import { QuirkedChat } from '../dialects/chat/quirked-chat.ts';
import type { Dialect } from '../dialects/dialect.ts';
import { DIALECTS } from '../dialects/registry.ts';
import type { Operation } from '../usage/record.ts';
import type { AccountIdentity, ProviderDeclaration } from './provider.ts';

/** A provider as this configuration knows it: the declaration plus where it is and who we are there. */
export interface Upstream {
  /** The name in target names; may differ from the declaration's (`local: { adapter: openai-compatible }`). */
  name: string;
  declaration: ProviderDeclaration;
  /** Its way of the chat dialect, where it has quirks. */
  quirked: QuirkedChat | undefined;
  /** Scheme, host and port of the base URL. */
  origin: string;
  /** Path of the base URL without a trailing slash. */
  basePath: string;
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
  /** The headers of every request, as the flat list that undici writes fastest. */
  headers: string[];
  /** What must never be told to anyone: providers quote it in their errors. */
  secret: string | undefined;
}

type UpstreamDialect = ProviderDeclaration['dialect'];
type PathOf = (model: string, stream: boolean) => string;

/** What can be asked of a provider. `embed_one`: what Gemini has beside its batches; only a relayed call asks for it. */
export type UpstreamOperation = Operation | 'embed_one';

/**
 * Where a dialect's operations live below the base URL; an operation that is missing cannot be had there.
 * Sources: the API references of OpenAI, Anthropic and Gemini.
 */
const PATHS: Record<UpstreamDialect, Partial<Record<UpstreamOperation, PathOf>>> = {
  chat: { generate: () => '/chat/completions', embed: () => '/embeddings' },
  messages: { generate: () => '/v1/messages', count: () => '/v1/messages/count_tokens' },
  gemini: {
    generate: (model, stream) =>
      `${geminiModel(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    embed: (model) => `${geminiModel(model)}:batchEmbedContents`,
    embed_one: (model) => `${geminiModel(model)}:embedContent`,
    count: (model) => `${geminiModel(model)}:countTokens`,
  },
};

/**
 * `gemini-2.5-flash` and `tunedModels/mine` are both model names.
 *
 * @throws GatewayError `invalid_request` for names that would lead to another path than the one that was permitted.
 */
function geminiModel(model: string): string {
  const path = model.includes('/') ? model : `models/${model}`;
  const segments = path.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalidRequest(`'${model}' is not the name of a model.`, 'model');
  }
  return `/v1beta/${segments.map((segment) => encodeURIComponent(segment.toWellFormed())).join('/')}`;
}

/** The codec of what is said to an upstream and what it answers. */
export function dialectOf({ declaration, quirked }: Upstream): Dialect {
  return quirked?.dialect ?? DIALECTS[declaration.dialect];
}

/** The path and query of an operation at an upstream; `undefined` where its dialect has no such operation. */
export function operationPath(
  upstream: Upstream,
  operation: UpstreamOperation,
  model: string,
  stream: boolean,
): string | undefined {
  const path = PATHS[upstream.declaration.dialect][operation]?.(model, stream);
  return path === undefined ? undefined : upstream.basePath + path;
}

interface AccountOptions extends AccountIdentity {
  name: string;
  apiKey?: string | undefined;
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Puts a declaration, an address and credentials together. */
export function buildUpstream(options: {
  name: string;
  declaration: ProviderDeclaration;
  baseUrl: string;
  headers?: Readonly<Record<string, string>> | undefined;
  accounts: readonly AccountOptions[];
  timeouts: Timeouts;
}): Upstream {
  const { name, declaration } = options;
  const url = new URL(options.baseUrl);
  // Without an account requests go out without a credential: servers of one's own often want none.
  const [first = { name: 'none' }, ...others] = options.accounts;
  const buildAccount = ({ name: account, apiKey, headers, ...identity }: AccountOptions): Account => ({
    name: account,
    secret: apiKey,
    headers: Object.entries({
      'content-type': 'application/json',
      ...declaration.headers,
      ...options.headers,
      ...(apiKey === undefined ? {} : declaration.authorize(apiKey)),
      ...declaration.identifyAccount?.(identity),
      ...headers,
    }).flat(),
  });
  return {
    name,
    declaration,
    quirked: declaration.quirks && new QuirkedChat(declaration.quirks),
    origin: url.origin,
    basePath: url.pathname.replace(/\/+$/, ''),
    accounts: [buildAccount(first), ...others.map(buildAccount)],
    timeouts: options.timeouts,
  };
}
