import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Random } from '../../fuzz/random.ts';
import { startByteServer, type WireRequest } from '../../support/byte-server.ts';
import { ask, createConnections, ExchangeRecorder } from '../../support/exchange-recorder.ts';
import { closing, keep } from '../../support/exchange-setting.ts';
import { LOCALHOST_CERTIFICATE } from '../../support/localhost-certificate.ts';
import { scale } from '../../support/scale.ts';

const SEQUENTIAL = scale({ sample: 500, heavy: 50_000 });
const ROUNDS = scale({ sample: 2, heavy: 30 });

/** What answers a request depends on all of it, so that no answer can be taken for another's. */
function answerTo({ head, body }: WireRequest): { digest: string; seed: number } {
  const digest = createHash('sha256').update(head).update(body).digest();
  return { digest: digest.toString('hex'), seed: digest.readUInt32LE(0) };
}

/** An answer of which the framing, the length, the chunks and the cuts follow from the request. */
async function answerRandomly(socket: Socket, request: WireRequest): Promise<void> {
  const { digest, seed } = answerTo(request);
  const random = new Random(seed);
  const body = `${digest}${'\r\n\r\nHTTP/1.1 200 OK\r\n0\r\n'.repeat(random.below(random.chance(0.05) ? 10_000 : 40))}${digest}`;
  const kind = random.pick(['fixed', 'fixed', 'chunked', 'chunked', 'close', 'last'] as const);
  const head = `HTTP/1.1 ${random.chance(0.2) ? 429 : 200} OK\r\nx-digest: ${digest}\r\n`;
  const wire = `${random.chance(0.1) ? 'HTTP/1.1 100 Continue\r\n\r\n' : ''}${head}${frame(kind, body, random)}`;
  for (let at = 0; at < wire.length; ) {
    const to = random.chance(0.6) ? wire.length : at + 1 + random.below(wire.length - at);
    socket.write(wire.slice(at, to), 'latin1');
    at = to;
    if (random.chance(0.3)) await turn();
  }
  if (kind === 'close' || kind === 'last') socket.end();
}

function frame(kind: 'fixed' | 'chunked' | 'close' | 'last', body: string, random: Random): string {
  if (kind === 'close') return `\r\n${body}`;
  if (kind === 'last') return `connection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
  if (kind === 'fixed') return `content-length: ${body.length}\r\n\r\n${body}`;
  let chunks = '';
  for (let at = 0; at < body.length; ) {
    const chunk = body.slice(at, at + 1 + random.below(body.length));
    chunks += `${chunk.length.toString(16)}${random.chance(0.2) ? ';e=1' : ''}\r\n${chunk}\r\n`;
    at += chunk.length;
  }
  return `transfer-encoding: chunked\r\n\r\n${chunks}0\r\n${random.chance(0.2) ? 'x-t: 1\r\n' : ''}\r\n`;
}

/** Pauses now and then, and breaks off now and then; the body must be the answer to this request and no other. */
async function exchange(
  connections: ReturnType<typeof createConnections>,
  origin: string,
  random: Random,
): Promise<'whole' | 'aborted'> {
  const size = random.pick([0, 10, 1_000, 16_000, 17_000, 60_000]);
  const body = Buffer.from(Array.from({ length: 8 }, () => random.below(256)));
  const request = { path: `/${random.below(2 ** 30)}`, body: Buffer.alloc(size + 1, body) };
  const abortAt = random.chance(0.1) ? random.pick(['request', 'start', 'data', 'end'] as const) : undefined;
  const pauses = random.chance(0.3);
  const recorder = new ExchangeRecorder((event, control) => {
    if (event === abortAt) control.abort(new Error('enough'));
    else if (pauses && event !== 'end' && event !== 'error' && random.chance(0.5)) {
      control.pause();
      if (random.chance(0.3)) control.resume();
      else setImmediate(() => control.resume());
    }
  });
  await ask(connections, origin, request, recorder).over;
  if (recorder.error) {
    assert.equal(recorder.error.message, 'enough');
    assert.ok(abortAt);
    return 'aborted';
  }
  const digest = String(recorder.headers['x-digest']);
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.ok(recorder.text.startsWith(digest) && recorder.text.endsWith(digest));
  const head = `POST ${request.path} HTTP/1.1\r\nhost: ${new URL(origin).host}\r\nconnection: keep-alive\r\ncontent-length: ${request.body.length}\r\n\r\n`;
  assert.equal(digest, answerTo({ head, body: request.body, connection: 0, nth: 0 }).digest);
  return 'whole';
}

function openSockets(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => /TCPSocketWrap|TLSWrap/.test(kind));
}

for (const tls of [false, true]) {
  // Handshakes take their time.
  const concurrent = scale({ sample: tls ? 100 : 200, heavy: 500 });
  test(`many exchanges, one after the other and ${concurrent} at once${tls ? ', over TLS' : ''}: none gets another's answer, none leaves anything`, async (t) => {
    const server = await keep(t, startByteServer(answerRandomly, { tls }));
    const connections = createConnections(LOCALHOST_CERTIFICATE);
    const random = new Random(tls ? 2 : 1);
    const outcomes = { whole: 0, aborted: 0 };
    for (let at = 0; at < SEQUENTIAL / (tls ? 20 : 1); at += 1)
      outcomes[await exchange(connections, server.origin, random)] += 1;
    for (let round = 0; round < ROUNDS; round += 1) {
      const running = Array.from({ length: concurrent }, () => exchange(connections, server.origin, random));
      for (const outcome of await Promise.all(running)) outcomes[outcome] += 1;
    }
    assert.ok(outcomes.whole > outcomes.aborted && outcomes.aborted > 0);
    await connections.close();
    for (const socket of server.connections) await closing(socket);
    // A handle is closed a few turns behind its socket.
    for (let left = 100; left > 0 && openSockets().length > 0; left -= 1) await turn();
    assert.deepEqual(openSockets(), []);
  });
}

test('exchanges over one connection leave no listener on it', async (t) => {
  const sockets = new Set<Socket>();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const server = await keep(
    t,
    startByteServer((socket) => {
      sockets.add(socket);
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx');
    }),
  );
  const connections = createConnections();
  t.after(() => connections.close());
  for (let at = 0; at < 500; at += 1) {
    const recorder = new ExchangeRecorder((event, control) => {
      if (event !== 'data') return;
      control.pause();
      setImmediate(() => control.resume());
    });
    await ask(connections, server.origin, {}, recorder).over;
  }
  assert.equal(sockets.size, 1);
  assert.deepEqual(warnings, []);
});
