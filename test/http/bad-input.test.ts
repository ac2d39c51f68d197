import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await startGateway({ server: { port: 0, bodyLimit: '100kb' } });
});
after(() => gateway.stop());

interface OpenAiError {
  error: { message: string; type: string; param: string | null; code: string | null };
}

const CHAT = '/v1/chat/completions';
const hello = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hello' }] };

/** Each body is refused with this status, and the error names this parameter. */
const REFUSED: { what: string; body: unknown; status: number; param?: string; message?: RegExp }[] = [
  { what: 'no JSON', body: '{"model": nonsense', status: 400, message: /not valid JSON/ },
  {
    what: 'a broken escape in a key',
    body: '{"m\\xdel":"echo/echo"}',
    status: 400,
    message: /not valid JSON \(at position/,
  },
  { what: 'an empty body', body: '', status: 400, message: /empty/ },
  { what: 'a JSON array', body: '[]', status: 400, message: /JSON object/ },
  { what: 'no model', body: { messages: [] }, status: 400, param: 'model' },
  { what: 'a model that is no string', body: { ...hello, model: 7 }, status: 400, param: 'model' },
  { what: 'an empty model', body: { ...hello, model: '' }, status: 400, param: 'model' },
  {
    what: 'a model name of a thousand characters',
    body: { ...hello, model: `echo/${'x'.repeat(1000)}` },
    status: 400,
    param: 'model',
  },
  { what: 'an unknown model', body: { ...hello, model: 'nothing' }, status: 404, param: 'model' },
  { what: 'an unknown provider', body: { ...hello, model: 'nobody/x' }, status: 404, param: 'model' },
  {
    what: 'a stream flag that is no boolean',
    body: { ...hello, stream: 'yes' },
    status: 400,
    param: 'stream',
  },
  {
    what: 'stream options that are no object',
    body: { ...hello, stream_options: 1 },
    status: 400,
    param: 'stream_options',
  },
  ...['yes', 1, {}].map((value) => ({
    what: `usage asked for in a stream by ${JSON.stringify(value)}`,
    body: { ...hello, stream: true, stream_options: { include_usage: value } },
    status: 400,
    param: 'stream_options.include_usage',
  })),
  { what: 'a model twice', body: '{"model":"echo/echo","model":"echo/echo"}', status: 400, param: 'model' },
  {
    what: 'deep nesting',
    body: `{"model":"echo/echo","messages":${'['.repeat(5000)}${']'.repeat(5000)}}`,
    status: 400,
    message: /nested/,
  },
  { what: 'no messages', body: { model: 'echo/echo' }, status: 400, param: 'messages' },
  {
    what: 'messages that are no list',
    body: { ...hello, messages: 'Hello' },
    status: 400,
    param: 'messages',
  },
  {
    what: 'an unknown role',
    body: { ...hello, messages: [{ role: 'wizard', content: 'x' }] },
    status: 400,
    param: 'messages[0].role',
  },
  {
    what: 'an unknown part',
    body: { ...hello, messages: [{ role: 'user', content: [{ type: 'smell' }] }] },
    status: 400,
    param: 'messages[0].content[0].type',
  },
  {
    what: 'a temperature that is no number',
    body: { ...hello, temperature: 'hot' },
    status: 400,
    param: 'temperature',
  },
  {
    what: 'a body over the limit',
    body: { ...hello, padding: 'x'.repeat(200_000) },
    status: 413,
    message: /102400 bytes/,
  },
];

for (const { what, body, status, param, message } of REFUSED) {
  test(`${what} is a ${status}${param ? ` naming '${param}'` : ''}`, async () => {
    const response = await gateway.post(CHAT, body);
    assert.equal(response.status, status);
    const { error } = (await response.json()) as OpenAiError;
    assert.equal(error.type, 'invalid_request_error');
    assert.equal(error.param ?? undefined, param);
    if (message) assert.match(error.message, message);
  });
}

test('a compressed body is read; one that unpacks to more than the limit is refused', async () => {
  const send = (body: Buffer) => gateway.post(CHAT, body, { headers: { 'content-encoding': 'gzip' } });
  assert.equal((await send(gzipSync(JSON.stringify(hello)))).status, 200);
  assert.equal(
    (await send(gzipSync(JSON.stringify({ ...hello, padding: 'x'.repeat(10_000_000) })))).status,
    413,
  );
  assert.equal((await send(Buffer.from('not gzip'))).status, 400);
  const unknown = await gateway.post(CHAT, hello, { headers: { 'content-encoding': 'rot13' } });
  assert.equal(unknown.status, 400);
});

test('a body that is no UTF-8 is refused, not guessed at', async () => {
  const bad = { role: 'user', content: 'BAD' };
  for (const body of [
    { ...hello, messages: [bad] },
    { ...hello, stream: true, stream_options: { x: 'BAD' } },
  ]) {
    const response = await gateway.post(
      CHAT,
      Buffer.from(JSON.stringify(body).replace('BAD', '\xff'), 'latin1'),
    );
    assert.equal(response.status, 400);
    assert.match(((await response.json()) as OpenAiError).error.message, /not valid UTF-8/);
  }
});

test('a body is read as JSON whatever content type it claims, or an empty one', async () => {
  const body = JSON.stringify(hello);
  for (const type of ['content-type:\r\n', 'content-type: \t \r\n']) {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\n${type}connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
    assert.match(await text(socket), /^HTTP\/1\.1 200 /);
  }
});

test('a body is read as JSON whatever content type it claims, or none', async () => {
  const body = JSON.stringify(hello);
  for (const type of [
    undefined,
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-8',
    'json',
    'json; charset=utf-8',
    '/',
    'application/',
    'application/json/x',
    'a b/c',
    '*',
    ';',
    'application/x-json;;=',
  ]) {
    const headers = new Headers({ authorization: `Bearer ${TEST_KEY}` });
    if (type) headers.set('content-type', type);
    const response = await fetch(gateway.url + CHAT, { method: 'POST', headers, body: new Blob([body]) });
    assert.equal(response.status, 200, type ?? 'none');
  }
});

const BAD_CREDENTIALS: { what: string; headers: Record<string, string> }[] = [
  { what: 'no key', headers: { authorization: '' } },
  { what: 'an unknown key', headers: { authorization: 'Bearer sk-fl-unknown' } },
  { what: 'another scheme', headers: { authorization: 'Basic c2s6Zmw=' } },
  { what: 'the admin key', headers: { authorization: 'Bearer sk-fl-admin-test-key-0000000000000' } },
];

for (const { what, headers } of BAD_CREDENTIALS) {
  test(`${what} is a 401 at every door that needs one`, async () => {
    for (const path of ['/v1/models', '/v1/models/echo/echo']) {
      assert.equal((await fetch(gateway.url + path, { headers })).status, 401);
    }
    for (const path of [CHAT, '/v1/embeddings']) {
      assert.equal((await gateway.post(path, hello, { headers })).status, 401);
    }
  });
}

test('the admin API is closed to tenants and to nobody', async () => {
  for (const path of ['/admin/v1/usage', '/admin/v1/calls']) {
    assert.equal((await gateway.get(path)).status, 401);
    assert.equal((await fetch(gateway.url + path)).status, 401);
  }
});

test('a model name that no header can hold does no harm', async () => {
  for (const [name, status] of [
    ['echo/\\ud800', 200],
    ['echo/ü😀', 200],
    // No model is called so, and what such a name would be read as is another's.
    ['echo/a\\r\\nset-cookie: x', 404],
  ] as const) {
    const response = await gateway.post(
      CHAT,
      `{"model":"${name}","messages":[{"role":"user","content":"x"}]}`,
    );
    assert.equal(response.status, status);
    assert.equal(response.headers.get('set-cookie'), null);
  }
});

test('an unknown door is a 404 that says so', async () => {
  const response = await gateway.post('/v1/nothing', hello);
  assert.equal(response.status, 404);
  assert.equal(((await response.json()) as OpenAiError).error.code, 'unknown_url');
});

const REFUSED_BY_HEAD: { what: string; head: string; status: number; message: RegExp }[] = [
  { what: 'no Host', head: 'GET /healthz HTTP/1.1\r\n', status: 400, message: /Host header/ },
  {
    what: 'an expectation that nobody meets',
    head: `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nexpect: foo\r\ncontent-length: 2\r\n`,
    status: 417,
    message: /Expect/,
  },
  {
    what: 'headers over the limit',
    head: `GET /healthz HTTP/1.1\r\nhost: x\r\nx-big: ${'y'.repeat(64 * 1024)}\r\n`,
    status: 431,
    message: /larger than 32768 bytes/,
  },
  { what: 'what is not HTTP', head: 'nonsense\r\n', status: 400, message: /not valid HTTP/ },
];

for (const { what, head, status, message } of REFUSED_BY_HEAD) {
  test(`${what} is a ${status} in the form of every other error, with a request id, and the connection ends`, async () => {
    const { hostname, port } = new URL(gateway.url);
    const socket = connect(Number(port), hostname);
    socket.write(`${head}\r\n`);
    const [answered = '', body = ''] = (await text(socket)).split('\r\n\r\n');
    assert.match(answered, new RegExp(`^HTTP/1.1 ${status} `));
    assert.match(answered, /^x-request-id: req_/m);
    const { error } = JSON.parse(body) as OpenAiError;
    assert.equal(error.type, 'invalid_request_error');
    assert.match(error.message, message);
  });
}

test('HTTP/1.0 needs no Host, and who expects a 100 gets it', async () => {
  const { hostname, port } = new URL(gateway.url);
  const send = async (bytes: string) => {
    const socket = connect(Number(port), hostname);
    socket.write(bytes);
    return text(socket);
  };
  assert.match(await send('GET /healthz HTTP/1.0\r\n\r\n'), /^HTTP\/1.1 200 /);
  const body = JSON.stringify(hello);
  const expecting = `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${TEST_KEY}\r\nexpect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  assert.match(await send(expecting), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 /);
});

test('a key is asked for before a body is read', async () => {
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  socket.write('POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 90000\r\n\r\n{');
  const [first] = (await once(socket, 'data')) as [Buffer];
  assert.match(first.toString(), /^HTTP\/1.1 401 /);
  socket.destroy();
});

test('a path that is no URL is refused in the form of every other error', async () => {
  const response = await gateway.get('/v1/models/%zz');
  assert.equal(response.status, 400);
  assert.equal(((await response.json()) as OpenAiError).error.type, 'invalid_request_error');
  assert.match(response.headers.get('x-request-id') ?? '', /^req_/);
});

test('every answer has a request id', async () => {
  for (const path of ['/v1/models', '/v1/nothing', '/healthz', '/admin/v1/usage']) {
    assert.match((await gateway.get(path)).headers.get('x-request-id') ?? '', /^req_/);
  }
});

test('a client that leaves while its body is unpacked is forgotten', async () => {
  const { hostname, port } = new URL(gateway.url);
  const body = gzipSync(JSON.stringify({ ...hello, padding: 'x'.repeat(90_000) }));
  for (let count = 0; count < 5; count++) {
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST ${CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\ncontent-encoding: gzip\r\ncontent-length: ${body.length}\r\n\r\n`,
    );
    socket.write(body, () => socket.destroy());
    await once(socket, 'close');
  }
  // The gateway's stop, after all tests, would wait for calls that nobody ends until its drain time-out.
  assert.equal((await gateway.post(CHAT, hello)).status, 200);
});

test('nothing that a caller sent wrong was a failure of the gateway', () => {
  assert.doesNotMatch(gateway.logs(), /does not know/);
});
