import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { OpenConnections } from '../src/draining.ts';
import { holdRequests } from '../src/http/held-requests.ts';
import { leave } from '../src/leaving.ts';

const REQUEST = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

/** A server whose answers wait, and a clock that is moved by hand. */
async function startServer(context: TestContext) {
  const asked: ServerResponse[] = [];
  const server = createServer((_request, response) => void asked.push(response));
  const connections = new OpenConnections(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const open = async () => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    socket.on('error', () => undefined);
    await once(server, 'connection');
    return socket;
  };
  const clock = { nowMs: 0 };
  const hurry = new AbortController();
  const timing = { timeoutMs: 30_000, monotonicMs: () => clock.nowMs, hurried: hurry.signal };
  return { server, asked, open, clock, hurry, leave: () => leave(server, connections, timing) };
}

async function send(socket: Socket, asked: ServerResponse[]): Promise<ServerResponse> {
  const at = asked.length;
  socket.write(REQUEST);
  for (let tries = 0; asked.length === at && tries < 1_000; tries++) await sleep(5);
  return asked[at] ?? assert.fail('the request did not come');
}

async function answer(socket: Socket, response: ServerResponse): Promise<string> {
  const [[text]] = (await Promise.all([once(socket, 'data'), response.end('well')])) as [[string], unknown];
  return text;
}

test('who leaves takes no new connection, serves what comes over open ones and has it be the last, and closes those that stay idle', async (context) => {
  const { server, asked, open, clock, leave } = await startServer(context);
  const [waits, streams, asks, idle] = [await open(), await open(), await open(), await open()];
  const waiting = await send(waits, asked);
  const streaming = await send(streams, asked);
  streaming.write('begun');
  assert.match(String((await once(streams, 'data'))[0]), /begun/);
  let hasLeft = false;
  const leaving = leave().then(() => {
    hasLeft = true;
  });
  assert.equal(server.listening, false);
  assert.match(await answer(asks, await send(asks, asked)), /connection: close/i);
  assert.match(await answer(waits, waiting), /connection: close/i);
  await answer(streams, streaming);
  // Its answer had begun: it could not be told, and may be used once more.
  assert.match(await answer(streams, await send(streams, asked)), /connection: close/i);
  await sleep(50);
  clock.nowMs = 4_999;
  await sleep(50);
  assert.equal(hasLeft, false);
  assert.equal(idle.destroyed, false);
  clock.nowMs = 5_100;
  await Promise.all([once(idle, 'close'), leaving]);
});

test('who is hurried does not wait for connections', async (context) => {
  const { asked, open, hurry, leave } = await startServer(context);
  await send(await open(), asked);
  const leaving = leave();
  hurry.abort();
  await leaving;
});

test('requests that come before they may be answered wait, in order', async (context) => {
  const { server, asked, open } = await startServer(context);
  const letGoOn = holdRequests(server);
  const seen: string[] = [];
  server.on('request', ({ url }: IncomingMessage) => void seen.push(url ?? ''));
  const socket = await open();
  socket.write('GET /1 HTTP/1.1\r\nhost: a\r\n\r\nGET /2 HTTP/1.1\r\nhost: a\r\n\r\n');
  for (let tries = 0; seen.length < 2 && tries < 1_000; tries++) await sleep(5);
  assert.equal(asked.length, 0);
  letGoOn();
  assert.deepEqual(
    asked.map(({ req }) => req.url),
    ['/1', '/2'],
  );
});
