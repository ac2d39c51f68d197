import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { writeChunk } from '../../src/gateway/write-chunk.ts';

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that answers each request with what is written by `answer`; gives its port. */
async function serve(answer: (response: ServerResponse, path: string) => unknown): Promise<number> {
  const server = createServer((request, response) => void answer(response, request.url ?? ''));
  closing.push(() => server.close().closeAllConnections());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function open(port: number, request: string) {
  const socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  socket.write(request, 'latin1');
  return socket;
}

/** All that a server sends on a connection that it closes. */
async function readAll(port: number, request: string): Promise<string> {
  let text = '';
  for await (const bytes of open(port, request)) text += bytes;
  return text;
}

/** Around the lengths at which a chunk has one digit more, and the one up to which it is put together. */
const LENGTHS = [1, 15, 16, 17, 255, 256, 4095, 4096, 16 * 1024, 16 * 1024 + 1, 100_000];
const PIECES: (Buffer | string)[] = [
  ...LENGTHS.map((length, index) => Buffer.alloc(length, 'abcdefghijk'[index])),
  ...LENGTHS.map((length, index) => 'lmnopqrstuv'.charAt(index).repeat(length)),
  'Grüße, 世界 😀',
  Buffer.from('Grüße, 世界 😀'),
  'é'.repeat(16 * 1024),
  Buffer.alloc(0),
  '',
  'the last',
];
const WHOLE = PIECES.map(String).join('');

for (const way of ['in one turn of the event loop', 'each in a turn of its own']) {
  test(`what is written ${way} arrives whole, in its order`, async () => {
    const port = await serve(async (response) => {
      response.write('first,');
      for (const piece of PIECES) {
        if (way.startsWith('each')) await turn();
        if (!writeChunk(response, piece)) await once(response, 'drain');
      }
      response.end('.');
    });
    for (let time = 0; time < 2; time += 1) {
      const text = await (await fetch(`http://127.0.0.1:${port}/`)).text();
      assert.equal(text === `first,${WHOLE}.`, true);
    }
  });
}

test('a chunk goes out in one piece', async () => {
  const port = await serve(async (response) => {
    response.sendDate = false;
    response.write('one');
    await turn();
    const { socket } = response;
    const written: string[] = [];
    if (socket) {
      const write = socket.write.bind(socket);
      socket.write = ((bytes: Buffer | string, ...rest: []) => {
        written.push(String(bytes));
        return write(bytes, ...rest);
      }) as typeof socket.write;
    }
    writeChunk(response, Buffer.from('and two'));
    writeChunk(response, 'and three');
    assert.deepEqual(written, ['7\r\nand two\r\n', '9\r\nand three\r\n']);
    response.end();
  });
  const text = await readAll(port, 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  assert.match(text, /\r\n\r\n3\r\none\r\n7\r\nand two\r\n9\r\nand three\r\n0\r\n\r\n$/);
});

test('who does not read holds the writer back, and gets all of it in its order later', async () => {
  const taken = Promise.withResolvers<void>();
  const pieces = 4_000;
  const pieceOf = (index: number) => `${String(index).padStart(8, '0')} `.repeat(500);
  const port = await serve(async (response) => {
    response.write('');
    for (let index = 0; index < pieces; index += 1) {
      // By turns as bytes, whose buffer is used again where it may be.
      const piece = pieceOf(index);
      if (writeChunk(response, index % 2 ? piece : Buffer.from(piece))) continue;
      taken.resolve();
      await once(response, 'drain');
    }
    response.end();
  });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  await taken.promise;
  const text = await response.text();
  assert.equal(text === Array.from({ length: pieces }, (_, index) => pieceOf(index)).join(''), true);
});

test('a client that knows no chunks gets none', async () => {
  const port = await serve(async (response) => {
    response.write('one');
    await turn();
    writeChunk(response, ', two');
    writeChunk(response, Buffer.from(', three'));
    response.end();
  });
  assert.match(await readAll(port, 'GET / HTTP/1.0\r\n\r\n'), /\r\n\r\none, two, three$/);
});

test('an answer whose turn has not come waits for the one before it', async () => {
  const behind = Promise.withResolvers<void>();
  const port = await serve(async (response, path) => {
    if (path === '/first') await behind.promise;
    response.write(`${path} `);
    await turn();
    writeChunk(response, Buffer.from('goes '));
    await turn();
    writeChunk(response, 'on');
    response.end();
    if (path === '/second') behind.resolve();
  });
  const text = await readAll(
    port,
    'GET /first HTTP/1.1\r\nhost: x\r\n\r\nGET /second HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n',
  );
  assert.match(text, /\/first .*goes .*on.*HTTP\/1\.1 200.*\/second .*goes .*on/s);
});

test('nothing is written to a client that has left', async () => {
  const left = Promise.withResolvers<void>();
  const port = await serve(async (response) => {
    response.on('error', left.reject);
    response.write('one');
    response.socket?.once('close', async () => {
      assert.equal(writeChunk(response, 'two'), false);
      assert.equal(writeChunk(response, Buffer.from('two')), false);
      await turn();
      left.resolve();
    });
  });
  const socket = open(port, 'GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  await left.promise;
});
