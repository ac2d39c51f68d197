import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { isObject } from '../../../src/conversation/json.ts';
import { countTokens } from '../fake-model.ts';
import { toBase64, vectorOf } from '../fake-vectors.ts';
import { badParameter, modelNotFound } from './errors.ts';
import { EMBEDDING_MODELS } from './models.ts';
import { EMBEDDINGS_REQUEST } from './request-shape.ts';
import { refuseViolations } from './violations.ts';

/** `POST /v1/embeddings`. The same text has the same vector, in a list or alone, as floats or in base64. */
export function answerEmbeddings(body: JsonValue | undefined): JsonObject {
  if (!isObject(body) || typeof body['model'] !== 'string') {
    throw badParameter('you must provide a model parameter', null);
  }
  refuseViolations(body, EMBEDDINGS_REQUEST);
  refuseMixedInput(body['input']);
  const model = EMBEDDING_MODELS.get(body['model']);
  if (!model) throw modelNotFound(body['model']);
  const dimensions = readDimensions(body['dimensions'], model);
  const inputs = readInputs(body['input'] ?? '');
  const tokens = inputs.reduce((total, input) => total + input.tokens, 0);
  return {
    object: 'list',
    data: inputs.map((input, index) => {
      const vector = vectorOf(input.text, dimensions);
      return {
        object: 'embedding',
        index,
        embedding: body['encoding_format'] === 'base64' ? toBase64(vector) : vector,
      };
    }),
    model: body['model'],
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

/** Texts, tokens or lists of tokens: the official SDK has a type for each, none for a mix. The words: openai-php/client#171. */
function refuseMixedInput(input: JsonValue | undefined): void {
  if (!Array.isArray(input) || new Set(input.map((item) => typeof item)).size === 1) return;
  throw badParameter(
    "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
    null,
  );
}

function readDimensions(asked: JsonValue | undefined, model: { size: number; shortens: boolean }): number {
  if (typeof asked !== 'number') return model.size;
  if (!model.shortens) throw badParameter('This model does not support specifying dimensions.', null);
  if (asked > model.size) {
    throw badParameter(
      `Invalid value for 'dimensions' = ${asked}. Must be less than or equal to ${model.size}.`,
      null,
    );
  }
  return asked;
}

/** A string, strings, one text as token ids, or several of those. */
function readInputs(input: JsonValue): { text: string; tokens: number }[] {
  if (typeof input === 'string') return [{ text: input, tokens: countTokens(input) }];
  if (!Array.isArray(input)) return [];
  if (input.every((item) => typeof item === 'number')) return [tokensToInput(input)];
  return input.flatMap((item) => {
    if (typeof item === 'string') return readInputs(item);
    return Array.isArray(item) ? [tokensToInput(item)] : [];
  });
}

function tokensToInput(ids: JsonValue[]): { text: string; tokens: number } {
  return { text: ids.join(' '), tokens: ids.length };
}
