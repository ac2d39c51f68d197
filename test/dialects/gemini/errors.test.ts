import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ERROR_KINDS, type ErrorKind, GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonValue } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';

const TYPE = 'type.googleapis.com/google.rpc';

describe('an error of the provider', () => {
  const limit = {
    error: {
      code: 429,
      message: 'Quota exceeded.',
      status: 'RESOURCE_EXHAUSTED',
      details: [
        { '@type': `${TYPE}.QuotaFailure`, violations: [] },
        { '@type': `${TYPE}.RetryInfo`, retryDelay: '34.4s' },
      ],
    },
  };
  const badKey = {
    error: {
      code: 400,
      message: 'API key not valid. Please pass a valid API key.',
      status: 'INVALID_ARGUMENT',
      details: [{ '@type': `${TYPE}.ErrorInfo`, reason: 'API_KEY_INVALID', domain: 'googleapis.com' }],
    },
  };
  const badField = {
    error: {
      code: 400,
      message: 'Bad.',
      status: 'INVALID_ARGUMENT',
      details: [
        { '@type': `${TYPE}.BadRequest`, fieldViolations: [{ field: 'contents[0].role', description: 'x' }] },
      ],
    },
  };
  const cases: [string, number, JsonValue | string, unknown][] = [
    [
      'with a delay',
      429,
      limit,
      { message: 'Quota exceeded.', code: 'RESOURCE_EXHAUSTED', retryAfterMs: 34_400 },
    ],
    [
      'in a list',
      429,
      [limit],
      { message: 'Quota exceeded.', code: 'RESOURCE_EXHAUSTED', retryAfterMs: 34_400 },
    ],
    [
      'about a key, though it says 400',
      400,
      badKey,
      { message: badKey.error.message, code: 'API_KEY_INVALID', credentialRejected: true },
    ],
    [
      'about a field',
      400,
      badField,
      { message: 'Bad.', code: 'INVALID_ARGUMENT', param: 'contents[0].role' },
    ],
    [
      'as a page',
      502,
      '<html><head><title>502 Bad Gateway</title></head></html>',
      { message: '502 Bad Gateway' },
    ],
    ['as text', 500, ' upstream connect error ', { message: 'upstream connect error' }],
    ['as nothing', 503, '', { message: 'The provider answered with status 503.' }],
    [
      'as other JSON',
      401,
      { detail: 'x' },
      { message: 'The provider answered with status 401.', credentialRejected: true },
    ],
    [
      'that names our key',
      403,
      {
        error: {
          message: "Consumer 'api_key:AIzaSyD-abc_123' has been suspended.",
          status: 'PERMISSION_DENIED',
        },
      },
      {
        message: "Consumer 'api_key:…' has been suspended.",
        code: 'PERMISSION_DENIED',
        permissionDenied: true,
      },
    ],
  ];
  for (const [name, status, body, failure] of cases) {
    test(name, () => assert.deepEqual(gemini.decodeError(status, body), failure));
  }
});

describe('an error to a client', () => {
  test('has a status word for every kind', () => {
    for (const kind of Object.keys(ERROR_KINDS) as ErrorKind[]) {
      const { error } = gemini.encodeError(new GatewayError(kind, 'm')) as {
        error: { code: number; status: string };
      };
      assert.equal(error.code, ERROR_KINDS[kind]);
      assert.match(error.status, /^[A-Z_]+$/);
    }
  });

  test('says all that it knows, so that it can be read again', () => {
    const error = new GatewayError('rate_limited', 'Slow down.', {
      code: 'rpm',
      param: 'contents',
      retryAfterMs: 1500,
    });
    const body = gemini.encodeError(error);
    assert.deepEqual(body, {
      error: {
        code: 429,
        message: 'Slow down.',
        status: 'RESOURCE_EXHAUSTED',
        details: [
          { '@type': `${TYPE}.ErrorInfo`, reason: 'rpm' },
          {
            '@type': `${TYPE}.BadRequest`,
            fieldViolations: [{ field: 'contents', description: 'Slow down.' }],
          },
          { '@type': `${TYPE}.RetryInfo`, retryDelay: '1.5s' },
        ],
      },
    });
    assert.deepEqual(gemini.decodeError(429, body), {
      message: 'Slow down.',
      code: 'rpm',
      param: 'contents',
      retryAfterMs: 1500,
    });
  });
});

test('an error of Google’s keeps its own word at Google’s door, which is no reason beside it', () => {
  const told = (code: string, status: number) =>
    gemini.encodeError(new GatewayError('upstream_rejected', 'No.', { code, status }));
  assert.deepEqual(told('FAILED_PRECONDITION', 400), {
    error: { code: 400, message: 'No.', status: 'FAILED_PRECONDITION' },
  });
  assert.deepEqual(told('INVALID_ARGUMENT', 400), {
    error: { code: 400, message: 'No.', status: 'INVALID_ARGUMENT' },
  });
  assert.deepEqual(told('odd', 400), {
    error: {
      code: 400,
      message: 'No.',
      status: 'INVALID_ARGUMENT',
      details: [{ '@type': `${TYPE}.ErrorInfo`, reason: 'odd' }],
    },
  });
});
