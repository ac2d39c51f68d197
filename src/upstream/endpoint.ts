import type { DialectName } from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import type { QuirkedChat } from '../dialects/chat/quirked-chat.ts';
import type { UpstreamDialect } from '../dialects/dialect.ts';
import { DIALECTS } from '../dialects/registry.ts';
import type { Operation } from '../usage/record.ts';
import type {
  FurtherSurface,
  PathRequest,
  ProviderDeclaration,
  Settings,
  Surface,
  UpstreamOperation,
} from './provider.ts';
import type { Account, Upstream } from './upstream.ts';

/** Where one operation of a model is had, and what is spoken there. */
export interface Endpoint {
  dialect: UpstreamDialect;
  surface: Surface;
  /** The provider's way of the chat dialect, where this is what is spoken. */
  quirked: QuirkedChat | undefined;
  /** Path and query. */
  path: string;
  /** The model's name there. */
  model: string;
}

export interface EndpointRequest {
  operation: Operation;
  /** What is asked for instead where the caller's own dialect is spoken. */
  relaysAs?: UpstreamOperation | undefined;
  /** It is that, or nothing. */
  onlyRelays?: boolean | undefined;
  model: string;
  stream: boolean;
  /** What the caller speaks. */
  dialect: DialectName;
}

type PathOf = (request: PathRequest, model: string) => string | undefined;

/**
 * Where a dialect's operations live below the base URL; an operation that is missing cannot be had there.
 * Sources: the API references of OpenAI, Anthropic and Gemini.
 */
const PATHS: Readonly<Partial<Record<DialectName, Partial<Record<UpstreamOperation, PathOf>>>>> = {
  chat: { generate: () => '/chat/completions', embed: () => '/embeddings' },
  responses: { generate: () => '/responses' },
  messages: { generate: () => '/v1/messages', count: () => '/v1/messages/count_tokens' },
  gemini: {
    generate: ({ stream }, model) =>
      `${geminiModel(model)}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    embed: (_request, model) => `${geminiModel(model)}:batchEmbedContents`,
    embed_one: (_request, model) => `${geminiModel(model)}:embedContent`,
    count: (_request, model) => `${geminiModel(model)}:countTokens`,
  },
};

const CODECS: Readonly<Partial<Record<DialectName, UpstreamDialect>>> = DIALECTS;

/**
 * The endpoint for an operation at an upstream; `undefined` where the model has no such operation.
 *
 * @throws GatewayError `invalid_request` for names that would lead to another path than the one that was permitted.
 */
export function findEndpoint(
  upstream: Pick<Upstream, 'declaration' | 'quirked'>,
  { basePath, settings }: Pick<Account, 'basePath' | 'settings'>,
  request: EndpointRequest,
): Endpoint | undefined {
  const surface = chooseSurface(upstream.declaration, settings, request);
  const quirked = surface === upstream.declaration ? upstream.quirked : undefined;
  const dialect = quirked?.dialect ?? CODECS[surface.dialect];
  const isRelayed = surface.dialect === request.dialect && surface.embeddings === undefined;
  if (request.onlyRelays === true && !isRelayed) return undefined;
  const operation = isRelayed ? (request.relaysAs ?? request.operation) : request.operation;
  const pathOf = pathsOf(surface)?.[operation];
  if (!dialect || !pathOf || surface.lacks?.includes(operation)) return undefined;
  const model = settings.deployments?.[request.model] ?? request.model;
  // Only declared paths take the model from there; checking and encoding it for the others would be for nothing.
  const segment = surface.paths ? pathSegment(model) : '';
  const place = pathOf({ model: segment, stream: request.stream, settings }, model);
  return place === undefined ? undefined : { dialect, surface, quirked, path: basePath + place, model };
}

function pathsOf({ paths, dialect }: Surface): Partial<Record<UpstreamOperation, PathOf>> | undefined {
  return paths ?? PATHS[dialect];
}

function chooseSurface(
  declaration: ProviderDeclaration,
  settings: Settings,
  request: EndpointRequest,
): Surface {
  return declaration.alsoSpeaks?.find((surface) => isFor(surface, settings, request)) ?? declaration;
}

function isFor(
  surface: FurtherSurface,
  settings: Settings,
  { dialect, operation, model }: EndpointRequest,
): boolean {
  if (surface.isHad?.(settings) === false) return false;
  if (surface.models) return surface.models(model);
  const isSpoken = CODECS[surface.dialect] !== undefined && pathsOf(surface)?.[operation] !== undefined;
  return isSpoken && surface.dialect === dialect;
}

/** `@` may stand in a path, and Google's model versions are written with it; everything else is encoded once. */
export function pathSegment(name: string): string {
  if (name === '' || name === '.' || name === '..') throw noModelName(name);
  return encodeURIComponent(name.toWellFormed()).replaceAll('%40', '@');
}

/** `gemini-2.5-flash` and `tunedModels/mine` are both model names. */
function geminiModel(model: string): string {
  const path = model.includes('/') ? model : `models/${model}`;
  const segments = path.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw noModelName(model);
  }
  return `/v1beta/${segments.map((segment) => encodeURIComponent(segment.toWellFormed())).join('/')}`;
}

function noModelName(model: string): Error {
  return invalidRequest(`'${model}' is not the name of a model.`, 'model');
}
