import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { chat } from '../../src/dialects/chat/index.ts';
import type { UpstreamRequest } from '../../src/gateway/prepare.ts';
import { signableRequest } from '../../src/gateway/signable-request.ts';

const ORIGIN = 'https://models.example';

function request(fields: Pick<UpstreamRequest, 'method' | 'body'>): UpstreamRequest {
  const translate = () => assert.fail('nothing is answered');
  return { dialect: chat, path: '/v1/x?y=z', headers: [], passThrough: true, translate, ...fields };
}

test('a request is signed as it is sent: its method, and an empty body where it has none', () => {
  const place = { origin: ORIGIN, path: '/v1/x?y=z' };
  const body = Buffer.from('{}');
  assert.deepEqual(signableRequest(request({ body }), ORIGIN), { method: 'POST', ...place, body });
  for (const method of ['GET', 'DELETE'] as const) {
    const signable = signableRequest(request({ method, body: undefined }), ORIGIN);
    assert.deepEqual(signable, { method, ...place, body: Buffer.alloc(0) });
  }
});

test('what is handed on while it arrives cannot be signed', () => {
  const body = Readable.from(['x']);
  assert.throws(() => signableRequest(request({ body }), ORIGIN), { kind: 'invalid_request' });
});
