import assert from 'node:assert/strict';
import { APIError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from 'openai';
import type { Failure } from '../door-client.ts';

/** What OpenAI's SDK raises for a status. */
const RAISED: Record<number, new (...args: never[]) => APIError> = {
  400: BadRequestError,
  404: NotFoundError,
  429: RateLimitError,
  502: InternalServerError,
  504: InternalServerError,
};

export function readOpenAiFailure(error: unknown): Failure {
  assert.ok(error instanceof APIError, String(error));
  const { status, headers } = error;
  if (status !== undefined) {
    const raised = RAISED[status] ?? APIError;
    assert.ok(error instanceof raised, `${status} raises ${raised.name}`);
    assert.match(error.requestID ?? '', /^req_/);
  }
  return { status, message: error.message, retryAfter: headers?.get('retry-after') ?? undefined };
}
