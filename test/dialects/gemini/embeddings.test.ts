import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonValue } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { geminiEmbeddings } from '../../../src/dialects/gemini/embeddings.ts';
import { refusalOf } from './conversations.ts';

describe('an embedding request', () => {
  test('is a batch, one request a text, each naming the model', () => {
    const request = { model: 'embed', inputs: ['a', 'b'], dimensions: 768 };
    const one = (text: string) => ({
      model: 'models/gemini-embedding-2',
      content: { parts: [{ text }] },
      outputDimensionality: 768,
    });
    assert.deepEqual(geminiEmbeddings.encodeRequest(request, 'gemini-embedding-2'), {
      body: { requests: [one('a'), one('b')] },
      dropped: [],
    });
  });

  test('of token ids is refused', () => {
    const request = { model: 'embed', inputs: ['a', [1, 2]] };
    assert.throws(() => geminiEmbeddings.encodeRequest(request, 'm'), refusalOf('input[1]'));
  });

  test('of more texts than a batch may have is refused with the limit, which no provider need say', () => {
    const encode = (count: number) =>
      geminiEmbeddings.encodeRequest({ model: 'm', inputs: Array.from({ length: count }, () => 'a') }, 'm');
    assert.equal((encode(100).body['requests'] as JsonValue[]).length, 100);
    assert.throws(() => encode(101), refusalOf('input'));
    assert.throws(() => encode(101), /'input' holds 101 texts.*at most 100/);
  });

  test('names what it drops', () => {
    const extra = { dialect: 'chat', fields: { x: 1 } } as const;
    const { dropped } = geminiEmbeddings.encodeRequest(
      { model: 'm', inputs: ['a'], endUser: 'u', extra },
      'm',
    );
    assert.deepEqual(dropped, ['user', 'x']);
  });

  test('of Gemini’s own keeps its options', () => {
    const one = (text: string) => ({
      model: 'models/m',
      content: { parts: [{ text }] },
      taskType: 'CLUSTERING',
    });
    const body = { requests: [one('a'), one('b')] };
    const { request } = geminiEmbeddings.decodeRequest(body);
    assert.deepEqual(request, {
      model: 'm',
      inputs: ['a', 'b'],
      inputsWord: 'requests',
      extra: { dialect: 'gemini', fields: { taskType: 'CLUSTERING' } },
    });
    assert.deepEqual(geminiEmbeddings.encodeRequest(request, 'm').body, body);
  });

  test('whose parts cannot be one batch, or are none, is refused by its path', () => {
    const one = (more: object) => ({ model: 'models/m', content: { parts: [{ text: 'a' }] }, ...more });
    const decode = (requests: JsonValue) => () => geminiEmbeddings.decodeRequest({ requests });
    assert.throws(decode([one({}), one({ taskType: 'X' })]), refusalOf('requests[1]'));
    assert.throws(decode([]), refusalOf('requests'));
    assert.throws(decode('x'), refusalOf('requests'));
    assert.throws(decode([{}]), refusalOf('requests[0].content'));
    assert.throws(decode([{ content: { parts: [{}] } }]), refusalOf('requests[0].content.parts[0].text'));
  });
});

describe('an embedding answer', () => {
  const request = { model: 'm', inputs: ['a', 'b'] };

  test('gives a vector an input, and usage where it is said', () => {
    const body = {
      embeddings: [{ values: [1, 2] }, { values: [3] }],
      usageMetadata: { promptTokenCount: 4 },
    };
    const embeddings = geminiEmbeddings.decodeResponse(body, request);
    assert.deepEqual(embeddings, { model: 'm', vectors: [[1, 2], [3]], usage: { ...NO_USAGE, input: 4 } });
    assert.deepEqual(geminiEmbeddings.encodeResponse(embeddings, 'float'), body);
  });

  test('that does not fit the request is an error of the provider', () => {
    for (const body of [
      null,
      {},
      { embeddings: [{ values: [1] }] },
      { embeddings: [{ values: ['x'] }, { values: [] }] },
    ]) {
      assert.throws(
        () => geminiEmbeddings.decodeResponse(body, request),
        (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
      );
    }
  });
});
