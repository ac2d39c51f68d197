import type { EmbeddingRequest, Embeddings } from '../../conversation/embedding.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { EncodedRequest, ResponseHeaders } from '../dialect.ts';
import { embeddingUsage, isVector, readTexts, type UpstreamEmbeddings } from '../embeddings.ts';
import { unsupportedParameter } from '../parameters.ts';

/** What a family of embedding models takes and gives: Bedrock hands each model its own words (`InvokeModel`). */
interface Family {
  models: RegExp;
  /** How many texts it takes a call. */
  mostTexts: number;
  /** The family's own fields, which callers may put beside theirs. */
  own: readonly string[];
  /** Where the dimensions stand; absent: the model has one number of them. */
  dimensions?: string;
  body(texts: string[], fields: JsonObject): JsonObject;
  vectors(answer: JsonObject): (JsonValue | undefined)[];
}

/**
 * Sources: Bedrock user guide ("Amazon Titan Embeddings G1 - Text", "Cohere Embed v3", "Cohere Embed v4", "Amazon Nova
 * Multimodal Embeddings"); recorded traffic.
 */
const FAMILIES: readonly Family[] = [
  {
    models: /\btitan-embed-text-v1\b|\btitan-embed-g1-text\b/,
    mostTexts: 1,
    own: [],
    body: ([inputText = '']) => ({ inputText }),
    vectors: ({ embedding }) => [embedding],
  },
  {
    models: /\btitan-embed-text\b/,
    mostTexts: 1,
    own: ['normalize'],
    dimensions: 'dimensions',
    body: ([inputText = ''], fields) => ({ inputText, ...fields }),
    vectors: ({ embedding }) => [embedding],
  },
  {
    // Vectors of documents and of queries differ: what asks for neither is taken for what is stored.
    models: /\bcohere\.embed-(?:english|multilingual)\b/,
    mostTexts: 96,
    own: ['input_type', 'truncate'],
    body: (texts, fields) => ({ texts, input_type: 'search_document', ...fields }),
    vectors: cohereVectors,
  },
  {
    models: /\bcohere\.embed\b/,
    mostTexts: 96,
    own: ['input_type', 'truncate', 'max_tokens'],
    dimensions: 'output_dimension',
    body: (texts, fields) => ({
      texts,
      input_type: 'search_document',
      embedding_types: ['float'],
      ...fields,
    }),
    vectors: cohereVectors,
  },
  {
    models: /\bnova-[\w-]*embeddings\b/,
    mostTexts: 1,
    own: ['embeddingPurpose'],
    dimensions: 'embeddingDimension',
    body: ([value = ''], fields) => ({
      taskType: 'SINGLE_EMBEDDING',
      singleEmbeddingParams: {
        embeddingPurpose: 'GENERIC_INDEX',
        ...fields,
        text: { value, truncationMode: 'NONE' },
      },
    }),
    vectors: ({ embeddings }) =>
      Array.isArray(embeddings) ? embeddings.map((one) => (isObject(one) ? one['embedding'] : one)) : [],
  },
];

/** With `embedding_types` they stand by their type, which v4 does without being asked, too. */
function cohereVectors({ embeddings }: JsonObject): (JsonValue | undefined)[] {
  const list = isObject(embeddings) ? embeddings['float'] : embeddings;
  return Array.isArray(list) ? list : [];
}

/** `POST /model/ID/invoke` of Bedrock's embedding models. */
export const bedrockEmbeddings: UpstreamEmbeddings = { encodeRequest, decodeResponse };

/** @throws GatewayError `invalid_request` for other models, token ids, and several texts where a model takes one. */
function encodeRequest(request: EmbeddingRequest, model: string): EncodedRequest {
  const family = FAMILIES.find(({ models }) => models.test(model));
  if (!family) {
    throw new GatewayError(
      'invalid_request',
      `The model '${model}' has no embeddings. Name an embedding model, such as amazon.titan-embed-text-v2:0.`,
      {
        param: 'model',
        code: 'unsupported_operation',
      },
    );
  }
  const texts = readTexts(request, family.mostTexts);
  const { dimensions, endUser, extra } = request;
  if (dimensions !== undefined && family.dimensions === undefined) throw unsupportedParameter('dimensions');
  const said = Object.entries(extra?.fields ?? {});
  const own = said.filter(([key]) => family.own.includes(key));
  const fields = Object.fromEntries(own);
  if (dimensions !== undefined && family.dimensions !== undefined) fields[family.dimensions] = dimensions;
  const foreign = said.map(([key]) => key).filter((key) => !family.own.includes(key));
  return {
    body: family.body(texts, fields),
    dropped: [...(endUser === undefined ? [] : ['user']), ...foreign],
  };
}

/** Where the body does not say what was read, a header does. Source: Bedrock user guide ("Monitoring … token usage"). */
const TOKEN_HEADER = 'x-amzn-bedrock-input-token-count';

function decodeResponse(
  body: JsonValue,
  request: EmbeddingRequest,
  headers: ResponseHeaders = {},
): Embeddings {
  const answer = isObject(body) ? body : {};
  // The answer does not name its model, but each family's form is its own.
  const vectors = FAMILIES.map((family) => family.vectors(answer)).find((found) => found.every(isVector));
  if (!vectors?.every(isVector) || vectors.length !== request.inputs.length) {
    throw new GatewayError(
      'upstream_unavailable',
      `The provider answered with something else than the ${request.inputs.length} embeddings that were asked for.`,
    );
  }
  const header = Number(headers[TOKEN_HEADER] ?? Number.NaN);
  const tokens = answer['inputTextTokenCount'] ?? (Number.isNaN(header) ? undefined : header);
  const usage = embeddingUsage([tokens]);
  return { model: request.model, vectors, ...(usage ? { usage } : {}) };
}
