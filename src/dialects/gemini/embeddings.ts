import type { EmbeddingRequest, Embeddings } from '../../conversation/embedding.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { inputTokens } from '../../conversation/usage.ts';
import type { EncodedRequest } from '../dialect.ts';
import {
  type EmbeddingDialect,
  type EncodingFormat,
  embeddingUsage,
  isVector,
  readTexts,
} from '../embeddings.ts';
import { expectKind, optionalField, pathOf, requireField } from '../read-json.ts';
import { defined, extraOf, messageIn, messagesIn, ownFields, readMessage } from './proto.ts';

/**
 * `models/MODEL:batchEmbedContents`: one request a text, all of one model. (`:embedContent` takes one text only.)
 *
 * Source: Gemini API reference, "Embeddings".
 */
export const geminiEmbeddings: EmbeddingDialect = {
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
};

/**
 * `models/MODEL:embedContent`: one text, and one vector in the answer. Asked of providers as a batch of one.
 *
 * Source: Gemini API reference, "Embeddings".
 */
export const geminiEmbedding: EmbeddingDialect = {
  ...geminiEmbeddings,
  decodeRequest: (body) => {
    const one = readOne(body, '');
    return asBatch(one, [one.text]);
  },
  encodeResponse: ({ vectors: [values = []] }) => ({ embedding: { values } }),
};

/**
 * Options (`taskType`, `title`, …) are the batch's in the neutral request, so requests that differ in them cannot
 * be read as one.
 */
function decodeRequest(body: JsonObject): { request: EmbeddingRequest; encodingFormat: EncodingFormat } {
  const requests = requireField(readMessage(body), 'requests', 'array', '');
  const read = requests.map((value, index) => readOne(value, `requests[${index}]`));
  const [first] = read;
  if (!first) throw invalidRequest("'requests' must hold at least one request.", 'requests');
  for (const [index, one] of read.entries()) {
    if (one.options !== first.options) {
      throw invalidRequest(
        `'requests[${index}]' must have the options of the first one.`,
        `requests[${index}]`,
      );
    }
  }
  const { request, encodingFormat } = asBatch(
    first,
    read.map(({ text }) => text),
  );
  return { request: { ...request, inputsWord: 'requests' }, encodingFormat };
}

function asBatch(
  { model, dimensions, fields }: OneRequest,
  inputs: string[],
): { request: EmbeddingRequest; encodingFormat: EncodingFormat } {
  return { request: defined({ model, inputs, dimensions, extra: extraOf(fields) }), encodingFormat: 'float' };
}

interface OneRequest {
  text: string;
  model: string;
  dimensions: number | undefined;
  fields: JsonObject;
  /** Everything but the text, to compare by. */
  options: string;
}

function readOne(value: JsonValue, path: string): OneRequest {
  const one = readMessage(expectKind(value, 'object', path));
  const content = readMessage(requireField(one, 'content', 'object', path));
  const contentPath = pathOf(path, 'content');
  const parts = requireField(content, 'parts', 'array', contentPath);
  const texts = parts.map((part, index) => {
    const place = `${contentPath}.parts[${index}]`;
    return requireField(expectKind(part, 'object', place), 'text', 'string', place);
  });
  const { content: _c, model: _m, outputDimensionality: _o, ...fields } = one;
  const model = optionalField(one, 'model', 'string', path) ?? '';
  const dimensions = optionalField(one, 'outputDimensionality', 'number', path);
  const options = JSON.stringify([model, dimensions, fields]);
  return { text: texts.join(''), model: model.replace(/^models\//, ''), dimensions, fields, options };
}

/** "At most 100 requests can be in one batch", its own error says; OpenAI's clients may send 2,048. */
const MOST_OF_A_BATCH = 100;

/** Inputs given as token ids are another model's tokens: refused. */
function encodeRequest(request: EmbeddingRequest, model: string): EncodedRequest {
  const name = model.includes('/') ? model : `models/${model}`;
  const own = ownFields(request.extra);
  const requests = readTexts(request, MOST_OF_A_BATCH).map((text) => {
    return defined({
      model: name,
      content: { parts: [{ text }] },
      outputDimensionality: request.dimensions,
      ...own,
    });
  });
  const { extra } = request;
  const foreign = extra && extra.dialect !== 'gemini' ? Object.keys(extra.fields) : [];
  return { body: { requests }, dropped: [...(request.endUser === undefined ? [] : ['user']), ...foreign] };
}

function decodeResponse(body: JsonValue, request: EmbeddingRequest): Embeddings {
  const answer = isObject(body) ? readMessage(body) : {};
  const vectors = messagesIn(answer, 'embeddings').map(({ values }) => {
    if (!isVector(values)) throw unusable('a vector that is no list of numbers');
    return values;
  });
  if (vectors.length !== request.inputs.length) {
    throw unusable(`${vectors.length} embeddings for ${request.inputs.length} inputs`);
  }
  const usage = embeddingUsage([messageIn(answer, 'usageMetadata')?.['promptTokenCount']]);
  return defined({ model: request.model, vectors, usage });
}

function unusable(what: string): GatewayError {
  return new GatewayError('upstream_unavailable', `The provider sent ${what}.`);
}

/** The dialect has one form of vectors, numbers, and does not name the model. */
function encodeResponse({ vectors, usage }: Embeddings): JsonObject {
  return defined({
    embeddings: vectors.map((values) => ({ values })),
    usageMetadata: usage && { promptTokenCount: inputTokens(usage) },
  });
}
