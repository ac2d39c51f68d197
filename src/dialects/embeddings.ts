import type { EmbeddingRequest, Embeddings } from '../conversation/embedding.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import { NO_USAGE, type Usage } from '../conversation/usage.ts';
import { count, saysCounts } from './counts.ts';
import type { EncodedRequest, ResponseHeaders } from './dialect.ts';

/** How vectors are written: numbers, or little-endian float32 bytes in base64 (OpenAI `encoding_format`). */
export type EncodingFormat = 'float' | 'base64';

/** The side of embeddings that faces a provider; pure functions as in `UpstreamDialect`, with the same errors. */
export interface UpstreamEmbeddings {
  encodeRequest(request: EmbeddingRequest, model: string): EncodedRequest;
  /** `headers`: of the answer, where some say what its body does not. */
  decodeResponse(body: JsonValue, request: EmbeddingRequest, headers?: ResponseHeaders): Embeddings;
}

/** What a dialect says of embeddings, to both sides. */
export interface EmbeddingDialect extends UpstreamEmbeddings {
  decodeRequest(body: JsonObject): { request: EmbeddingRequest; encodingFormat: EncodingFormat };
  encodeResponse(embeddings: Embeddings, encodingFormat: EncodingFormat): JsonObject;
}

/**
 * The inputs of a request for models that take text alone, `most` of them a call.
 *
 * @throws GatewayError `invalid_request` for inputs that are given as token ids, which are another model's tokens, or empty, and for too many,
 * before a provider says so in words of its own dialect.
 */
export function readTexts({ inputs, inputsWord = 'input' }: EmbeddingRequest, most: number): string[] {
  if (inputs.length > most) {
    throw invalidRequest(
      `'${inputsWord}' holds ${inputs.length} texts, and the model that this call goes to takes at most ${most} a call: send them in several calls.`,
      inputsWord,
      'unsupported_input',
    );
  }
  return inputs.map((input, index) => {
    if (typeof input === 'string' && input !== '') return input;
    if (input === '') throw emptyText(inputs.length === 1 ? inputsWord : `${inputsWord}[${index}]`);
    const path = `${inputsWord}[${index}]`;
    throw invalidRequest(
      `'${path}' is a list of token ids. The model that this call goes to embeds text only.`,
      path,
      'unsupported_input',
    );
  });
}

/** OpenAI's API takes none either, and the others say so in words of their own. */
function emptyText(path: string): Error {
  return invalidRequest(
    `'${path}' is an empty text, of which there is nothing to embed.`,
    path,
    'invalid_value',
  );
}

/** A vector as providers write one: numbers, and some. */
export function isVector(value: JsonValue | undefined): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((number) => typeof number === 'number');
}

/** The usage of embeddings, whose counts of tokens a provider gives one by one; `undefined` where one of them is none. */
export function embeddingUsage(counts: readonly (JsonValue | undefined)[]): Usage | undefined {
  if (!counts.every((tokens) => saysCounts([tokens]))) return undefined;
  return { ...NO_USAGE, input: counts.reduce<number>((sum, tokens) => sum + count(tokens), 0) };
}
