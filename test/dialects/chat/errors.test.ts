import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError } from 'openai';
import {
  ERROR_KINDS,
  type ErrorKind,
  GatewayError,
  invalidRequest,
} from '../../../src/conversation/gateway-error.ts';
import type { JsonValue } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import type { UpstreamFailure } from '../../../src/dialects/dialect.ts';

const READ: [what: string, status: number, body: JsonValue, failure: UpstreamFailure][] = [
  [
    "OpenAI's object",
    400,
    { error: { message: 'Bad', type: 'invalid_request_error', param: 'n', code: 'invalid_value' } },
    { message: 'Bad', code: 'invalid_value', param: 'n' },
  ],
  ['a null code', 400, { error: { message: 'Bad', type: 'x', code: null } }, { message: 'Bad', code: 'x' }],
  ['a numeric code', 400, { error: { message: 'Bad', code: 400 } }, { message: 'Bad', code: '400' }],
  ['an error text', 500, { error: 'Broken' }, { message: 'Broken' }],
  ['a plain text', 502, ' upstream connect error ', { message: 'upstream connect error' }],
  [
    'a page',
    502,
    '<html><title>Bad gateway</title>',
    { message: 'HTTP 502 with a web page instead of an API answer' },
  ],
  ['nothing', 503, '', { message: 'HTTP 503 without a body' }],
  ['an empty object', 500, {}, { message: 'HTTP 500 without a message' }],
  ['null', 500, null, { message: 'HTTP 500 without a message' }],
  ['an empty list', 500, [], { message: 'HTTP 500 without a message' }],
  [
    "OpenRouter's headers within",
    429,
    { error: { message: 'Slow', code: 429, metadata: { headers: { 'X-RateLimit-Remaining': '0' } } } },
    { message: 'Slow', code: '429', headers: { 'x-ratelimit-remaining': '0' } },
  ],
  [
    "a list around it, with Google's retry delay",
    429,
    [
      {
        error: {
          code: 429,
          message: 'Quota',
          status: 'RESOURCE_EXHAUSTED',
          details: [{ retryDelay: '1.5s' }],
        },
      },
    ],
    { message: 'Quota', code: '429', retryAfterMs: 1500 },
  ],
  [
    "vLLM's",
    404,
    { object: 'error', message: 'No such model', type: 'NotFoundError', param: null, code: 404 },
    { message: 'No such model', code: '404' },
  ],
  ["FastAPI's text", 401, { detail: 'Unauthorized' }, { message: 'Unauthorized' }],
  [
    "FastAPI's list",
    422,
    { detail: [{ type: 'missing', loc: ['body', 'model'], msg: 'Field required' }] },
    { message: 'body.model: Field required' },
  ],
  [
    "Mistral's list",
    422,
    {
      object: 'error',
      message: { detail: [{ loc: ['body', 'n'], msg: 'Extra input' }] },
      type: 'invalid_request_error',
    },
    { message: 'body.n: Extra input', code: 'invalid_request_error' },
  ],
  [
    "OpenRouter's, with the provider's own words",
    429,
    {
      error: {
        message: 'Provider returned error',
        code: 429,
        metadata: { raw: 'Slow down', provider_name: 'x' },
      },
    },
    { message: 'Provider returned error: Slow down', code: '429' },
  ],
  [
    'a refused key that comes as a 400',
    400,
    { error: { message: 'Bad key', code: 'invalid_api_key' } },
    { message: 'Bad key', code: 'invalid_api_key', credentialRejected: true },
  ],
];

for (const [what, status, body, failure] of READ) {
  test(`an error is read: ${what}`, () => {
    assert.deepEqual(chat.decodeError(status, body), failure);
  });
}

test('a long message is cut', () => {
  assert.ok(chat.decodeError(500, 'x'.repeat(100_000)).message.length < 2100);
});

const WRITTEN: [kind: ErrorKind, type: string, code: string | null][] = [
  ['invalid_request', 'invalid_request_error', null],
  ['unauthenticated', 'invalid_request_error', 'invalid_api_key'],
  ['not_found', 'invalid_request_error', 'not_found'],
  ['rate_limited', 'requests', 'rate_limit_exceeded'],
  ['budget_exceeded', 'insufficient_quota', 'insufficient_quota'],
  ['upstream_unavailable', 'server_error', 'upstream_unavailable'],
];

for (const [kind, type, code] of WRITTEN) {
  test(`${kind} is written as type '${type}' and code '${code}'`, () => {
    assert.deepEqual(chat.encodeError(new GatewayError(kind, 'Words')), {
      error: { message: 'Words', type, param: null, code },
    });
  });
}

test('a parameter and a code of its own are said', () => {
  assert.deepEqual(chat.encodeError(invalidRequest('Bad', 'messages[0].role', 'invalid_value')), {
    error: {
      message: 'Bad',
      type: 'invalid_request_error',
      param: 'messages[0].role',
      code: 'invalid_value',
    },
  });
});

test("every kind of error is one that OpenAI's SDK raises with its message, code and type", () => {
  for (const kind of Object.keys(ERROR_KINDS) as ErrorKind[]) {
    const body = chat.encodeError(new GatewayError(kind, 'Words'));
    const raised = APIError.generate(ERROR_KINDS[kind], body, undefined, new Headers());
    assert.ok(raised.message.endsWith('Words'));
    assert.equal(typeof raised.type, 'string');
    const again = chat.decodeError(ERROR_KINDS[kind], body as JsonValue);
    assert.equal(again.message, 'Words');
  }
});
