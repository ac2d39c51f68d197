import type { Operation } from '../usage/record.ts';
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

/** The path at an upstream; `undefined` where it has no such thing. */
export function relayedPath(
  { declaration }: Upstream,
  { basePath }: Account,
  place: RelayedPlace,
): string | undefined {
  const reference = declaration.relays?.[place];
  if (reference === undefined) return undefined;
  return new URL(reference === 'here' ? PATHS[place] : reference, `http://upstream.invalid${basePath}/`)
    .pathname;
}
