import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { startGateway } from '../support/gateway.ts';
import { LOCALHOST_CERTIFICATE } from '../support/localhost-certificate.ts';
import { ModelServer } from '../support/model-server.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

setDefaultCACertificates([...getCACertificates('default'), LOCALHOST_CERTIFICATE]);

const messages = [{ role: 'user', content: 'Hi' }];

async function startFor(context: TestContext, baseUrl: string, timeouts: object = {}) {
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl, timeouts } },
  });
  context.after(() => gateway.stop());
  return gateway;
}

/** A server that hands connections on to another one, once it is told to. */
async function startGate(context: TestContext, port: number) {
  const sockets: Socket[] = [];
  const opened = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    arrived.resolve(socket);
    void opened.promise.then(() => {
      const behind = connect(port, '127.0.0.1');
      sockets.push(behind);
      behind.on('error', () => undefined);
      socket.pipe(behind).pipe(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, arrived: arrived.promise, open: opened.resolve };
}

test('a request whose client left before there was a connection is never sent', async (context) => {
  const server = await new ModelServer({ tls: true }).start();
  context.after(() => server.kill());
  const gate = await startGate(context, server.port);
  const gateway = await startFor(context, `https://127.0.0.1:${gate.port}/v1`, { connect: '60s' });
  const leaving = new AbortController();
  const left = assert.rejects(
    gateway.post('/v1/chat/completions', { model: 'up/m', messages }, { signal: leaving.signal }),
  );
  const socket = await gate.arrived;
  leaving.abort();
  await left;
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'cancelled');
  gate.open();
  // The handshake is all that the provider sees.
  while (!socket.destroyed && server.requests.length === 0) await sleep(5);
  assert.deepEqual(server.requests, []);
});

test('a call whose time is over leaves its provider at once', async (context) => {
  const closed = Promise.withResolvers<void>();
  const upstream = await startRawUpstream((response) => {
    response.on('close', closed.resolve);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const words = setInterval(() => response.write(chatChunk('Hi')), 20);
    response.on('close', () => clearInterval(words));
  });
  context.after(() => upstream.close());
  const gateway = await startFor(context, upstream.baseUrl, { total: '400ms' });
  const response = await gateway.post('/v1/chat/completions', { model: 'up/m', stream: true, messages });
  assert.match(await response.text(), /"error"/);
  await closed.promise;
});
