import type { JsonObject } from '../../../src/conversation/json.ts';
import type { Disruption } from '../fake-script.ts';
import { Refusal } from '../refusal.ts';

/** An error as Bedrock words it: the type in a header, `{ message }` in the body (recorded). */
export function bedrockError(status: number, type: string, message: string): Refusal {
  const headers = {
    'x-amzn-errortype': `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    'x-amzn-requestid': '00000000-0000-4000-8000-000000000000',
  };
  return new Refusal(status, message, { message }, headers);
}

export function invalid(message: string): Refusal {
  return bedrockError(400, 'ValidationException', message);
}

/** What the model behind the API says, passed on (recorded). */
export function modelError(message: string): Refusal {
  return invalid(`The model returned the following errors: ${message}`);
}

/** What has another status here: its word for a time-out, and for being overloaded. */
const MEANT: Readonly<Record<number, number>> = { 504: 408, 529: 503 };

/** What `fail N` answers; types and statuses from the API reference, "Errors" of `Converse`. */
const FAILURES: Readonly<Record<number, [type: string, message: string]>> = {
  400: ['ValidationException', 'The request could not be understood.'],
  403: ['AccessDeniedException', "You don't have access to the model with the specified model ID."],
  404: ['ResourceNotFoundException', 'Could not find the specified resource.'],
  408: ['ModelTimeoutException', 'The model took too long to answer.'],
  424: ['ModelErrorException', 'The model failed to process the request.'],
  429: ['ThrottlingException', 'Too many requests, please wait before trying again.'],
  500: ['InternalServerException', 'The system encountered an unexpected error during processing.'],
  503: ['ServiceUnavailableException', 'Bedrock is unable to process your request.'],
};

const SPECIAL_FAILURES: Readonly<
  Record<NonNullable<Disruption['failure']>, [status: number, type: string, message: string]>
> = {
  quota: [400, 'ServiceQuotaExceededException', 'Too many tokens per day, please wait before trying again.'],
  context: [400, 'ValidationException', 'Input is too long for requested model.'],
  policy: [
    400,
    'ValidationException',
    'The model returned the following errors: Output blocked by content filtering policy',
  ],
};

export function throwFailure({ fail, failure }: Disruption): void {
  if (fail === undefined) return;
  if (failure) throw bedrockError(...SPECIAL_FAILURES[failure]);
  const status = MEANT[fail] ?? fail;
  const [type, message] = FAILURES[status] ?? ['InternalFailure', `Failed with ${status}.`];
  throw bedrockError(status, type, message);
}

/** The exception that ends a stream. */
export const STREAM_EXCEPTION: { type: string; body: JsonObject } = {
  type: 'serviceUnavailableException',
  body: { message: 'Bedrock is unable to process your request.' },
};
