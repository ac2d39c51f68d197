import assert from 'node:assert/strict';
import dns from 'node:dns';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { startByteServer, startSocketServer } from '../../support/byte-server.ts';
import { ask, type ExchangeEvent, ExchangeRecorder } from '../../support/exchange-recorder.ts';
import {
  chunked,
  closing,
  fixed,
  keep,
  made,
  type Setting,
  set,
  turns,
} from '../../support/exchange-setting.ts';

const ENDED = 'request start data end';

/** A second request after the first, and over which connection each came. */
async function askTwice({ server, connections }: Setting): Promise<[string, string, number[]]> {
  const first = await ask(connections, server.origin).over;
  await turns();
  const second = await ask(connections, server.origin).over;
  return [first.course, second.text, server.requests.map(({ connection }) => connection)];
}

const REUSE: [what: string, answer: string, reused: boolean][] = [
  ['a whole answer', fixed('one'), true],
  ['an answer in chunks', chunked('on', 'e'), true],
  ['an answer that says for how long', fixed('one', 'keep-alive: timeout=5, max=100\r\n'), true],
  ['an answer that says: for a moment', fixed('one', 'keep-alive: timeout=1\r\n'), false],
  ['connection: close', fixed('one', 'connection: close\r\n'), false],
  ['more than the answer', `${fixed('one')}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil`, false],
  ['an empty line behind the answer', `${fixed('one')}\r\n`, false],
];

for (const [what, answer, reused] of REUSE) {
  test(`${what}: the connection ${reused ? 'takes' : 'does not take'} the next request`, async (t) => {
    const setting = await set(t, (socket, { connection, nth }) =>
      socket.write(connection + nth === 0 ? answer : fixed('two')),
    );
    assert.deepEqual(await askTwice(setting), [ENDED, 'two', reused ? [0, 0] : [0, 1]]);
  });
}

test('the chunks of a packet are handed on as one piece, also before what is no chunk', async (t) => {
  const setting = await set(t, (socket, { nth }) => {
    const answer = chunked('one,', 'two,', 'x'.repeat(300), ',three');
    socket.write(nth === 0 ? answer : answer.replace('0\r\n\r\n', 'no size\r\n'));
  });
  const { server, connections } = setting;
  const whole = await ask(connections, server.origin).over;
  assert.deepEqual(whole.events, ['request', 'start', 'data', 'end']);
  assert.equal(whole.text, `one,two,${'x'.repeat(300)},three`);
  await turns();
  const broken = await ask(connections, server.origin).over;
  assert.deepEqual(broken.events, ['request', 'start', 'data', 'error']);
  assert.deepEqual([broken.text, broken.error?.code], [whole.text, 'NOT_HTTP']);
});

test('what comes on an idle connection is not the next answer', async (t) => {
  const setting = await set(t, async (socket, { connection }) => {
    socket.write(fixed(connection === 0 ? 'one' : 'two'));
    if (connection > 0) return;
    await turn();
    socket.write(fixed('evil'));
  });
  assert.deepEqual(await askTwice(setting), [ENDED, 'two', [0, 1]]);
});

test('an idle connection that the server closes, or breaks, is not used again', async (t) => {
  for (const close of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    const setting = await set(t, async (socket, { connection }) => {
      socket.write(fixed(connection === 0 ? 'one' : 'two'));
      if (connection > 0) return;
      await turns(3);
      close(socket);
    });
    const first = await ask(setting.connections, setting.server.origin).over;
    const [socket] = setting.server.connections;
    await closing(socket);
    await turns();
    const second = await ask(setting.connections, setting.server.origin).over;
    assert.deepEqual([first.text, second.text], ['one', 'two']);
  }
});

test('an idle connection is given up after the time that the server said', async (t) => {
  const { server, connections } = await set(t, (socket) =>
    socket.write(fixed('x', 'keep-alive: timeout=3\r\n')),
  );
  await ask(connections, server.origin).over;
  const [socket] = server.connections;
  await closing(socket);
});

test('requests that are sent from within the end of an answer take turns over two connections', async (t) => {
  const { server, connections } = await set(t, (socket, { connection, nth }) =>
    socket.write(fixed(`${connection}.${nth}`)),
  );
  const answers: string[] = [];
  await new Promise<void>((resolve) => {
    const again = (left: number): void => {
      const recorder = new ExchangeRecorder((event) => {
        if (event !== 'end') return;
        answers.push(recorder.text);
        if (left > 0) again(left - 1);
        else resolve();
      });
      ask(connections, server.origin, {}, recorder);
    };
    again(5);
  });
  assert.deepEqual(answers, ['0.0', '1.0', '0.1', '1.1', '0.2', '1.2']);
  assert.equal(server.connections.length, 2);
});

test('a connection that the server closes right behind an answer is met by no request', async (t) => {
  const { server, connections } = await set(t, (socket, { connection }) => {
    if (connection % 2 === 0) socket.end(fixed('last'));
    else socket.write(fixed('kept'));
  });
  for (let count = 0; count < 20; count += 1) {
    const { course } = await ask(connections, server.origin).over;
    assert.equal(course, ENDED);
  }
});

test('an answer that came before its request was sent does not free the connection', async (t) => {
  const connections = made(t);
  const server = await keep(
    t,
    startSocketServer((socket) => {
      socket.once('data', () => {
        socket.pause();
        socket.write(fixed('too large'));
      });
    }),
  );
  const first = await ask(connections, server.origin, { body: Buffer.alloc(30_000_000) }).over;
  assert.equal(first.text, 'too large');
  ask(connections, server.origin);
  while (server.connections.length < 2) await turn();
});

const BODY_SIZES = [0, 1, 16 * 1024 - 1, 16 * 1024, 16 * 1024 + 1, 100_000, 5_000_000];

for (const size of BODY_SIZES) {
  test(`a body of ${size} bytes arrives as it is`, async (t) => {
    const body = Buffer.alloc(size, Buffer.from([0, 13, 10, 128, 195, 169, 255]));
    const { server, connections } = await set(t, (socket) => socket.write(fixed('ok')));
    for (let time = 0; time < 2; time += 1)
      assert.equal((await ask(connections, server.origin, { body }).over).text, 'ok');
    for (const request of server.requests) {
      assert.match(request.head, new RegExp(`\r\ncontent-length: ${size}\r\n`));
      assert.ok(request.body.equals(body));
    }
    assert.equal(server.connections.length, 1);
  });
}

test('a request without a body says so where its method has one otherwise', async (t) => {
  const { server, connections } = await set(t, (socket) => socket.write(fixed('ok')));
  await ask(connections, server.origin, { method: 'GET', body: null }).over;
  await ask(connections, server.origin, { method: 'DELETE' }).over;
  await ask(connections, server.origin, { method: 'POST' }).over;
  assert.deepEqual(
    server.requests.map(({ head }) => [head.split(' ')[0], /content-length: \d+/.exec(head)?.[0]]),
    [
      ['GET', undefined],
      ['DELETE', undefined],
      ['POST', 'content-length: 0'],
    ],
  );
});

const ABORTED_AT: ExchangeEvent[] = ['request', 'start', 'data', 'end'];

for (const at of ABORTED_AT) {
  for (const thrown of [false, true]) {
    test(`${thrown ? 'what is thrown' : 'an abort'} from within ${at} ends the exchange, and no other`, async (t) => {
      const reason = new Error('enough');
      const { server, connections } = await set(t, (socket) => socket.write(chunked('one', 'two')));
      const recorder = new ExchangeRecorder((event, control) => {
        if (event !== at) return;
        if (thrown) throw reason;
        control.abort(reason);
      });
      ask(connections, server.origin, {}, recorder);
      await recorder.over;
      const isBehindEnd = at === 'end' && !thrown;
      assert.equal(recorder.error, isBehindEnd ? undefined : reason);
      assert.equal(recorder.events.filter((event) => event === 'error').length, isBehindEnd ? 0 : 1);
      const next = await ask(connections, server.origin).over;
      assert.deepEqual([next.course, next.text], [ENDED, 'onetwo']);
      recorder.control?.abort(reason);
      await turns();
      assert.equal(recorder.events.filter((event) => event === 'error').length, isBehindEnd ? 0 : 1);
    });
  }
}

test('an exchange that has ended steers nothing of the next one on its connection', async (t) => {
  const { server, connections } = await set(t, async (socket, { nth }) => {
    if (nth > 0) await turns(5);
    socket.write(chunked('one', 'two'));
  });
  const first = await ask(connections, server.origin).over;
  const second = ask(connections, server.origin);
  first.control?.pause();
  first.control?.abort(new Error('too late'));
  first.control?.resume();
  await second.over;
  assert.deepEqual([second.course, server.connections.length], [ENDED, 1]);
});

test('an abort ends the connection: the provider hears of it', async (t) => {
  const { server, connections } = await set(t, (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
  const recorder = ask(connections, server.origin);
  while (recorder.status === 0) await turn();
  recorder.control?.abort(new Error('enough'));
  const [socket] = server.connections;
  await closing(socket);
});

test('a provider that says nothing: the error says which wait was too long', async (t) => {
  const { server, connections } = await set(t, (socket, { nth }) => nth === 0 && socket.write(fixed('one')));
  await ask(connections, server.origin).over;
  const second = await ask(connections, server.origin, { timeouts: { firstByteMs: 30 } }).over;
  assert.deepEqual([second.course, second.error?.code], ['request error', 'FIRST_BYTE_TIMEOUT']);
  const halves = await set(t, (socket) => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'));
  const third = await ask(halves.connections, halves.server.origin, { timeouts: { idleMs: 30 } }).over;
  assert.deepEqual([third.course, third.error?.code], ['request start data error', 'IDLE_TIMEOUT']);
  const interim = await set(t, (socket) => socket.write('HTTP/1.1 102 Processing\r\n\r\n'));
  const fourth = await ask(interim.connections, interim.server.origin, { timeouts: { firstByteMs: 30 } })
    .over;
  assert.deepEqual([fourth.course, fourth.error?.code], ['request error', 'FIRST_BYTE_TIMEOUT']);
});

test('an address that takes no connection', async (t) => {
  const server = await startByteServer(() => undefined);
  await server.close();
  const connections = made(t);
  const refused = await ask(connections, server.origin).over;
  assert.deepEqual([refused.course, refused.error?.code], ['error', 'ECONNREFUSED']);
  const unknown = await ask(connections, 'http://no-such-host.invalid').over;
  assert.equal(unknown.course, 'error');
  assert.match(String(unknown.error?.code), /^(?:ENOTFOUND|EAI_AGAIN)$/);
});

test('a connection that does not stand in time', async (t) => {
  // It accepts, and never says anything of TLS.
  const server = await keep(
    t,
    startSocketServer(() => undefined),
  );
  const connections = made(t);
  const origin = server.origin.replace('http:', 'https:');
  const late = await ask(connections, origin, { timeouts: { connectMs: 50 } }).over;
  assert.deepEqual([late.course, late.error?.code], ['error', 'CONNECT_TIMEOUT']);
});

test('a connection that is reset, or closed, before an answer or within it', async (t) => {
  const closes: [RegExp, (socket: Socket) => void][] = [
    [/ECONNRESET/, (socket) => socket.resetAndDestroy()],
    [/CLOSED_EARLY/, (socket) => socket.end()],
    [/CLOSED_EARLY/, (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1')],
    [/CLOSED_EARLY/, (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nx')],
    [/NOT_HTTP/, (socket) => socket.end('SSH-2.0')],
    [/NOT_HTTP/, (socket) => socket.write('SSH-2.0')],
    [/HEADERS_OVERFLOW/, (socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(100_000)}`)],
  ];
  for (const [code, close] of closes) {
    const { server, connections } = await set(t, close);
    const recorder = await ask(connections, server.origin).over;
    assert.match(String(recorder.error?.code), code);
    assert.equal(recorder.events.at(-1), 'error');
  }
});

const LOOPBACK = { address: '127.0.0.1', family: 4 };
const LOOPBACK_6 = { address: '::1', family: 6 };
/** Nothing listens there: at the same port of 127.0.0.1 may be the server of another test. */
const NOWHERE = { address: '127.83.12.9', family: 4 };

for (const tls of [false, true]) {
  test(`IPv6 and a name with two addresses, of which one answers${tls ? ', with TLS' : ''}`, async (t) => {
    for (const [host, addresses] of [
      ['127.0.0.1', [LOOPBACK_6, LOOPBACK]],
      ['::1', [NOWHERE, LOOPBACK_6]],
    ] as const) {
      const lookup: (...asked: unknown[]) => void = (...asked) => {
        const callback = asked.at(-1);
        if (typeof callback === 'function') callback(null, addresses);
      };
      const server = await keep(
        t,
        startByteServer((socket, { head }) => socket.write(fixed(head)), { host, tls }),
      );
      t.mock.method(dns, 'lookup', lookup);
      const connections = made(t);
      for (const address of [server.origin, server.origin.replace(/\/\/.*:/, '//localhost:')]) {
        for (let time = 0; time < 2; time += 1) {
          const answer = await ask(connections, address, { body: Buffer.alloc(50_000) }).over;
          assert.ok(
            answer.text.includes(`\r\nhost: ${new URL(address).host}\r\n`),
            `${address}: ${answer.error}`,
          );
        }
      }
      assert.equal(server.connections.length, 2);
      t.mock.restoreAll();
    }
  });
}

test('closing ends what runs and what is idle, and nothing begins behind it', async (t) => {
  const { server, connections } = await set(t, (socket, { head }) => {
    if (head.startsWith('GET')) socket.write(fixed('x'));
    else socket.write('HTTP/1.1 200 OK\r\n\r\nbegun');
  });
  const retried: unknown[] = [];
  const running = new ExchangeRecorder((event) => {
    if (event !== 'error') return;
    try {
      ask(connections, server.origin);
    } catch (error) {
      retried.push(error);
    }
  });
  const paused = new ExchangeRecorder((event, control) => {
    if (event === 'data') control.pause();
  });
  ask(connections, server.origin, {}, running);
  ask(connections, server.origin, {}, paused);
  await ask(connections, server.origin, { method: 'GET' }).over;
  while (running.events.length < 3 || paused.events.length < 3) await turn();
  const reused = ask(connections, server.origin, { method: 'GET' });
  const connecting = ask(connections, server.origin);
  await connections.close();
  assert.deepEqual(
    [running, paused, reused, connecting].map(({ course, error }) => [course, error?.code]),
    [
      ['request start data error', 'CLOSED_EARLY'],
      ['request start data error', 'CLOSED_EARLY'],
      ['request error', 'CLOSED_EARLY'],
      ['error', 'CLOSED_EARLY'],
    ],
  );
  assert.match(String(retried), /is stopping/);
  for (const socket of server.connections) await closing(socket);
});
