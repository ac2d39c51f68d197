import type { AnswerForm } from '../captures/capture.ts';
import type { CallerDialect } from '../dialects/dialect.ts';
import type { EmbeddingDialect } from '../dialects/embeddings.ts';
import type { PassThrough } from '../dialects/pass-through.ts';
import type { UpstreamOperation } from '../upstream/provider.ts';
import type { RelayedPlace } from '../upstream/relayed-paths.ts';
import type { Operation } from '../usage/record.ts';

/** What a URL of the gateway speaks and does. */
export interface Door {
  dialect: CallerDialect;
  operation: Operation;
  /** Relaying to a provider of the same dialect. */
  passThrough: PassThrough;
  /**
   * OpenAI's legacy text completions. They go as they came to providers that have them (`prepare-completion.ts`); else they are
   * translated, also between two sides of one dialect.
   */
  completesText?: true;
  /** Its answers are in a form that no provider answers in: they are translated, also between two sides of one dialect. */
  translatesAnswers?: true;
  /** What its answers are written in, where its dialect is not one of those that clients speak. */
  answerForm?: AnswerForm;
  /** How often a model is asked again whose answer cannot be used. */
  repairs?: number;
  /** The content type of its whole answers, where they are no JSON. */
  bodyType?: string;
  /** What a relayed call asks of the provider, where that is not what a translated one asks for the same operation. */
  relaysAs?: UpstreamOperation;
  /** What it asks for has no word in other dialects: `relaysAs` where a provider has it, and refused elsewhere. */
  onlyRelays?: true;
  /** Nothing of it is ever translated: where it is had at a provider, in the form of this door. */
  relayedPlace?: RelayedPlace;
  /** The form of embeddings at this door, where it is not the dialect's first one. */
  embeddings?: EmbeddingDialect;
  /** The model that the vendor's API takes where none is named, and the provider that it is of where no model of the configuration has its name. */
  usualModel?: { name: string; provider: string };
  /** Clients may go on from an answer by its id, and ask for it again. */
  keepsAnswers?: boolean;
  /** Its requests may name earlier answers, though its own are not kept. */
  namesAnswers?: true;
  /** The content type of its streams, where they are no server-sent events. */
  streamType?: string;
  /** The prompt that is called here, as records name it: `NAME` or `NAME@VERSION`. */
  prompt?: string;
  /** Headers that all its answers have, a name and a value in turn. */
  headers?: readonly string[];
  /** A second header that tells the id of a call, for clients that look for it there. */
  requestIdHeader?: string;
}
