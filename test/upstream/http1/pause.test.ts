import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { startByteServer } from '../../support/byte-server.ts';
import { ask, ExchangeRecorder } from '../../support/exchange-recorder.ts';
import { keep, made, set, turns } from '../../support/exchange-setting.ts';

const ENDED = 'request start data end';

const PIECES = [
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n',
  '3\r\none\r\n',
  '3\r\ntwo\r\n',
  '0\r\n\r\n',
];
const WHOLE = PIECES.join('');

/** How an answer is sent: in one piece, in several, a byte at a time; and whether the server closes behind it. */
const WAYS: [way: string, send: (socket: Socket) => Promise<void>][] = [
  ['in one piece', async (socket) => void socket.write(WHOLE)],
  ['in one piece, closing', async (socket) => void socket.end(WHOLE)],
  [
    'in pieces',
    async (socket) => {
      for (const piece of PIECES) {
        socket.write(piece);
        await turns(2);
      }
    },
  ],
  [
    'byte by byte',
    async (socket) => {
      for (const byte of WHOLE) {
        socket.write(byte);
        await turn();
      }
    },
  ],
  ['until it closes', async (socket) => void socket.end('HTTP/1.1 200 OK\r\n\r\nonetwo')],
];

/** When a paused exchange goes on. */
const RESUMES: [when: string, resume: (resume: () => void) => void][] = [
  ['at once', (resume) => resume()],
  ['at once, several times', (resume) => [1, 2, 3].forEach(resume)],
  ['in a microtask', (resume) => queueMicrotask(resume)],
  ['in the next turn', (resume) => setImmediate(resume)],
  ['when all has come', (resume) => void turns(60).then(resume)],
  ['when all has come, several times', (resume) => void turns(60).then(() => [1, 2].forEach(resume))],
];

for (const [way, send] of WAYS) {
  for (const [when, resume] of RESUMES) {
    test(`an answer that comes ${way} and is paused at every event goes on ${when}, and so does the next`, async (t) => {
      const { server, connections } = await set(t, send);
      for (let time = 0; time < 3; time += 1) {
        let paused = false;
        const recorder = new ExchangeRecorder((event, control) => {
          assert.ok(!paused || event === 'error', `${event} while paused`);
          if (event === 'error') return;
          paused = true;
          control.pause();
          resume(() => {
            paused = false;
            control.resume();
          });
        });
        await ask(connections, server.origin, {}, recorder).over;
        assert.deepEqual([recorder.course, recorder.text], [ENDED, 'onetwo']);
        await turns(70);
      }
    });
  }
}

test('an answer that was cut off while it was paused is an error once it goes on', async (t) => {
  for (const close of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
    const { server, connections } = await set(t, async (socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf');
      await turns();
      close(socket);
    });
    const recorder = new ExchangeRecorder((event, control) => {
      if (event === 'data') control.pause();
    });
    ask(connections, server.origin, {}, recorder);
    await turns(60);
    assert.equal(recorder.course, 'request start data');
    recorder.control?.resume();
    await recorder.over;
    assert.equal(recorder.course, 'request start data error');
    assert.match(String(recorder.error?.code), /CLOSED_EARLY|ECONNRESET/);
  }
});

test('a paused exchange can be aborted, also behind its end', async (t) => {
  for (const [way, send] of WAYS) {
    const { server, connections } = await set(t, send);
    const recorder = new ExchangeRecorder((event, control) => {
      if (event === 'start') control.pause();
    });
    ask(connections, server.origin, {}, recorder);
    await turns(60);
    assert.equal(recorder.course, 'request start', way);
    const reason = new Error('enough');
    recorder.control?.abort(reason);
    assert.equal(recorder.course, 'request start error', way);
    assert.equal(recorder.error, reason);
    recorder.control?.resume();
    await turns();
    assert.equal(recorder.course, 'request start error', way);
  }
});

const TOTAL = 100_000_000;

/** Sends as much as is taken from it, and counts it. */
function flood(sent: { bytes: number }): (socket: Socket) => void {
  const piece = Buffer.alloc(100_000, 'x');
  return (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${TOTAL}\r\n\r\n`);
    const more = () => {
      while (sent.bytes < TOTAL) {
        sent.bytes += piece.length;
        if (!socket.write(piece)) return;
      }
    };
    socket.on('drain', more);
    more();
  };
}

for (const tls of [false, true]) {
  test(`who does not read keeps the provider from sending${tls ? ', with TLS' : ''}`, async (t) => {
    const sent = { bytes: 0 };
    const server = await keep(t, startByteServer(flood(sent), { tls }));
    let bytes = 0;
    let pauses = 0;
    const recorder = new ExchangeRecorder((event, control, { chunks }) => {
      if (event !== 'data') return;
      for (const chunk of chunks.splice(0)) bytes += chunk.length;
      pauses += 1;
      if (pauses === 1) control.pause();
      else if (pauses % 3 === 0) {
        control.pause();
        setImmediate(() => control.resume());
      }
    });
    ask(made(t), server.origin, {}, recorder);
    while (bytes === 0) await turn();
    const before = bytes;
    await turns(500);
    assert.equal(bytes, before);
    // What the kernels keep for both sides.
    assert.ok(sent.bytes < TOTAL / 3, `${sent.bytes} bytes were sent to somebody who does not read`);
    recorder.control?.resume();
    await recorder.over;
    assert.deepEqual([bytes, recorder.events.at(-1)], [TOTAL, 'end']);
  });
}

test('who pauses is not timed out, and has all of the time again when it goes on', async (t) => {
  const { server, connections } = await set(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf'),
  );
  const recorder = new ExchangeRecorder((event, control) => {
    if (event === 'data') control.pause();
  });
  ask(connections, server.origin, { timeouts: { idleMs: 20 } }, recorder);
  await new Promise((resolve) => setTimeout(resolve, 150));
  assert.equal(recorder.course, 'request start data');
  recorder.control?.resume();
  await recorder.over;
  assert.equal(recorder.error?.code, 'IDLE_TIMEOUT');
});

test('an answer without a body that is paused at its start ends once it goes on', async (t) => {
  const answers = ['HTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'];
  for (const answer of answers) {
    const { server, connections } = await set(t, (socket) => socket.write(answer));
    for (let time = 0; time < 2; time += 1) {
      const recorder = new ExchangeRecorder((event, control) => {
        if (event === 'start') control.pause();
      });
      ask(connections, server.origin, {}, recorder);
      await turns(40);
      assert.equal(recorder.course, 'request start');
      recorder.control?.resume();
      assert.equal(recorder.course, 'request start end');
      await recorder.over;
    }
    assert.equal(server.connections.length, 1);
  }
});

test('what the server sent before it closed is not lost on a connection that is idle again', async (t) => {
  const { server, connections } = await set(t, (socket) =>
    socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx'),
  );
  const recorder = new ExchangeRecorder((event, control) => {
    if (event === 'data') control.pause();
  });
  ask(connections, server.origin, {}, recorder);
  await turns(60);
  recorder.control?.resume();
  const next = ask(connections, server.origin);
  await Promise.all([recorder.over, next.over]);
  assert.equal(recorder.course, ENDED);
  // Over a new connection, or told of the old one's end: never for ever in between.
  assert.match(next.course, /^request start data(?: end)?$|^request error$/);
});
