import type { JsonObject } from '../../../src/conversation/json.ts';
import type { Disruption } from '../fake-script.ts';
import { Refusal } from '../refusal.ts';

const REQUEST_ID = 'req_fake';

/** An error as Anthropic words it: `{ type: "error", error: { type, message, details }, request_id }`. */
export function anthropicError(
  status: number,
  type: string,
  message: string,
  headers: Record<string, string> = {},
  details?: JsonObject,
): Refusal {
  const error = { type, message, ...(details && { details }) };
  const body = { type: 'error', error, request_id: REQUEST_ID };
  return new Refusal(status, message, body, { 'request-id': REQUEST_ID, ...headers });
}

export function invalid(message: string): Refusal {
  return anthropicError(400, 'invalid_request_error', message);
}

/** What `fail N` answers; types from the API reference, "Errors". */
const FAILURES: Readonly<Record<number, [type: string, message: string]>> = {
  400: ['invalid_request_error', 'The request could not be understood.'],
  401: ['authentication_error', 'invalid x-api-key'],
  402: ['billing_error', 'Your account has a billing problem.'],
  403: ['permission_error', 'Your API key does not have permission to use the specified resource.'],
  404: ['not_found_error', 'model: the-model'],
  413: ['request_too_large', 'Request exceeds the maximum size'],
  429: [
    'rate_limit_error',
    "This request would exceed your organization's rate limit of 50 requests per minute.",
  ],
  500: ['api_error', 'Internal server error'],
  502: ['api_error', 'Bad gateway'],
  503: ['api_error', 'Service unavailable'],
  504: ['timeout_error', 'Gateway timeout'],
  529: ['overloaded_error', 'Overloaded'],
};

const SPECIAL_FAILURES: Readonly<
  Record<NonNullable<Disruption['failure']>, [type: string, message: string]>
> = {
  // An empty balance is a 400 here, whatever status the script names.
  quota: [
    'invalid_request_error',
    'Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.',
  ],
  context: ['invalid_request_error', 'prompt is too long: 204308 tokens > 200000 maximum'],
  policy: ['invalid_request_error', 'Output blocked by content filtering policy'],
};

export function throwFailure({ fail, failure }: Disruption): void {
  if (fail === undefined) return;
  const [type, message] = (failure ? SPECIAL_FAILURES[failure] : FAILURES[fail]) ?? [
    'api_error',
    `Failed with ${fail}.`,
  ];
  const status = failure ? 400 : fail;
  throw anthropicError(status, type, message, status === 429 ? { 'retry-after': '1' } : {});
}

/** The `error` event that ends a stream. */
export const STREAM_ERROR: JsonObject = {
  type: 'error',
  error: { type: 'overloaded_error', message: 'Overloaded' },
  request_id: REQUEST_ID,
};
