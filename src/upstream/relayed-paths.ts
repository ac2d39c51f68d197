import type { Operation } from '../usage/record.ts';
import { pathSegment } from './endpoint.ts';
import type { RelayRequest } from './provider.ts';
import type { Account, Upstream } from './upstream.ts';

/** What is only ever relayed. Rerank has two versions, which differ in what they take. */
export type RelayedPlace = Exclude<Operation, 'generate' | 'embed' | 'count' | 'response'> | 'rerank_v2';

/**
 * Where these are below the base URL.
 * Sources: OpenAI API reference and its SDK; Cohere API reference (v1 and v2), Jina and vLLM ("Online serving") for rerank.
 */
const PATHS: Readonly<Record<RelayedPlace, string>> = {
  image: 'images/generations',
  image_edit: 'images/edits',
  image_variation: 'images/variations',
  speech: 'audio/speech',
  transcribe: 'audio/transcriptions',
  translate: 'audio/translations',
  moderate: 'moderations',
  rerank: 'rerank',
  rerank_v2: 'rerank',
  file: 'files',
  batch: 'batches',
};

export interface RelayedRequest {
  /** Path and query. */
  path: string;
  /** The model's name there. */
  model: string;
}

/**
 * Where something is had at an upstream; `undefined` where it has no such thing.
 *
 * @param suffix which of the things that are kept, and what is asked of it: `/ID/content`
 */
export function relayedRequest(
  { declaration }: Pick<Upstream, 'declaration'>,
  { basePath, settings }: Pick<Account, 'basePath' | 'settings'>,
  place: RelayedPlace,
  asked: string,
  suffix = '',
): RelayedRequest | undefined {
  const where = declaration.relays?.[place];
  return where === undefined
    ? undefined
    : resolvePlace({ basePath, settings }, where, PATHS[place], asked, suffix);
}

/**
 * Where text completions are had at an upstream, in their own form; `undefined` where they are to be asked in the form of chat.
 *
 * @param isBeyondChat whether they ask for what has no word there
 */
export function completionRequest(
  { declaration }: Pick<Upstream, 'declaration'>,
  account: Pick<Account, 'basePath' | 'settings'>,
  asked: string,
  isBeyondChat: () => boolean,
): RelayedRequest | undefined {
  const { of, at = 'here' } = declaration.completions ?? {};
  if (of === undefined) return undefined;
  const isHad = of instanceof RegExp ? of.test(asked) : of === 'every call' || isBeyondChat();
  return isHad ? resolvePlace(account, at, 'completions', asked, '') : undefined;
}

function resolvePlace(
  { basePath, settings }: Pick<Account, 'basePath' | 'settings'>,
  where: string | ((request: RelayRequest) => string),
  usual: string,
  asked: string,
  suffix: string,
): RelayedRequest {
  const model = settings.deployments?.[asked] ?? asked;
  if (typeof where === 'function') {
    return { path: basePath + where({ model: pathSegment(model), settings, suffix }), model };
  }
  const reference = where === 'here' ? usual : where;
  const { pathname } = new URL(reference, `http://upstream.invalid${basePath}/`);
  return { path: pathname + suffix, model };
}
