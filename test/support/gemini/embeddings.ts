import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { countTokens } from '../fake-model.ts';
import { vectorOf } from '../fake-vectors.ts';
import { objectsOf } from '../values.ts';
import { invalidArgument, modelNotFound } from './errors.ts';
import { GEMINI_EMBEDDING_MODELS } from './models.ts';
import { BATCH_EMBED_REQUEST, EMBED_REQUEST } from './request-shape.ts';
import { checkShape } from './rules.ts';

/** `:embedContent` */
export function answerEmbed(body: JsonValue | undefined, model: string): JsonObject {
  const request = checkShape(body, EMBED_REQUEST);
  return { embedding: { values: embed(request, model, 'EmbedContentRequest') } };
}

/** `:batchEmbedContents` */
export function answerBatchEmbed(body: JsonValue | undefined, model: string): JsonObject {
  const requests = objectsOf(checkShape(body, BATCH_EMBED_REQUEST)['requests']);
  if (requests.length === 0) {
    throw invalidArgument('* BatchEmbedContentsRequest.requests: requests is not specified\n');
  }
  if (requests.length > 100) {
    throw invalidArgument('* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n');
  }
  const vectors = requests.map((request, index) => {
    const place = `BatchEmbedContentsRequest.requests[${index}]`;
    if (request['model'] !== `models/${model}`) {
      throw invalidArgument(`* ${place}.model: must match the model of the batch, models/${model}\n`);
    }
    return { values: embed(request, model, place) };
  });
  const answer: JsonObject = { embeddings: vectors };
  // Recorded: only the second generation counts.
  if (model.startsWith('gemini-embedding-2')) {
    const tokens = requests.reduce((total, request) => total + countTokens(textOf(request)), 0);
    answer['usageMetadata'] = {
      promptTokenCount: tokens,
      promptTokenDetails: [{ modality: 'TEXT', tokenCount: tokens }],
    };
  }
  return answer;
}

function embed(request: JsonObject, model: string, place: string): number[] {
  const size = GEMINI_EMBEDDING_MODELS.get(model);
  if (size === undefined) throw modelNotFound(model, 'embedContent');
  const text = textOf(request);
  // webnovel-writer#51
  if (text === '') throw invalidArgument(`* ${place}.content contains an empty Part.\n`);
  const wanted = request['outputDimensionality'];
  const dimensions = typeof wanted === 'number' ? wanted : size;
  if (dimensions < 1 || dimensions > size) {
    throw invalidArgument(`* ${place}.output_dimensionality: must be between 1 and ${size}\n`);
  }
  return vectorOf(text, dimensions);
}

function textOf({ content }: JsonObject): string {
  const parts = isObject(content) ? objectsOf(content['parts']) : [];
  return parts.map((part) => String(part['text'] ?? '')).join('');
}
