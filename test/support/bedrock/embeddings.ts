import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { jsonReply, type Reply } from '../fake-reply.ts';
import { vectorOf } from '../fake-vectors.ts';
import { invalid } from './errors.ts';

/** Each model has its own words, and refuses others. Sources: Bedrock user guide; recorded traffic. */
const MODELS: [model: RegExp, fields: string[], answer: (body: JsonObject) => Reply][] = [
  [/^amazon\.titan-embed-text-v1$/, ['inputText'], (body) => titan(body, 8)],
  [
    /^amazon\.titan-embed-text-v2:0$/,
    ['inputText', 'dimensions', 'normalize', 'embeddingTypes'],
    (body) => titan(body, Number(body['dimensions'] ?? 1024)),
  ],
  [
    /^cohere\.embed-(english|multilingual)-v3$/,
    ['texts', 'input_type', 'truncate', 'embedding_types', 'images'],
    (body) => cohere(body, (vectors) => ({ embeddings: vectors, response_type: 'embeddings_floats' }), 1024),
  ],
  [
    /^(us\.)?cohere\.embed-v4:0$/,
    ['texts', 'input_type', 'truncate', 'embedding_types', 'output_dimension', 'max_tokens'],
    (body) =>
      cohere(
        body,
        (vectors) => ({ embeddings: { float: vectors }, response_type: 'embeddings_by_type' }),
        Number(body['output_dimension'] ?? 1536),
      ),
  ],
];

export function answerEmbedding(body: JsonObject, model: string): Reply {
  const [, fields, answer] = MODELS.find(([pattern]) => pattern.test(model)) ?? [];
  if (!fields || !answer) throw invalid('The provided model identifier is invalid.');
  const unknown = Object.keys(body).find((key) => !fields.includes(key));
  if (unknown !== undefined) {
    throw invalid(
      `Malformed input request: #: extraneous key [${unknown}] is not permitted, please reformat your input and try again.`,
    );
  }
  return answer(body);
}

function titan({ inputText }: JsonObject, dimensions: number): Reply {
  if (typeof inputText !== 'string' || inputText === '') {
    throw invalid(
      'Malformed input request: expected minLength: 1, actual: 0, please reformat your input and try again.',
    );
  }
  return jsonReply(
    { embedding: vectorOf(inputText, dimensions), inputTextTokenCount: inputText.split(' ').length },
    {},
  );
}

const INPUT_TYPES: readonly (JsonValue | undefined)[] = [
  'search_document',
  'search_query',
  'classification',
  'clustering',
];

function cohere(
  { texts, input_type: type }: JsonObject,
  write: (vectors: number[][]) => JsonObject,
  dimensions: number,
): Reply {
  if (!INPUT_TYPES.includes(type)) throw invalid('invalid request: valid input_type must be provided');
  if (!Array.isArray(texts) || texts.length > 96)
    throw invalid('invalid request: texts must hold at most 96 texts');
  const vectors = texts.map((text) => vectorOf(String(text), dimensions));
  return jsonReply({ id: 'x', texts, ...write(vectors) }, {}, { 'X-Amzn-Bedrock-Input-Token-Count': '7' });
}
