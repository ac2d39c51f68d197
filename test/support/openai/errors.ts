import type { Disruption } from '../fake-script.ts';
import { Refusal } from '../refusal.ts';

interface ErrorFields {
  type: string;
  param: string | null;
  code: string | null;
}

const INVALID_REQUEST: ErrorFields = { type: 'invalid_request_error', param: null, code: null };

/** An error as OpenAI words it: `{ error: { message, type, param, code } }`. */
export function openAiError(
  status: number,
  message: string,
  fields: Partial<ErrorFields> = {},
  headers: Record<string, string> = {},
): Refusal {
  return new Refusal(status, message, { error: { message, ...INVALID_REQUEST, ...fields } }, headers);
}

/** A 400 that names a parameter. */
export function badParameter(message: string, param: string | null, code: string | null = null): Refusal {
  return openAiError(400, message, { param, code });
}

/** `'low', 'medium', and 'high'`. */
export function listWords(words: readonly string[]): string {
  const quoted = words.map((word) => `'${word}'`);
  const last = quoted.pop() ?? '';
  return quoted.length === 0 ? last : `${quoted.join(', ')}, and ${last}`;
}

const SERVER_ERROR: Partial<ErrorFields> = { type: 'server_error' };

/**
 * What `fail N` answers. Messages as in the error guide (platform docs, "Error codes") and in public reports. OpenAI
 * has no 529: the same meaning, "overloaded", is its 503.
 */
const FAILURES: Readonly<Record<number, () => Refusal>> = {
  400: () => openAiError(400, 'The request could not be understood.'),
  401: () =>
    openAiError(
      401,
      'Incorrect API key provided: sk-fake. You can find your API key at https://platform.openai.com/account/api-keys.',
      {
        code: 'invalid_api_key',
      },
    ),
  403: () =>
    openAiError(403, 'Country, region, or territory not supported', {
      type: 'request_forbidden',
      code: 'unsupported_country_region_territory',
    }),
  404: () => modelNotFound('the-model'),
  408: () => openAiError(408, 'Request timed out.', SERVER_ERROR),
  409: () => openAiError(409, 'The resource was updated by another request.'),
  413: () =>
    openAiError(413, 'Maximum content size limit (26214400) exceeded (26214401 bytes read)', SERVER_ERROR),
  429: () =>
    openAiError(
      429,
      'Rate limit reached for gpt-4.1 in organization org-fake on requests per min (RPM): Limit 3, Used 3, Requested 1. Please try again in 1s.',
      { type: 'requests', code: 'rate_limit_exceeded' },
      { 'retry-after': '1', 'retry-after-ms': '1000' },
    ),
  500: () =>
    openAiError(
      500,
      'The server had an error while processing your request. Sorry about that!',
      SERVER_ERROR,
    ),
  502: () => openAiError(502, 'Bad gateway.', SERVER_ERROR),
  503: () => openAiError(503, 'The engine is currently overloaded, please try again later', SERVER_ERROR),
  504: () => openAiError(504, 'The server timed out.', SERVER_ERROR),
  529: () => openAiError(503, 'The engine is currently overloaded, please try again later', SERVER_ERROR),
};

const SPECIAL_FAILURES: Readonly<Record<NonNullable<Disruption['failure']>, () => Refusal>> = {
  // No retry-after: waiting does not help.
  quota: () =>
    openAiError(
      429,
      'You exceeded your current quota, please check your plan and billing details. For more information on this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.',
      {
        type: 'insufficient_quota',
        code: 'insufficient_quota',
      },
    ),
  context: () =>
    badParameter(
      "This model's maximum context length is 128000 tokens. However, your messages resulted in 204308 tokens. Please reduce the length of the messages.",
      'messages',
      'context_length_exceeded',
    ),
  policy: () =>
    badParameter(
      'Invalid prompt: your prompt was flagged as potentially violating our usage policy.',
      null,
      'invalid_prompt',
    ),
};

export function throwFailure({ fail, failure }: Disruption): void {
  if (fail === undefined) return;
  const make = failure ? SPECIAL_FAILURES[failure] : FAILURES[fail];
  throw make ? make() : openAiError(fail, `Failed with ${fail}.`, SERVER_ERROR);
}

/** Sent as a `data:` event when the model fails after the 200. */
export const STREAM_ERROR = {
  error: {
    message: 'The server had an error while processing your request. Sorry about that!',
    type: 'server_error',
    param: null,
    code: null,
  },
};

/** Recorded from the embeddings endpoint. */
export function modelNotFound(model: string): Refusal {
  return openAiError(404, `The model \`${model}\` does not exist or you do not have access to it.`, {
    code: 'model_not_found',
  });
}

/** alvinunreal/tmuxai#82, arbs-io/vscode-openai#358: what Chat Completions says of the Responses API's own models. */
export function responsesOnly(): Refusal {
  const message = 'This model is only supported in v1/responses and not in v1/chat/completions.';
  return openAiError(404, message, { param: 'model' });
}
