import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { startByteServer } from '../../support/byte-server.ts';
import { ask, createConnections, ExchangeRecorder } from '../../support/exchange-recorder.ts';
import { chunked, closing, fixed, keep, made, turns } from '../../support/exchange-setting.ts';

const ENDED = 'request start data end';
/** Many records of TLS. */
const LARGE = Buffer.alloc(3_000_000, 'abcdefg').toString('latin1');

test('exchanges over TLS, one after the other over one connection', async (t) => {
  const server = await keep(
    t,
    startByteServer((socket, { body }) => socket.write(chunked(body.toString('latin1'), 'x')), { tls: true }),
  );
  const connections = made(t);
  for (const body of ['small', LARGE, 'small again']) {
    const recorder = await ask(connections, server.origin, { body: Buffer.from(body) }).over;
    assert.equal(recorder.course, ENDED);
    assert.ok(recorder.text === `${body}x`);
  }
  assert.equal(server.connections.length, 1);
});

test('a certificate that nobody vouches for is an error before anything was sent', async (t) => {
  const server = await keep(
    t,
    startByteServer((socket) => socket.write(fixed('x')), { tls: true }),
  );
  const connections = createConnections();
  t.after(() => connections.close());
  const recorder = await ask(connections, server.origin, { body: Buffer.from('secret') }).over;
  assert.deepEqual([recorder.course, recorder.error?.code], ['error', 'DEPTH_ZERO_SELF_SIGNED_CERT']);
  await turns();
  assert.deepEqual(server.requests, []);
});

test('a certificate for another name is an error before anything was sent', async (t) => {
  const server = await keep(
    t,
    startByteServer((socket) => socket.write(fixed('x')), { tls: true, host: '127.0.0.2' }),
  );
  const recorder = await ask(made(t), server.origin).over;
  assert.deepEqual([recorder.course, recorder.error?.code], ['error', 'ERR_TLS_CERT_ALTNAME_INVALID']);
  await turns();
  assert.deepEqual(server.requests, []);
});

test('what does not speak TLS is an error', async (t) => {
  const plain = await keep(
    t,
    startByteServer(() => undefined),
  );
  const recorder = ask(made(t), plain.origin.replace('http:', 'https:'));
  while (plain.connections.length === 0) await turns(1);
  plain.connections[0]?.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  await recorder.over;
  assert.equal(recorder.course, 'error');
});

test('the name is told where it is one, and a session is taken up again', async (t) => {
  const names: unknown[] = [];
  const reused: boolean[] = [];
  const server = await keep(
    t,
    startByteServer(
      (socket) => {
        const secure = socket as TLSSocket & { servername?: unknown };
        names.push(secure.servername);
        reused.push(secure.isSessionReused());
        socket.end(fixed('x', 'connection: close\r\n'));
      },
      { tls: true },
    ),
  );
  const connections = made(t);
  for (let time = 0; time < 3; time += 1) {
    assert.equal((await ask(connections, server.origin).over).course, ENDED);
    assert.equal((await ask(connections, `https://localhost:${server.port}`).over).course, ENDED);
  }
  assert.deepEqual(names, [false, 'localhost', false, 'localhost', false, 'localhost']);
  assert.equal(reused[0], false);
  assert.equal(reused.at(-1), true);
});

test('an answer over TLS that is paused at every piece, and whose sender closes, comes whole', async (t) => {
  const answers = [chunked(LARGE), fixed(LARGE), `HTTP/1.1 200 OK\r\n\r\n${LARGE}`];
  const server = await keep(
    t,
    startByteServer((socket, { connection }) => socket.end(answers[connection] ?? ''), { tls: true }),
  );
  const connections = made(t);
  for (const [at] of answers.entries()) {
    let paused = false;
    const recorder = new ExchangeRecorder((event, control) => {
      assert.equal(paused, false, `${event} while paused`);
      if (event === 'end' || event === 'error') return;
      paused = true;
      control.pause();
      setImmediate(() => {
        paused = false;
        control.resume();
      });
    });
    await ask(connections, server.origin, {}, recorder).over;
    assert.deepEqual([at, recorder.course, recorder.error], [at, ENDED, undefined]);
    assert.ok(recorder.text === LARGE);
  }
});

test('an exchange over TLS that is paused can be aborted, and the connection ends', async (t) => {
  const server = await keep(
    t,
    startByteServer((socket) => socket.write(fixed(LARGE)), { tls: true }),
  );
  const recorder = new ExchangeRecorder((event, control) => {
    if (event === 'data') control.pause();
  });
  ask(made(t), server.origin, {}, recorder);
  while (recorder.chunks.length === 0) await turns(1);
  await turns();
  recorder.control?.abort(new Error('enough'));
  assert.equal(recorder.course, 'request start data error');
  const [socket] = server.connections;
  await closing(socket);
});
