import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { request } from 'undici';
import { describeNetworkError, networkError } from '../../src/upstream/network-errors.ts';

/** What undici makes of a server that answers these bytes, whatever it is asked. */
async function failureOf(bytes: string): Promise<unknown> {
  const server = createServer((socket) => {
    socket.on('error', () => 'the client has enough');
    socket.once('data', () => socket.end(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    const { body } = await request(`http://127.0.0.1:${port}`, { reset: true });
    return await body.text();
  } catch (error) {
    return error;
  } finally {
    server.close();
  }
}

const BROKEN: [what: string, bytes: string, told: RegExp, reason: RegExp][] = [
  ['another protocol', 'SSH-2.0-x\r\n', /something that is not HTTP/, /Expected HTTP/],
  ['TLS', '\x15\x03\x01\x00\x02\x02\x16', /something that is not HTTP/, /Expected HTTP/],
  ['no status', 'HTTP/1.1 abc\r\n\r\n', /something that is not HTTP/, /Invalid status code/],
  [
    'broken chunks',
    'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    /something that is not HTTP/,
    /chunk size/,
  ],
  [
    'endless headers',
    `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
    /sent more headers than are taken/,
    /UND_ERR_HEADERS_OVERFLOW/,
  ],
];

for (const [what, bytes, told, reason] of BROKEN) {
  test(`${what} is told for what it is, and its cause in full`, async () => {
    const failure = await failureOf(bytes);
    const error = networkError('up', failure);
    assert.equal(error.kind, 'upstream_unavailable');
    assert.match(error.message, told);
    assert.match(describeNetworkError(failure), reason);
  });
}

test('causes are described from the outermost to the innermost, all of them where there are several', () => {
  const refused = (address: string) =>
    Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' });
  const both = Object.assign(new AggregateError([refused('::1:9'), refused('127.0.0.1:9')]), {
    code: 'ECONNREFUSED',
  });
  assert.equal(
    describeNetworkError(new Error('fetch failed', { cause: both })),
    'fetch failed; ECONNREFUSED; connect ECONNREFUSED ::1:9; connect ECONNREFUSED 127.0.0.1:9',
  );
  assert.equal(describeNetworkError('odd'), 'odd');
});
