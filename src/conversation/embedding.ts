import type { Extra } from './conversation.ts';
import type { Usage } from './usage.ts';

/** A neutral embedding request. */
export interface EmbeddingRequest {
  model: string;
  /** Texts, or texts as token ids. */
  inputs: (string | number[])[];
  /** The caller's word for them; absent: OpenAI's `input`. */
  inputsWord?: string;
  dimensions?: number;
  endUser?: string;
  extra?: Extra;
}

export interface Embeddings {
  model: string;
  /** One per input, in its order. */
  vectors: number[][];
  usage?: Usage;
}
