import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { EmbeddingRequest } from '../../../src/conversation/embedding.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { isObject } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { chatEmbeddings } from '../../../src/dialects/chat/embeddings.ts';
import { readExchanges, readRecordings, skipWithoutWire } from '../../support/wire.ts';

const { decodeRequest, encodeRequest, decodeResponse, encodeResponse } = chatEmbeddings;

const INPUTS: [wire: JsonValue, inputs: EmbeddingRequest['inputs']][] = [
  ['Hi', ['Hi']],
  [
    ['a', 'b'],
    ['a', 'b'],
  ],
  [[1, 2, 3], [[1, 2, 3]]],
  [
    [[1, 2], [3]],
    [[1, 2], [3]],
  ],
];

for (const [wire, inputs] of INPUTS) {
  test(`input ${JSON.stringify(wire)} is read`, () => {
    assert.deepEqual(decodeRequest({ model: 'm', input: wire }).request, { model: 'm', inputs });
  });
}

const WRONG: [path: string, fields: JsonObject][] = [
  ['model', { model: 1, input: 'x' }],
  ['input', {}],
  ['input', { input: [] }],
  ['input', { input: { text: 'x' } }],
  ['input[1]', { input: [1, 'x'] }],
  ['input[1]', { input: ['x', 1] }],
  ['input[1]', { input: ['x', [1]] }],
  ['input[1]', { input: [[1], 'x'] }],
  ['input[0]', { input: [null, 'x'] }],
  ['input[0][1]', { input: [[1, 'x']] }],
  ['dimensions', { input: 'x', dimensions: '3' }],
  ['encoding_format', { input: 'x', encoding_format: 'int8' }],
  ['user', { input: 'x', user: {} }],
];

for (const [path, fields] of WRONG) {
  test(`an embedding request ${JSON.stringify(fields)} is refused at '${path}'`, () => {
    assert.throws(
      () => decodeRequest({ model: 'm', ...fields }),
      (error) => error instanceof GatewayError && error.kind === 'invalid_request' && error.param === path,
    );
  });
}

test('all that was asked reaches a provider, but the format: that is between the client and the door', () => {
  const wire = {
    model: 'm',
    input: ['a'],
    dimensions: 3,
    user: 'u',
    input_type: 'query',
    encoding_format: 'base64',
  };
  const { request, encodingFormat } = decodeRequest(wire);
  assert.equal(encodingFormat, 'base64');
  const { encoding_format: _, ...rest } = wire;
  assert.deepEqual(encodeRequest(request, 'text-embedding-3-small'), {
    body: { ...rest, model: 'text-embedding-3-small' },
    dropped: [],
  });
});

test('fields that only another dialect knows are dropped and named', () => {
  const extra = { dialect: 'gemini' as const, fields: { taskType: 'QUERY' } };
  assert.deepEqual(encodeRequest({ model: 'm', inputs: ['a'], extra }, 'x'), {
    body: { model: 'x', input: ['a'] },
    dropped: ['taskType'],
  });
});

test('base64 is little-endian float32', () => {
  const { data } = encodeResponse({ model: 'm', vectors: [[1, -2.5]] }, 'base64') as { data: JsonObject[] };
  assert.deepEqual(
    Buffer.from(String(data[0]?.['embedding']), 'base64'),
    Buffer.from('0000803f000020c0', 'hex'),
  );
});

test('property: vectors come back from both formats', () => {
  const vectors = fc.array(
    fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }).map(Math.fround), { minLength: 1 }),
    {
      minLength: 1,
      maxLength: 4,
    },
  );
  fc.assert(
    fc.property(vectors, fc.constantFrom('float' as const, 'base64' as const), (written, format) => {
      const embeddings = { model: 'm', vectors: written, usage: { ...NO_USAGE, input: 5 } };
      const request = { model: 'm', inputs: written.map(() => 'x') };
      assert.deepEqual(decodeResponse(encodeResponse(embeddings, format) as JsonValue, request), embeddings);
    }),
  );
});

test('vectors are put in the order of the inputs', () => {
  const data = [
    { index: 1, embedding: [2] },
    { index: 0, embedding: [1] },
  ];
  assert.deepEqual(decodeResponse({ data }, { model: 'm', inputs: ['a', 'b'] }), {
    model: 'm',
    vectors: [[1], [2]],
  });
});

const NO_ANSWERS: [what: string, body: JsonValue][] = [
  ['nothing', null],
  ['too few', { data: [{ index: 0, embedding: [1] }] }],
  [
    'the same twice',
    {
      data: [
        { index: 0, embedding: [1] },
        { index: 0, embedding: [1] },
      ],
    },
  ],
  ['no numbers', { data: [{ embedding: [1] }, { embedding: ['x'] }] }],
];

for (const [what, body] of NO_ANSWERS) {
  test(`an answer with ${what} is no answer`, () => {
    assert.throws(
      () => decodeResponse(body, { model: 'm', inputs: ['a', 'b'] }),
      (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
    );
  });
}

test('an error in place of an answer is that error', () => {
  assert.throws(
    () =>
      decodeResponse(
        { error: { message: 'No', code: 'rate_limit_exceeded' } },
        { model: 'm', inputs: ['a'] },
      ),
    (error) => error instanceof GatewayError && error.kind === 'upstream_rate_limited',
  );
});

test('recorded embeddings say the same after decoding and encoding', { skip: skipWithoutWire }, () => {
  const exchanges = readExchanges('openai-embeddings').filter(({ url }) => url.includes('/embeddings'));
  let answers = 0;
  for (const { id, request, response } of exchanges) {
    assert.ok(isObject(request.body));
    const decoded = decodeRequest(request.body);
    const { input } = request.body;
    const { encoding_format: _, ...rest } = request.body;
    const encoded = encodeRequest(decoded.request, decoded.request.model);
    assert.deepEqual(encoded.body, { ...rest, input: typeof input === 'string' ? [input] : input }, id);
    if (response.status !== 200) continue;
    answers++;
    const embeddings = decodeResponse(response.body, decoded.request);
    assert.deepEqual(encodeResponse(embeddings, decoded.encodingFormat), response.body, id);
  }
  const [recorded] = readRecordings('openai').filter(({ api }) => api === 'embedding');
  assert.ok(recorded?.body && Array.isArray(recorded.body['data']));
  const inputs = recorded.body['data'].map(() => 'x');
  assert.deepEqual(
    encodeResponse(decodeResponse(recorded.body, { model: '', inputs }), 'float'),
    recorded.body,
  );
  assert.ok(answers > 0);
});

test('how many dimensions a model has is for its provider to say: however many are asked for goes to it', () => {
  const { request } = chatEmbeddings.decodeRequest({ model: 'm', input: 'a', dimensions: 1e9 });
  assert.equal(chatEmbeddings.encodeRequest(request, 'm').body['dimensions'], 1e9);
});
