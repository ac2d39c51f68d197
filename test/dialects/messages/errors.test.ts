import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Choice } from '../../../src/conversation/completion.ts';
import { type ErrorDetails, type ErrorKind, GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonValue } from '../../../src/conversation/json.ts';
import type { UpstreamFailure } from '../../../src/dialects/dialect.ts';
import { messages } from '../../../src/dialects/messages/index.ts';

const READ: [name: string, status: number, body: JsonValue, failure: UpstreamFailure][] = [
  [
    'an error of the API',
    400,
    {
      type: 'error',
      error: { type: 'invalid_request_error', message: 'max_tokens: too large' },
      request_id: 'r',
    },
    { message: 'max_tokens: too large', code: 'invalid_request_error' },
  ],
  [
    'an error with a code of its own',
    400,
    {
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message: 'Too big',
        details: { error_code: 'image_dimensions_too_large' },
      },
    },
    {
      message: 'Too big',
      type: 'invalid_request_error',
      code: 'image_dimensions_too_large',
      details: { error_code: 'image_dimensions_too_large' },
    },
  ],
  [
    'an error with details and no code in them',
    400,
    { type: 'error', error: { type: 'invalid_request_error', message: 'No', details: { a: 1 } } },
    { message: 'No', code: 'invalid_request_error', details: { a: 1 } },
  ],
  [
    'an error whose details are null, as they mostly are',
    400,
    { type: 'error', error: { type: 'invalid_request_error', message: 'No', details: null } },
    { message: 'No', code: 'invalid_request_error' },
  ],
  [
    'a refused key',
    401,
    { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } },
    { message: 'invalid x-api-key', code: 'authentication_error', credentialRejected: true },
  ],
  ['a cloud’s error', 403, { message: 'Access denied' }, { message: 'Access denied' }],
  ['an error that is a text', 500, { error: 'no' }, { message: 'no' }],
  ['a text', 502, 'Bad gateway', { message: 'Bad gateway' }],
  [
    'a web page',
    502,
    '<html><head><title>502 Bad Gateway</title></head></html>',
    { message: 'The provider answered with status 502 and a web page ("502 Bad Gateway").' },
  ],
  ['nothing', 503, '', { message: 'The provider answered with status 503 and no explanation.' }],
  ['null', 503, null, { message: 'The provider answered with status 503 and no explanation.' }],
  ['a list', 503, [1], { message: 'The provider answered with status 503 and no explanation.' }],
];
for (const [name, status, body, failure] of READ) {
  test(`${name} is read`, () => assert.deepEqual(messages.decodeError(status, body), failure));
}

test('a long text is cut', () => {
  assert.equal(messages.decodeError(500, 'x'.repeat(5000)).message.length, 300);
});

const WRITTEN: Record<ErrorKind, string> = {
  invalid_request: 'invalid_request_error',
  unauthenticated: 'authentication_error',
  forbidden: 'permission_error',
  not_found: 'not_found_error',
  payload_too_large: 'request_too_large',
  rate_limited: 'rate_limit_error',
  budget_exceeded: 'billing_error',
  upstream_rejected: 'invalid_request_error',
  upstream_rate_limited: 'rate_limit_error',
  upstream_unavailable: 'api_error',
  upstream_timeout: 'timeout_error',
  overloaded: 'overloaded_error',
  cancelled: 'api_error',
  internal: 'api_error',
};
const OF_PROVIDERS: [kind: ErrorKind, details: ErrorDetails, type: string, status: number][] = [
  ['upstream_rejected', { status: 400 }, 'invalid_request_error', 400],
  ['upstream_rejected', { status: 403, code: 'content_policy' }, 'permission_error', 403],
  ['upstream_rejected', { status: 404, code: 'not_found_error' }, 'not_found_error', 404],
  ['upstream_rejected', { status: 404, code: 'model_not_found' }, 'not_found_error', 404],
  ['upstream_rejected', { status: 413 }, 'request_too_large', 413],
  ['upstream_rejected', { status: 422 }, 'invalid_request_error', 422],
  ['upstream_unavailable', { code: 'overloaded_error' }, 'overloaded_error', 529],
  [
    'upstream_unavailable',
    { type: 'overloaded_error', code: 'compaction_unavailable' },
    'overloaded_error',
    529,
  ],
  [
    'upstream_rejected',
    { status: 404, type: 'not_found_error', code: 'file_expired' },
    'not_found_error',
    404,
  ],
  ['upstream_unavailable', { code: 'upstream_credentials_rejected' }, 'api_error', 502],
];
for (const [kind, details, type, status] of OF_PROVIDERS) {
  test(`a provider's ${JSON.stringify(details)} is an ${type} with ${status}`, () => {
    const error = new GatewayError(kind, 'Words.', details);
    assert.deepEqual(messages.encodeError(error), { type: 'error', error: { type, message: 'Words.' } });
    assert.equal(messages.errorStatus?.(error) ?? error.status, status);
  });
}

test('too many calls are a 529 as at Anthropic; what another instance may do is a 503', () => {
  for (const [code, status] of [
    ['model_overloaded', 529],
    ['gateway_overloaded', 529],
    ['quota_state_lost', 503],
    [undefined, 503],
  ] as const) {
    const error = new GatewayError('overloaded', 'Words.', code === undefined ? {} : { code });
    assert.equal(messages.errorStatus?.(error), status);
  }
});

test('an error that came in a stream has the status of its type', () => {
  for (const [type, status] of [
    ['not_found_error', 404],
    ['request_too_large', 413],
    ['invalid_request_error', 400],
    ['overloaded_error', 529],
  ] as const) {
    const body = { type: 'error', error: { type, message: 'Words.' } };
    const [event] = messages.streamDecoder().push({ data: JSON.stringify(body) });
    assert.ok(event?.type === 'error');
    assert.equal(messages.errorStatus?.(event.error), status);
    assert.deepEqual(messages.encodeError(event.error), body);
  }
});

for (const [kind, type] of Object.entries(WRITTEN)) {
  test(`our error '${kind}' is an ${type}`, () => {
    const error = new GatewayError(kind as ErrorKind, 'Words.');
    assert.deepEqual(messages.encodeError(error), { type: 'error', error: { type, message: 'Words.' } });
  });
}

test('an answer that refuses says so as its reason, whole or streamed', () => {
  const refusal: Choice = { index: 0, parts: [{ type: 'refusal', text: 'No.' }], finish: 'stop' };
  const completion = { id: 'm', model: 'x', choices: [refusal] };
  assert.equal(messages.encodeResponse(completion)['stop_reason'], 'refusal');
  const encoder = messages.streamEncoder({ includeUsage: false });
  const text = [...completionEvents(completion)].map((event) => encoder.push(event)).join('');
  assert.match(text, /"stop_reason":"refusal"/);
});
