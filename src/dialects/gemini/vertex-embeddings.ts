import type { EmbeddingRequest, Embeddings } from '../../conversation/embedding.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonValue } from '../../conversation/json.ts';
import { embeddingUsage, isVector, readTexts, type UpstreamEmbeddings } from '../embeddings.ts';
import { defined, ownFields } from './proto.ts';

/** Instances that `:predict` takes of a model: Gemini's take one. Source: Vertex AI, "Get text embeddings" (API limits). */
function mostInstances(model: string): number {
  return model.startsWith('gemini-embedding-') ? 1 : 250;
}

/**
 * Embeddings of Vertex AI, which has them in other forms than the Gemini API: most models by `:predict`, one instance a text.
 *
 * Sources: Vertex AI reference (text embeddings API, `TextEmbeddingPredictionParams`), `@google/genai`; recorded traffic.
 */
export const vertexPredictions: UpstreamEmbeddings = {
  encodeRequest: (request, model) => {
    const { texts, ofText, ofCall, dropped } = readRequest(request, mostInstances(model));
    const options = Object.entries(ofText).map(([key, value]) => [TEXT_OPTIONS.get(key) ?? key, value]);
    const instances = texts.map((content) => ({ content, ...Object.fromEntries(options) }));
    return { body: { instances, ...(isEmpty(ofCall) ? {} : { parameters: ofCall }) }, dropped };
  },
  decodeResponse: (body, request) => {
    const predictions = isObject(body) && Array.isArray(body['predictions']) ? body['predictions'] : [];
    const found = predictions.map((one) => (isObject(one) ? one['embeddings'] : undefined));
    return readAnswer(found, found.map(tokensOf), request);
  },
};

/** Newer models have them by `:embedContent`, of one text a call. Sources as above. */
export const vertexContents: UpstreamEmbeddings = {
  encodeRequest: (request) => {
    const { texts, ofText, ofCall, dropped } = readRequest(request, 1);
    const [text = ''] = texts;
    const config = { ...ofText, ...ofCall };
    const content = { parts: [{ text }] };
    return { body: { content, ...(isEmpty(config) ? {} : { embedContentConfig: config }) }, dropped };
  },
  decodeResponse: (body, request) => {
    const { embedding, usageMetadata } = isObject(body) ? body : {};
    const tokens = isObject(usageMetadata) ? usageMetadata['promptTokenCount'] : undefined;
    return readAnswer([embedding], [tokens], request);
  },
};

/** Options that a caller of Gemini's dialect may name: those of a text, with their words in `:predict`, and of the call. */
const TEXT_OPTIONS = new Map([
  ['taskType', 'task_type'],
  ['title', 'title'],
]);
const CALL_OPTIONS = new Set(['autoTruncate']);

function readRequest(request: EmbeddingRequest, most: number) {
  const { dimensions, endUser, extra } = request;
  const own = Object.entries(ownFields(extra));
  const ofText = Object.fromEntries(own.filter(([key]) => TEXT_OPTIONS.has(key)));
  const ofCall = Object.fromEntries(own.filter(([key]) => CALL_OPTIONS.has(key)));
  const dropped = Object.keys(extra?.fields ?? {}).filter(
    (key) => !(Object.hasOwn(ofText, key) || Object.hasOwn(ofCall, key)),
  );
  return {
    texts: readTexts(request, most),
    ofText,
    ofCall: defined({ outputDimensionality: dimensions, ...ofCall }),
    dropped: [...(endUser === undefined ? [] : ['user']), ...dropped],
  };
}

function readAnswer(
  found: readonly (JsonValue | undefined)[],
  counts: readonly (JsonValue | undefined)[],
  request: EmbeddingRequest,
): Embeddings {
  const vectors = found.map((one) => (isObject(one) ? one['values'] : undefined)).filter(isVector);
  if (vectors.length !== request.inputs.length) {
    throw new GatewayError(
      'upstream_unavailable',
      `The provider answered with ${vectors.length} of the ${request.inputs.length} embeddings that were asked for.`,
    );
  }
  return defined({ model: request.model, vectors, usage: embeddingUsage(counts) });
}

function tokensOf(embeddings: JsonValue | undefined): JsonValue | undefined {
  const statistics = isObject(embeddings) ? embeddings['statistics'] : undefined;
  return isObject(statistics) ? statistics['token_count'] : undefined;
}

function isEmpty(fields: object): boolean {
  return Object.keys(fields).length === 0;
}
