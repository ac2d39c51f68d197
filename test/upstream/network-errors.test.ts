import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request } from 'undici';
import { verdictOf } from '../../src/routing/verdict.ts';
import { describeNetworkError, networkError } from '../../src/upstream/network-errors.ts';
import { startSocketServer } from '../support/byte-server.ts';
import { type Asked, ask, createConnections } from '../support/exchange-recorder.ts';

/** What those who ask make of a server that answers these bytes, whatever it is asked. */
const ASKERS: Record<'our own connections' | 'undici', (origin: string) => Promise<unknown>> = {
  'our own connections': async (origin) => {
    const connections = createConnections();
    const { error, text } = await ask(connections, origin).over;
    await connections.close();
    return error ?? text;
  },
  undici: async (origin) => {
    try {
      const { body } = await request(origin, { reset: true });
      return await body.text();
    } catch (error) {
      return error;
    }
  },
};

async function failureOf(asker: keyof typeof ASKERS, bytes: string): Promise<unknown> {
  const server = await startSocketServer((socket) => {
    socket.once('data', () => socket.end(bytes, 'latin1'));
  });
  const failure = await ASKERS[asker](server.origin);
  await server.close();
  return failure;
}

interface Broken {
  what: string;
  bytes: string;
  told: RegExp;
  reasons: Record<keyof typeof ASKERS, RegExp>;
}

const NOT_HTTP = /something that is not HTTP/;
const CLOSED_EARLY = /closed the connection before its answer was complete/;

const BROKEN: Broken[] = [
  {
    what: 'another protocol',
    bytes: 'SSH-2.0-x\r\n',
    told: NOT_HTTP,
    reasons: { 'our own connections': /NOT_HTTP.*"SSH-2\.0-x/, undici: /Expected HTTP/ },
  },
  {
    what: 'TLS',
    bytes: '\x15\x03\x01\x00\x02\x02\x16',
    told: NOT_HTTP,
    reasons: { 'our own connections': /it begins with "\\u0015/, undici: /Expected HTTP/ },
  },
  {
    what: 'no status',
    bytes: 'HTTP/1.1 abc\r\n\r\n',
    told: NOT_HTTP,
    reasons: {
      'our own connections': /a status line such as "HTTP\/1\.1 abc"/,
      undici: /Invalid status code/,
    },
  },
  {
    what: 'broken chunks',
    bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n',
    told: NOT_HTTP,
    reasons: { 'our own connections': /a chunk size with "z"/, undici: /chunk size/ },
  },
  {
    what: 'endless headers',
    bytes: `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}\r\n\r\n`,
    told: /sent more headers than are taken/,
    reasons: { 'our own connections': /HEADERS_OVERFLOW/, undici: /UND_ERR_HEADERS_OVERFLOW/ },
  },
  {
    what: 'nothing',
    bytes: '',
    told: CLOSED_EARLY,
    reasons: { 'our own connections': /CLOSED_EARLY/, undici: /UND_ERR_SOCKET/ },
  },
  {
    what: 'half an answer in chunks',
    bytes: 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n',
    told: CLOSED_EARLY,
    reasons: { 'our own connections': /CLOSED_EARLY/, undici: /UND_ERR_SOCKET/ },
  },
];

for (const asker of ['our own connections', 'undici'] as const) {
  for (const { what, bytes, told, reasons } of BROKEN) {
    test(`${asker}: ${what} is told for what it is, and its cause in full`, async () => {
      const failure = await failureOf(asker, bytes);
      const error = networkError('up', failure);
      assert.equal(error.kind, 'upstream_unavailable');
      assert.match(error.message, told);
      assert.match(describeNetworkError(failure), reasons[asker]);
    });
  }
}

for (const how of ['is ended', 'is reset'] as const) {
  test(`a connection that ${how} before its TLS stands is none`, async (t) => {
    const server = await startSocketServer((socket) => {
      socket.once('data', () => (how === 'is ended' ? socket.end() : socket.resetAndDestroy()));
    });
    t.after(() => server.close());
    const connections = createConnections();
    t.after(() => connections.close());
    const { error } = await ask(connections, server.origin.replace('http:', 'https:')).over;
    const failure = networkError('up', error);
    assert.deepEqual([failure.kind, failure.reason], ['upstream_unavailable', 'connection_failed']);
    assert.equal(verdictOf(failure).unreachable, true);
  });
}

const SILENT: [what: string, begun: string, timeouts: Asked['timeouts'], told: RegExp][] = [
  ['no answer', '', { firstByteMs: 30 }, /did not begin to answer in time/],
  [
    'half an answer',
    'HTTP/1.1 200 OK\r\n\r\nx',
    { idleMs: 30 },
    /stopped sending in the middle of its answer/,
  ],
];

for (const [what, begun, timeouts, told] of SILENT) {
  test(`${what}, and then silence, is a time-out`, async (t) => {
    const server = await startSocketServer((socket) => {
      if (begun) socket.once('data', () => socket.write(begun));
    });
    t.after(() => server.close());
    const connections = createConnections();
    t.after(() => connections.close());
    const { error } = await ask(connections, server.origin, { timeouts }).over;
    const failure = networkError('up', error);
    assert.equal(failure.kind, 'upstream_timeout');
    assert.match(failure.message, told);
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
