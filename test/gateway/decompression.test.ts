import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import { createGunzip, gzipSync } from 'node:zlib';
import { DecompressingReceiver } from '../../src/gateway/decompressing-receiver.ts';
import type { AttemptControl, Receiver } from '../../src/gateway/receiver.ts';
import { StreamCommit } from '../../src/gateway/stream-commit.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const MEGABYTE = 1024 * 1024;
const EVENTS = Buffer.from(chatChunk('x'.repeat(16 * 1024)).repeat(4096));
const DONE = Buffer.from(`${chatChunk('', 'stop')}data: [DONE]\n\n`);
const STREAM = gzipSync(Buffer.concat([EVENTS, DONE]));

/** An attempt that only counts: whoever feeds the receiver looks at `pauses`. */
class CountingAttempt implements AttemptControl {
  finished = false;
  isRaced = false;
  pauses = 0;
  readonly resumed = Promise.withResolvers<void>();
  succeed(): void {}
  noteOutput(): void {}
  noteHead(): void {}
  begin(): void {}
  fail(error: Error): void {
    throw error;
  }
  failAs({ error }: { error: Error }): void {
    throw error;
  }
  run(step: () => void): void {
    step();
  }

  whenNoted(step: () => void): void {
    step();
  }
  waitForDrain(): void {}
  pause(): void {
    this.pauses++;
  }
  resume(): void {
    this.pauses--;
    this.resumed.resolve();
  }
}

test('a paused decompressor hands nothing on and holds the provider back; resumed, it hands on all', async () => {
  const attempt = new CountingAttempt();
  const ended = Promise.withResolvers<void>();
  let handedOn = 0;
  let atPause = -1;
  const inner: Receiver = {
    data: (chunk) => {
      handedOn += chunk.length;
      if (atPause >= 0) return;
      atPause = handedOn;
      receiver.pause();
    },
    end: () => ended.resolve(),
    account: () => {},
    accountFailure: () => {},
  };
  const receiver = new DecompressingReceiver(createGunzip(), attempt, inner);
  receiver.data(STREAM);
  await sleep(200);
  assert.ok(atPause > 0);
  assert.equal(handedOn, atPause);
  assert.equal(attempt.pauses, 1);
  receiver.resume();
  // A provider that is held back does not get to its end before it is let go.
  await attempt.resumed.promise;
  receiver.end();
  await ended.promise;
  assert.equal(handedOn, EVENTS.length + DONE.length);
  assert.equal(attempt.pauses, 0);
});

test('a decompressor is freed with its attempt', async () => {
  const transform = createGunzip();
  const inner: Receiver = { data: () => {}, end: () => {}, account: () => {}, accountFailure: () => {} };
  new DecompressingReceiver(transform, new CountingAttempt(), inner).dispose();
  assert.equal(transform.destroyed, true);
});

test('a compressed stream to a client that reads nothing does not grow the memory', async () => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
    response.end(STREAM);
  });
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  const body = { model: 'up/m', stream: true, messages: [{ role: 'user', content: 'Hi' }] };

  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const text = JSON.stringify(body);
  const before = process.memoryUsage().arrayBuffers;
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
  );
  await once(socket, 'readable');
  let most = 0;
  for (let count = 0; count < 10; count++) {
    await sleep(100);
    most = Math.max(most, process.memoryUsage().arrayBuffers - before);
  }
  assert.ok(most < 32 * MEGABYTE, `${most} bytes were held for a client that reads nothing`);
  socket.destroy();

  // The same to a client that reads: every byte arrives.
  const answer = Buffer.from(await (await gateway.post('/v1/chat/completions', body)).arrayBuffer());
  assert.equal(answer.equals(Buffer.concat([EVENTS, DONE])), true);
});

test('a stream in a coding that nobody knows is a failure, and nothing of its call stays behind', async () => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'UTF-8' });
    response.end(DONE);
  });
  const gateway = await startGateway({
    ...configFor(upstream),
    models: { once: { targets: ['up/m'], retries: 0 } },
  });
  closing.push(upstream.close, gateway.stop);
  const before = queryObjects(StreamCommit);
  // Both ways of relaying: passed through, and translated.
  for (const path of ['/v1/chat/completions', '/v1/messages']) {
    const answer = await gateway.post(path, {
      model: 'once',
      stream: true,
      max_tokens: 10,
      messages: [{ role: 'user', content: 'Hi' }],
    });
    assert.equal(answer.status, 502);
    assert.match(await answer.text(), /content encoding that is not known/);
  }
  assert.equal(queryObjects(StreamCommit), before);
});
