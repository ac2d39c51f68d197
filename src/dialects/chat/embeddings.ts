import type { EmbeddingRequest, Embeddings } from '../../conversation/embedding.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { EncodedRequest } from '../dialect.ts';
import { type EmbeddingDialect, type EncodingFormat, embeddingUsage, isVector } from '../embeddings.ts';
import { expectInRange, optionalField, pathOf, requireField, unknownWord, wrongKind } from '../read-json.ts';
import { embeddedError } from './errors.ts';
import { extraOf, ownFields } from './extra.ts';

/**
 * `POST /v1/embeddings`, both sides.
 *
 * Source: OpenAI API reference (create embeddings).
 */
export const chatEmbeddings: EmbeddingDialect = {
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
};

const REQUEST_FIELDS = new Set(['model', 'input', 'dimensions', 'encoding_format', 'user']);
const FORMATS: readonly EncodingFormat[] = ['float', 'base64'];

function decodeRequest(body: JsonObject): { request: EmbeddingRequest; encodingFormat: EncodingFormat } {
  const request: EmbeddingRequest = {
    model: requireField(body, 'model', 'string', ''),
    inputs: decodeInput(body['input']),
  };
  const dimensions = optionalField(body, 'dimensions', 'number', '');
  if (dimensions !== undefined) expectInRange(dimensions, { least: 1, isWhole: true }, 'dimensions');
  const endUser = optionalField(body, 'user', 'string', '');
  const extra = extraOf(body, REQUEST_FIELDS);
  if (dimensions !== undefined) request.dimensions = dimensions;
  if (endUser !== undefined) request.endUser = endUser;
  if (extra) request.extra = extra;
  const said = optionalField(body, 'encoding_format', 'string', '') ?? 'float';
  const encodingFormat = FORMATS.find((format) => format === said);
  if (!encodingFormat) throw unknownWord(said, FORMATS, 'encoding_format');
  return { request, encodingFormat };
}

/** A text, a list of texts, the token ids of a text, or a list of those. */
function decodeInput(input: JsonValue | undefined): EmbeddingRequest['inputs'] {
  if (typeof input === 'string') return [input];
  const expected = 'a string, an array of strings, an array of tokens or an array of token arrays';
  if (!Array.isArray(input)) throw wrongKind(input, expected, 'input');
  if (input.length === 0) throw invalidRequest("'input' is empty.", 'input', 'invalid_value');
  if (typeof input[0] === 'number') return [decodeTokens(input, 'input')];
  const [first] = input;
  return input.map((item, index) => {
    const path = pathOf('input', index);
    if (typeof item === 'string' && typeof first === 'string') return item;
    if (Array.isArray(item) && Array.isArray(first)) return decodeTokens(item, path);
    throw wrongKind(item, itemLike(first), path);
  });
}

/** What an item must be: the API takes no mix. */
function itemLike(first: JsonValue | undefined): string {
  if (typeof first === 'string') return 'a string, as the first one is';
  return Array.isArray(first) ? 'an array of tokens, as the first one is' : 'a string or an array of tokens';
}

function decodeTokens(tokens: JsonValue[], at: string): number[] {
  return tokens.map((token, index) => {
    if (typeof token === 'number') return token;
    throw wrongKind(token, 'a token (a number)', pathOf(at, index));
  });
}

/** Floats are the one format that every server knows, and what it answers with unless told otherwise. */
function encodeRequest(request: EmbeddingRequest, model: string): EncodedRequest {
  const { inputs, dimensions, endUser, extra } = request;
  const body: JsonObject = { model, input: inputs };
  if (dimensions !== undefined) body['dimensions'] = dimensions;
  if (endUser !== undefined) body['user'] = endUser;
  const dropped = extra && extra.dialect !== 'chat' ? Object.keys(extra.fields) : [];
  return { body: { ...body, ...ownFields(extra) }, dropped };
}

function decodeResponse(body: JsonValue, request: EmbeddingRequest): Embeddings {
  if (isObject(body) && body['error']) throw embeddedError(body);
  const data = isObject(body) && Array.isArray(body['data']) ? body['data'] : [];
  const vectors: (number[] | undefined)[] = request.inputs.map(() => undefined);
  for (const [position, item] of data.entries()) {
    if (!isObject(item)) continue;
    const index = typeof item['index'] === 'number' ? item['index'] : position;
    if (index in vectors) vectors[index] = decodeVector(item['embedding']);
  }
  const complete = vectors.filter((vector) => vector !== undefined);
  if (!isObject(body) || complete.length < vectors.length) {
    throw new GatewayError(
      'upstream_unavailable',
      `The provider answered with ${complete.length} of the ${vectors.length} embeddings that were asked for.`,
    );
  }
  const usage = embeddingUsage([isObject(body['usage']) ? body['usage']['prompt_tokens'] : undefined]);
  return {
    model: typeof body['model'] === 'string' ? body['model'] : request.model,
    vectors: complete,
    ...(usage ? { usage } : {}),
  };
}

function decodeVector(value: JsonValue | undefined): number[] | undefined {
  const vector = typeof value === 'string' ? readFloats(Buffer.from(value, 'base64')) : value;
  return isVector(vector) ? vector : undefined;
}

function encodeResponse({ model, vectors, usage }: Embeddings, encodingFormat: EncodingFormat): JsonObject {
  const data = vectors.map((vector, index) => ({
    object: 'embedding',
    index,
    embedding: encodingFormat === 'base64' ? writeFloats(vector).toString('base64') : vector,
  }));
  const tokens = usage?.input ?? 0;
  return { object: 'list', data, model, usage: { prompt_tokens: tokens, total_tokens: tokens } };
}

const FLOAT_BYTES = 4;

/** Little-endian float32 whatever the machine's own order. */
function writeFloats(vector: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(vector.length * FLOAT_BYTES);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * FLOAT_BYTES);
  return bytes;
}

function readFloats(bytes: Buffer): number[] {
  const count = Math.floor(bytes.length / FLOAT_BYTES);
  return Array.from({ length: count }, (_, index) => bytes.readFloatLE(index * FLOAT_BYTES));
}
