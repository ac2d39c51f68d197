import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { isObject } from '../../../src/conversation/json.ts';
import { countTokens } from '../fake-model.ts';
import { toBase64, vectorOf } from '../fake-vectors.ts';
import { badParameter, modelNotFound, openAiError } from './errors.ts';
import { EMBEDDING_MODELS } from './models.ts';
import { EMBEDDINGS_REQUEST } from './request-shape.ts';
import { refuseViolations } from './violations.ts';

/** Of a request; of one input, for every model; of all inputs together. Source: API reference, "Create embeddings", `input`. */
const MAX_INPUTS = 2048;
const MAX_INPUT_TOKENS = 8192;
const MAX_REQUEST_TOKENS = 300_000;

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
  if (inputs.length > MAX_INPUTS) throw invalidInput();
  refuseTooMuch(Math.max(...inputs.map((input) => input.tokens)), tokens);
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
  throw invalidInput();
}

function invalidInput(): Error {
  return badParameter(
    "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference.",
    null,
  );
}

/** The words: langchain-ai/langchain#31227, sbintuitions/JMTEB#15, assafelovic/gpt-researcher#1500. */
function refuseTooMuch(longest: number, all: number): void {
  if (longest > MAX_INPUT_TOKENS) {
    throw badParameter(
      `This model's maximum context length is ${MAX_INPUT_TOKENS} tokens, however you requested ${longest} tokens (${longest} in your prompt; 0 for the completion). Please reduce your prompt; or completion length.`,
      null,
    );
  }
  if (all > MAX_REQUEST_TOKENS) {
    const kind = 'max_tokens_per_request';
    throw openAiError(400, `Requested ${all} tokens, max ${MAX_REQUEST_TOKENS} tokens per request`, {
      type: kind,
      code: kind,
    });
  }
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
