import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import OpenAI, { APIError } from 'openai';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';

let gateway: TestGateway;
before(async () => {
  gateway = await startGateway({ server: { port: 0, bodyLimit: '1kb' } });
});
after(() => gateway.stop());

// Not ASCII: a body cut inside of a character is whole again.
const BODY = Buffer.from(
  JSON.stringify({ model: 'echo/echo', messages: [{ role: 'user', content: 'Grüße 🐘' }] }),
);

const HEAD = `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\n`;

const announced = (type: string, body = BODY, more = '') =>
  Buffer.concat([
    Buffer.from(`${HEAD}content-type: ${type}\r\n${more}content-length: ${body.length}\r\n\r\n`),
    body,
  ]);

/** The same body in every way in which HTTP can carry it. */
const WAYS: Record<string, Buffer> = {
  'as JSON of an announced length': announced('application/json'),
  'with a charset': announced('application/json; charset=utf-8'),
  'with a type in capitals': announced('Application/JSON'),
  'as another type': announced('text/plain'),
  'as a type that is none': announced('application'),
  'as a type with a blank': announced('application/json x'),
  'of no type': Buffer.concat([Buffer.from(`${HEAD}content-length: ${BODY.length}\r\n\r\n`), BODY]),
  'in chunks': Buffer.concat([
    Buffer.from(
      `${HEAD}content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n`,
    ),
    BODY,
    Buffer.from('\r\n0\r\n\r\n'),
  ]),
  compressed: announced('application/json', gzipSync(BODY), 'content-encoding: gzip\r\n'),
  'of a coding that is none': announced('application/json', BODY, 'content-encoding: identity\r\n'),
};

for (const [way, request] of Object.entries(WAYS)) {
  test(`a body ${way} is answered, also twice on one connection and however it is cut`, async () => {
    const socket = open();
    assert.match(await ask(socket, [request]), /^HTTP\/1.1 200 [\s\S]*Grüße 🐘/);
    const bodyAt = request.indexOf('\r\n\r\n') + 4;
    for (const at of [1, bodyAt, bodyAt + 1, Math.max(1, request.indexOf('🐘') + 2), request.length - 1]) {
      const answer = await ask(socket, [request.subarray(0, at), request.subarray(at)]);
      assert.match(answer, /^HTTP\/1.1 200 [\s\S]*Grüße 🐘/);
    }
    socket.destroy();
  });
}

/** What is no call is refused in the caller's dialect, whatever way it came. */
const REFUSED: Record<string, { request: Buffer; status: number; message: RegExp }> = {
  'a body over the limit': {
    request: announced('application/json', Buffer.alloc(1025, 0x20)),
    status: 413,
    message: /larger than the limit of 1024 bytes/,
  },
  'an empty body': { request: announced('application/json', Buffer.alloc(0)), status: 400, message: /empty/ },
  'two lengths': {
    request: announced('application/json', BODY, `content-length: ${BODY.length - 1}\r\n`),
    status: 400,
    message: /not valid HTTP/,
  },
};

for (const [what, { request, status, message }] of Object.entries(REFUSED)) {
  test(`${what} is a ${status}`, async () => {
    const socket = open();
    const answer = await ask(socket, [request]);
    socket.destroy();
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `));
    const { error } = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    assert.match(error.message, message);
  });
}

test('a body of exactly the limit is taken', async () => {
  const socket = open();
  const full = Buffer.concat([BODY, Buffer.alloc(1024 - BODY.length, 0x20)]);
  assert.match(await ask(socket, [announced('application/json', full)]), /^HTTP\/1.1 200 /);
  socket.destroy();
});

test('what a door refuses by its path is refused when its body is here, and the connection goes on', async () => {
  const socket = open();
  const misnamed = Buffer.from(
    announced('application/json')
      .toString('latin1')
      .replace('/v1/chat/completions', '/v1beta/models/echo:nothing'),
    'latin1',
  );
  assert.match(await ask(socket, [misnamed]), /^HTTP\/1.1 404 [\s\S]*no such method/);
  assert.match(await ask(socket, [announced('application/json')]), /^HTTP\/1.1 200 /);
  socket.destroy();
});

test('a client that leaves in the middle of its body is forgotten', async () => {
  for (const way of ['as JSON of an announced length', 'in chunks']) {
    const request = WAYS[way] ?? assert.fail();
    const socket = open();
    socket.write(request.subarray(0, -20));
    await sleep(20);
    socket.destroy();
    await once(socket, 'close');
  }
  const socket = open();
  assert.match(await ask(socket, [announced('application/json')]), /^HTTP\/1.1 200 /);
  socket.destroy();
  assert.doesNotMatch(gateway.logs(), /does not know/);
});

function open(): Socket {
  const { hostname, port } = new URL(gateway.url);
  return connect(Number(port), hostname).setNoDelay(true);
}

/** Sends packets one by one; gives the answer, head and body, whose length is announced. */
async function ask(socket: Socket, packets: Buffer[]): Promise<string> {
  let answer = Buffer.alloc(0);
  const whole = new Promise<void>((resolve, reject) => {
    socket.on('error', reject);
    socket.on('close', () => resolve());
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk]);
      const bodyAt = answer.indexOf('\r\n\r\n') + 4;
      const length = /^content-length: (\d+)/im.exec(answer.toString('latin1', 0, bodyAt))?.[1];
      if (bodyAt > 3 && length !== undefined && answer.length >= bodyAt + Number(length)) resolve();
    });
  });
  for (const [index, packet] of packets.entries()) {
    if (index > 0) await sleep(5);
    socket.write(packet);
  }
  await whole;
  socket.removeAllListeners();
  return answer.toString('utf8');
}

test('a client that reads nothing before it has sent all of a body over the limit still gets its refusal', async () => {
  const body = Buffer.alloc(20 * 1024 * 1024, 0x20);
  for (const coding of [`content-length: ${body.length}`, 'transfer-encoding: chunked']) {
    const socket = open();
    socket.pause();
    socket.write(`${HEAD}content-type: application/json\r\n${coding}\r\n\r\n`);
    const sent =
      coding === 'transfer-encoding: chunked'
        ? [`${body.length.toString(16)}\r\n`, body, '\r\n0\r\n\r\n']
        : [body];
    // A connection that is cut meanwhile fails the writing, and with it the test.
    for (const piece of sent) {
      await new Promise<void>((resolve, reject) =>
        socket.write(piece, (error) => (error ? reject(error) : resolve())),
      );
    }
    const arrived = once(socket, 'data');
    socket.resume();
    const [answer] = (await arrived) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 413 [\s\S]*larger than the limit/);
    // What it sent was read to its end: the connection is good for the next call.
    assert.match(await ask(socket, [announced('application/json')]), /^HTTP\/1.1 200 /);
    socket.destroy();
  }
});

test('an official SDK raises the refusal of a body over the limit, not a broken connection', async () => {
  const client = new OpenAI({ apiKey: TEST_KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'x'.repeat(20 * 1024 * 1024) }];
  for (let at = 0; at < 4; at++) {
    await assert.rejects(
      async () => client.chat.completions.create({ model: 'echo/echo', messages }),
      (error) => error instanceof APIError && error.status === 413,
    );
  }
});

test('what is sent behind a refusal is not read for ever', async () => {
  const socket = open();
  socket.on('error', () => {});
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(`${HEAD}content-type: application/json\r\ncontent-length: ${1024 ** 4}\r\n\r\n`);
  const piece = Buffer.alloc(1024 * 1024, 0x20);
  const send = () => {
    while (!socket.destroyed && socket.write(piece)) {}
  };
  socket.on('drain', send);
  send();
  await closed;
});

test('a call whose body is refused is recorded as any other, at every door that takes calls', async () => {
  const { url, calls, stop } = await startGateway({ server: { port: 0, bodyLimit: '1kb' } });
  const refused: [path: string, init: RequestInit, status: number, operation: string, kind: string][] = [
    ['/v1/chat/completions', { body: 'x'.repeat(2_000) }, 413, 'generate', 'payload_too_large'],
    ['/v1/embeddings', encoded('zstd', BODY), 400, 'embed', 'invalid_request'],
    ['/v1/messages', encoded('gzip', BODY), 400, 'generate', 'invalid_request'],
    ['/v1/messages/count_tokens', encoded('gzip', BODY), 400, 'count', 'invalid_request'],
    ['/v1beta/models/echo/echo:embedContent', { body: 'x'.repeat(2_000) }, 413, 'embed', 'payload_too_large'],
    ['/v1/responses', { body: 'x'.repeat(2_000) }, 413, 'generate', 'payload_too_large'],
    ['/v1/moderations', encoded('br', BODY), 400, 'moderate', 'invalid_request'],
  ];
  try {
    for (const [path, { headers, body }, status] of refused) {
      const keys = { authorization: `Bearer ${TEST_KEY}`, 'x-api-key': TEST_KEY, 'x-goog-api-key': TEST_KEY };
      const answer = await fetch(url + path, {
        ...{ method: 'POST', body: body ?? null },
        headers: { 'content-type': 'application/json', ...keys, ...headers },
      });
      assert.equal(answer.status, status, path);
      await answer.arrayBuffer();
    }
    const records = (await calls(refused.length)).toReversed();
    assert.deepEqual(
      records.map(({ operation, outcome, status, model, key }) => [operation, outcome, status, model, key]),
      refused.map(([, , status, operation, kind]) => [operation, kind, status, null, 'app']),
    );
  } finally {
    await stop();
  }
});

test('a request whose client leaves before its body is whole is no call, however it was sent', async () => {
  const other = await startGateway({ server: { port: 0 } });
  const { hostname, port } = new URL(other.url);
  try {
    for (const way of [
      'transfer-encoding: chunked\r\n\r\n5\r\n{"mod',
      'content-encoding: gzip\r\ncontent-length: 99\r\n\r\nhello',
    ]) {
      const socket = connect(Number(port), hostname);
      await once(socket, 'connect');
      socket.write(`${HEAD}content-type: application/json\r\n${way}`);
      // Until it is being read: what follows is answered behind it.
      assert.equal((await fetch(`${other.url}/healthz`)).status, 200);
      socket.destroy();
      await once(socket, 'close');
    }
    const body = { model: 'echo/echo', messages: [{ role: 'user', content: 'Hi' }] };
    assert.equal((await other.post('/v1/chat/completions', body)).status, 200);
    const records = await other.calls();
    assert.deepEqual(
      records.map(({ status }) => status),
      [200],
    );
  } finally {
    await other.stop();
  }
});

function encoded(coding: string, body: Buffer): RequestInit {
  return { body: new Uint8Array(body), headers: { 'content-encoding': coding } };
}
