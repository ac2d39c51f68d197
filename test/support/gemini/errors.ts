import type { JsonObject } from '../../../src/conversation/json.ts';
import type { Disruption } from '../fake-script.ts';
import { Refusal } from '../refusal.ts';

/** An error as Google words it: `{ error: { code, message, status, details? } }`. */
export function googleError(code: number, status: string, message: string, details?: JsonObject[]): Refusal {
  const error: JsonObject = { code, message, status };
  if (details) error['details'] = details;
  return new Refusal(code, message, { error });
}

export function invalidArgument(message: string, details?: JsonObject[]): Refusal {
  return googleError(400, 'INVALID_ARGUMENT', message, details);
}

/** `* GenerateContentRequest.contents: contents is not specified` */
export function invalidField(path: string, problem: string): Refusal {
  return invalidArgument(`* GenerateContentRequest.${path}: ${problem}\n`);
}

const RETRY_INFO: JsonObject = {
  '@type': 'type.googleapis.com/google.rpc.RetryInfo',
  retryDelay: '1s',
};
const QUOTA =
  'You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.';

/** What `fail N` answers: the troubleshooting guide's table. There is no 529 here; "overloaded" is 503. */
const FAILURES: Readonly<Record<number, () => Refusal>> = {
  400: () => invalidArgument('Request contains an invalid argument.'),
  401: () =>
    googleError(
      401,
      'UNAUTHENTICATED',
      'Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.',
    ),
  403: () => googleError(403, 'PERMISSION_DENIED', 'The caller does not have permission'),
  404: () => googleError(404, 'NOT_FOUND', 'Requested entity was not found.'),
  429: () => googleError(429, 'RESOURCE_EXHAUSTED', QUOTA, [RETRY_INFO]),
  499: () => googleError(499, 'CANCELLED', 'The operation was cancelled.'),
  500: () =>
    googleError(
      500,
      'INTERNAL',
      'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting',
    ),
  503: overloaded,
  504: () => googleError(504, 'DEADLINE_EXCEEDED', 'Deadline expired before operation could complete.'),
  529: overloaded,
};

const SPECIAL_FAILURES: Readonly<Record<NonNullable<Disruption['failure']>, () => Refusal>> = {
  // Without RetryInfo: it lasts until the day is over.
  quota: () => googleError(429, 'RESOURCE_EXHAUSTED', QUOTA),
  context: () =>
    invalidArgument(
      'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
    ),
  policy: () => invalidArgument('Your request was blocked by policy.'),
};

function overloaded(): Refusal {
  return googleError(503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.');
}

export function throwFailure({ fail, failure }: Disruption): void {
  if (fail === undefined) return;
  const make = failure ? SPECIAL_FAILURES[failure] : FAILURES[fail];
  throw make ? make() : googleError(fail, 'UNKNOWN', `Failed with ${fail}.`);
}

/** A stream that fails after the 200 brings the error as one more event. */
export const STREAM_ERROR: JsonObject = overloaded().body;

/** Recorded. */
export function modelNotFound(model: string, method: string): Refusal {
  return googleError(
    404,
    'NOT_FOUND',
    `models/${model} is not found for API version v1beta, or is not supported for ${method}. Call ListModels to see the list of available models and their supported methods.`,
  );
}
