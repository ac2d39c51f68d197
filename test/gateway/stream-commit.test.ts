import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chat } from '../../src/dialects/chat/index.ts';
import type { CallerDialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import type { Call } from '../../src/gateway/call.ts';
import type { Gateway } from '../../src/gateway/gateway.ts';
import type { AttemptControl } from '../../src/gateway/receiver.ts';
import { StreamRelay } from '../../src/gateway/relay-stream.ts';
import { limitStall, StreamCommit } from '../../src/gateway/stream-commit.ts';
import { Deadlines } from '../../src/upstream/deadlines.ts';
import type { Waiting } from '../../src/usage/journal.ts';
import { startGateway } from '../support/gateway.ts';
import { chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ask = { model: 'up/m', stream: true, messages: [{ role: 'user', content: 'Hi' }] };
const ROLE = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n';
const FAILURE = 'data: {"error":{"message":"overloaded","code":503}}\n\n';
const NEVER_MS = 1_000_000;

async function setUp(answer: (response: ServerResponse) => unknown) {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    return answer(response);
  });
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

/** A commit whose client only notes what it gets; `clock.ms` is put before the time that passes. */
function makeCommit(lookMs: number, dialect: CallerDialect = chat) {
  const clock = { ms: 100 };
  const written: string[] = [];
  const begun = Promise.withResolvers<void>();
  const response = {
    writeHead: () => begun.resolve(),
    flushHeaders: () => written.push('(head)'),
    write: (bytes: Buffer | string) => written.push(String(bytes)) > 0,
    end: (bytes: Buffer | string) => written.push(String(bytes)),
    setTimeout: () => {},
  };
  // Only what a stream's beginning touches: a whole call would need a whole request.
  const call = {
    startedMs: 0,
    attempts: [],
    dropped: [],
    committed: false,
    door: { dialect },
    snapshot: { routes: { hasRetirements: false } },
    response,
    proceed: () => response.end(call.last ?? ''),
  } as unknown as Call;
  const ledger = { wait: (waiting: Waiting) => waiting.proceed() };
  const begunMs = performance.now();
  const monotonicMs = () => clock.ms + performance.now() - begunMs;
  const gateway = { monotonicMs, ledger, deadlines: new Deadlines(monotonicMs) } as Gateway;
  const attempt = {
    run: (step: () => void) => step(),
    noteOutput: () => undefined,
    begin: () => undefined,
  } as Partial<AttemptControl> as AttemptControl;
  return { commit: new StreamCommit(gateway, call, attempt, lookMs), call, written, clock, begun };
}

test('what is held back goes to the client when its time is up, though no packet comes', async () => {
  const { commit, call, written, clock, begun } = makeCommit(10);
  commit.write(ROLE);
  assert.deepEqual(written, []);
  await begun.promise;
  while (written.length < 2) await sleep(1);
  commit.dispose();
  assert.deepEqual(written.slice(0, 2), [ROLE, ': keep-alive\n\n']);
  written.length = 1;
  assert.equal(call.firstTokenMs, undefined);
  clock.ms = 250;
  commit.noteOutput();
  const firstTokenMs = call.firstTokenMs ?? 0;
  clock.ms = 1_000_000;
  commit.noteOutput();
  commit.write('Hello');
  assert.ok(firstTokenMs >= 250);
  assert.equal(call.firstTokenMs, firstTokenMs);
  assert.deepEqual(written, [ROLE, 'Hello']);
});

const HEARD: { name: string; dialect: CallerDialect; keepAlive: string }[] = [
  { name: 'chat', dialect: chat, keepAlive: ': keep-alive\n\n' },
  { name: 'messages', dialect: messages, keepAlive: 'event: ping\ndata: {"type":"ping"}\n\n' },
  { name: 'gemini', dialect: gemini, keepAlive: '(head)' },
];

for (const { name, dialect, keepAlive } of HEARD) {
  test(`a provider that says nothing for the client yet begins its stream after a while, too: ${name}`, async () => {
    const { commit, call, written } = makeCommit(10, dialect);
    commit.noteHeard(Buffer.from('event: content_block_stop\n\n'));
    // Begun, and kept open from then on.
    while (written.length < 2) await sleep(1);
    commit.dispose();
    assert.equal(call.committed, true);
    assert.equal(written[0], keepAlive);
  });
}

test('a stream that was begun is kept open while nothing comes, and only then', async () => {
  const { commit, written } = makeCommit(200);
  commit.noteOutput();
  for (let at = 0; at < 12; at++) {
    commit.write('Hello');
    await sleep(50);
  }
  assert.deepEqual(new Set(written), new Set(['Hello']));
  await sleep(450);
  commit.dispose();
  assert.equal(written.at(-1), ': keep-alive\n\n');
});

test('a provider that hangs behind the head of its answer, or only says that it lives, is waited for, until the call is old', async () => {
  const { commit, call, clock, written } = makeCommit(10);
  commit.noteHeard(Buffer.from(': OPENROUTER PROCESSING\n\n'));
  clock.ms = 44_000;
  await sleep(50);
  assert.equal(call.committed, false);
  clock.ms = 46_000;
  await sleep(50);
  commit.dispose();
  assert.equal(call.committed, true);
  assert.equal(written[0], ': keep-alive\n\n');
});

test('an attempt that is over begins no stream', async () => {
  const { commit, call, written } = makeCommit(10);
  commit.write(ROLE);
  commit.dispose();
  await sleep(50);
  assert.equal(call.committed, false);
  assert.deepEqual(written, []);
});

test('what is held back is bounded', () => {
  const { commit, call, written } = makeCommit(NEVER_MS);
  const piece = 'x'.repeat(100 * 1024);
  commit.write(piece);
  commit.write(piece);
  assert.equal(call.committed, false);
  commit.write(piece);
  assert.deepEqual(written, [piece, piece, piece]);
});

test('real output begins the stream at once, after what was held back', () => {
  const { commit, written } = makeCommit(NEVER_MS);
  commit.write(ROLE);
  commit.noteOutput();
  commit.write('Hello');
  commit.end('Bye');
  assert.deepEqual(written, [ROLE, 'Hello', 'Bye']);
});

test('a client that does not read the end of its stream loses the connection', async () => {
  const closed = Promise.withResolvers<boolean>();
  const server = createServer((_request, response) => {
    response.on('close', () => closed.resolve(response.writableFinished));
    response.write('x'.repeat(64 * 1024 * 1024));
    limitStall(response, 100);
    response.end('last');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'readable');
  assert.equal(await closed.promise, false);
  socket.destroy();
  server.close();
});

test('a failure inside a stream is the outcome of its attempt, is logged, and reaches the client once', async () => {
  const gateway = await setUp((response) => {
    response.write(chatChunk('Hel'));
    setTimeout(() => response.end(FAILURE), 20);
  });
  const text = await (await gateway.post('/v1/chat/completions', ask)).text();
  assert.equal(text, chatChunk('Hel') + FAILURE);
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'upstream_unavailable');
  assert.equal(record?.attempts[0]?.outcome, 'upstream_unavailable');
  assert.match(gateway.logs(), /an answer broke off/);
});

test('an answer that breaks off before its first output has used nothing', async () => {
  const gateway = await setUp((response) => {
    response.write(ROLE, () => response.destroy());
  });
  assert.equal((await gateway.post('/v1/chat/completions', ask)).status, 502);
  const [record] = await gateway.calls();
  assert.equal(record?.usage, null);
});

test('an error answer is told as soon as enough of it is there', async () => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(503, { 'content-type': 'application/json' });
    response.write('x'.repeat(300 * 1024));
  });
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  // The provider never ends its answer, so that there is one at all is the proof.
  assert.equal((await gateway.post('/v1/chat/completions', ask)).status, 502);
});

test('an answer that cannot even be broken off cuts the connection, and the gateway lives on', async (t) => {
  const gateway = await setUp((response) => {
    response.write(chatChunk('Hel'));
    setTimeout(() => response.destroy(), 20);
  });
  const broken = t.mock.method(StreamRelay.prototype, 'breakOff', () => {
    throw new Error('a mistake of ours');
  });
  const response = await gateway.post('/v1/chat/completions', ask);
  await assert.rejects(response.text());
  assert.equal(broken.mock.callCount(), 1);
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'upstream_unavailable');
  assert.match(gateway.logs(), /a mistake of ours/);
});

test('a client that leaves before its request was sent has used nothing', async () => {
  // Takes connections, but never says a word of TLS.
  const connected = Promise.withResolvers<void>();
  const mute = createTcpServer((socket) => {
    socket.on('error', () => {});
    connected.resolve();
  });
  mute.listen(0, '127.0.0.1');
  await once(mute, 'listening');
  const { port } = mute.address() as AddressInfo;
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: `https://127.0.0.1:${port}/v1` } },
  });
  closing.push(gateway.stop);
  const leave = new AbortController();
  const pending = gateway.post('/v1/chat/completions', ask, { signal: leave.signal });
  const left = assert.rejects(pending);
  await connected.promise;
  leave.abort();
  await left;
  const [record] = await gateway.calls();
  mute.close();
  assert.equal(record?.outcome, 'cancelled');
  assert.equal(record?.usage, null);
});
