import type { EmbeddingRequest, Embeddings } from '../conversation/embedding.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import type { EncodedRequest } from './dialect.ts';

/** How vectors are written: numbers, or little-endian float32 bytes in base64 (OpenAI `encoding_format`). */
export type EncodingFormat = 'float' | 'base64';

/** What a dialect says of embeddings; pure functions as in `Dialect`, with the same errors. */
export interface EmbeddingDialect {
  decodeRequest(body: JsonObject): { request: EmbeddingRequest; encodingFormat: EncodingFormat };
  encodeRequest(request: EmbeddingRequest, model: string): EncodedRequest;
  decodeResponse(body: JsonValue, request: EmbeddingRequest): Embeddings;
  encodeResponse(embeddings: Embeddings, encodingFormat: EncodingFormat): JsonObject;
}
