import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(...[answer]: Parameters<typeof startRawUpstream>) {
  const upstream = await startRawUpstream(answer);
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  return { upstream, gateway };
}

const ask = (stream: boolean) => ({ model: 'up/m', stream, messages: [{ role: 'user', content: 'Hi' }] });
const EVENT_STREAM = { 'content-type': 'text/event-stream' };

test('a whole answer is relayed byte for byte and recorded with what it used', async () => {
  const answer = `${chatAnswer('é😀').slice(0, -1)},"future":[1e999]}`;
  const { gateway } = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(answer);
  });
  const response = await gateway.post('/v1/chat/completions', ask(false));
  assert.equal(await response.text(), answer);
  assert.equal(response.headers.get('x-fairlead-target'), 'up/m');
  assert.equal(response.headers.get('x-fairlead-attempts'), '1');
  assert.match(response.headers.get('server-timing') ?? '', /^gateway;dur=[\d.]+, upstream;dur=[\d.]+$/);
  const [record] = await gateway.calls();
  assert.equal(record?.id, response.headers.get('x-request-id'));
  assert.equal(record?.outcome, 'ok');
  assert.equal(record?.usage?.input, 3);
  assert.equal(record?.usage?.output, 2);
  assert.equal(record?.costMicroUsd, null);
});

test('an answer larger than what is held is relayed while it arrives, whole', async () => {
  const answer = chatAnswer('x'.repeat(9 * 1024 * 1024));
  const { gateway } = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(answer);
  });
  const response = await gateway.post('/v1/chat/completions', ask(false));
  assert.equal((await response.text()) === answer, true);
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.output, 2);
});

test('a large answer that breaks off cuts the connection: nobody can take it for whole', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': 20 * 1024 * 1024 });
    response.write('{"x":"'.padEnd(8 * 1024 * 1024, 'y'), () => response.destroy());
  });
  const response = await gateway.post('/v1/chat/completions', ask(false));
  await assert.rejects(response.text());
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'upstream_unavailable');
});

test('a stream whose lines end with a lone CR is relayed as it comes, one packet a line', async () => {
  const { gateway } = await setUp(async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const text = `${chatChunk('Hello')}${chatChunk('', 'stop')}data: [DONE]\n\n`;
    for (const line of text.split('\n').slice(0, -1)) {
      response.write(`${line}\r`);
      await sleep(5);
    }
    response.end();
  });
  const response = await gateway.post('/v1/chat/completions', ask(true));
  assert.equal(response.status, 200);
  assert.equal(await response.text(), `${chatChunk('Hello')}${chatChunk('', 'stop')}data: [DONE]\n\n`);
});

test('an answer that is compressed although nobody asked is read all the same', async () => {
  const { gateway } = await setUp((response, body) => {
    const stream = body.includes('"stream":true');
    const text = stream ? `${chatChunk('Hello', 'stop')}data: [DONE]\n\n` : chatAnswer('Hello');
    response.writeHead(200, {
      'content-type': stream ? 'text/event-stream' : 'application/json',
      'content-encoding': 'gzip',
    });
    response.end(gzipSync(text));
  });
  for (const stream of [false, true]) {
    const response = await gateway.post('/v1/chat/completions', ask(stream));
    assert.equal(response.headers.get('content-encoding'), null);
    assert.match(await response.text(), /Hello/);
  }
});

test('a stream whose packets are cut anywhere arrives byte for byte', async () => {
  const text = `${chatChunk('é😀')}: keep-alive\n\n${chatChunk('日本').replaceAll('\n', '\r\n')}${chatChunk('', 'stop')}data: [DONE]\n\n`;
  const { gateway } = await setUp(async (response) => {
    response.writeHead(200, EVENT_STREAM);
    for (const byte of Buffer.from(text)) {
      response.write(Buffer.from([byte]));
      await sleep(0);
    }
    response.end();
  });
  const response = await gateway.post('/v1/chat/completions', ask(true));
  assert.equal(await response.text(), text);
});

test('a stream that ends early ends with an error event, never like an answer', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, EVENT_STREAM);
    response.end(chatChunk('Hel'));
  });
  const text = await (await gateway.post('/v1/chat/completions', ask(true))).text();
  assert.match(text, /Hel/);
  assert.match(text, /data: \{"error":\{"message":"The provider ended its stream/);
  assert.doesNotMatch(text, /\[DONE\]/);
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'upstream_unavailable');
  assert.equal(record?.usage?.estimated, true);
});

/** The rest of the provider's answer, which it sends when its stream has begun towards the client: in one packet with the beginning it would be failed over. */
let goOn: () => void;
async function textBehindHead(gateway: Awaited<ReturnType<typeof setUp>>['gateway']): Promise<string> {
  const response = await gateway.post('/v1/chat/completions', ask(true));
  assert.equal(response.status, 200);
  goOn();
  return response.text();
}

test('an error that stands where clients do not look is told in their words', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, EVENT_STREAM);
    response.write(chatChunk('Hel'));
    goOn = () => response.end('data: {"object":"error","message":"Too busy","code":503}\n\n');
  });
  const text = await textBehindHead(gateway);
  assert.match(text, /Hel.*\n\ndata: \{"error":\{"message":.*Too busy.*\n\n$/);
});

test('an event that is an error by its name alone ends a stream with an error that clients know', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, EVENT_STREAM);
    response.write(chatChunk('Hel'));
    goOn = () => response.end(`event: error\ndata: {"detail":"broken"}\n\n${chatChunk('lo', 'stop')}`);
  });
  const text = await textBehindHead(gateway);
  assert.match(text, /Hel.*\n\ndata: \{"error":\{"message":.*\n\n$/);
  assert.doesNotMatch(text, /"lo"/);
});

test('an event that cannot be read ends a stream with an error event, and is not passed on', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, EVENT_STREAM);
    response.write(chatChunk('Hel'));
    goOn = () => response.end('data: [DONE\n\ndata: [DONE]\n\n');
  });
  const text = await textBehindHead(gateway);
  assert.match(text, /Hel.*\n\ndata: \{"error":\{"message":.*\n\n$/);
  assert.doesNotMatch(text, /data: \[DONE/);
});

test('a stream that breaks before any output is an error status, so that clients may retry', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, EVENT_STREAM);
    response.write('data: {"choices":[{"index":0,"delta":{"role":"assistant"}}]}\n\n', () =>
      response.destroy(),
    );
  });
  const response = await gateway.post('/v1/chat/completions', ask(true));
  assert.equal(response.status, 502);
  assert.match(await response.text(), /closed the connection/);
});

test('a finished stream without [DONE] gets one', async () => {
  const { gateway } = await setUp((response) => {
    response.writeHead(200, EVENT_STREAM);
    response.end(chatChunk('Hello', 'stop'));
  });
  const text = await (await gateway.post('/v1/chat/completions', ask(true))).text();
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a server that does not stream still gives a stream to who asked for one', async () => {
  const { gateway } = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('Hello'));
  });
  const response = await gateway.post('/v1/chat/completions', ask(true));
  assert.match(response.headers.get('content-type') ?? '', /event-stream/);
  const text = await response.text();
  assert.match(text, /"content":"Hello"/);
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a web page or half an answer is an error of the provider, not an answer', async () => {
  for (const [type, body] of [
    ['text/html', '<html>login</html>'],
    ['application/json', chatAnswer('Hello').slice(0, 60)],
  ] as const) {
    const { gateway } = await setUp((response) => {
      response.setHeader('content-type', type);
      response.end(body);
    });
    const response = await gateway.post('/v1/chat/completions', ask(false));
    assert.equal(response.status, 502);
  }
});

for (const stream of [false, true]) {
  for (const phase of ['before the head', 'before the first event', 'in the middle'] as const) {
    if (!stream && phase === 'before the first event') continue;
    test(`a client that leaves ${phase} of ${stream ? 'a stream' : 'an answer'} stops the provider`, async (t) => {
      const closed = Promise.withResolvers<number>();
      const reached = Promise.withResolvers<void>();
      const { gateway } = await setUp((response) => {
        response.on('close', () => closed.resolve(performance.now()));
        if (phase !== 'before the head') {
          response.writeHead(200, stream ? EVENT_STREAM : { 'content-type': 'application/json' });
          response.write(
            phase === 'in the middle' ? (stream ? chatChunk('Hel') : '{"id":"c",') : ': wait\n\n',
          );
        }
        setTimeout(() => reached.resolve(), 50);
      });
      const leave = new AbortController();
      const pending = gateway.post('/v1/chat/completions', ask(stream), { signal: leave.signal });
      pending.then((response) => response.text()).catch(() => {});
      await reached.promise;
      const left = performance.now();
      leave.abort();
      // Nothing else would end this request before the test's own time-out, so that it ends at all is the proof.
      t.diagnostic(`the provider's connection closed after ${((await closed.promise) - left).toFixed(1)} ms`);
      const [record] = await gateway.calls();
      assert.equal(record?.outcome, 'cancelled');
      assert.equal(record?.status, 499);
      assert.equal(record?.usage?.estimated, true);
    });
  }
}

const STREAMS = scale({ sample: 100, heavy: 1000 });

test(`${STREAMS} streams at once: every byte arrives, in order, none mixed`, async () => {
  const count = 40;
  const { gateway } = await setUp(async (response, body) => {
    const name = /stream-(\d+)-/.exec(body)?.[0];
    response.writeHead(200, EVENT_STREAM);
    for (let index = 0; index < count; index++) {
      response.write(chatChunk(`${name}${index} é`));
      await sleep(1 + Math.random() * 5);
    }
    response.end(`${chatChunk('', 'stop')}data: [DONE]\n\n`);
  });
  const runs = Array.from({ length: STREAMS }, async (_, id) => {
    const name = `stream-${id}-`;
    const response = await gateway.post('/v1/chat/completions', {
      ...ask(true),
      messages: [{ role: 'user', content: name }],
    });
    const expected = Array.from({ length: count }, (_, index) => chatChunk(`${name}${index} é`)).join('');
    assert.equal(await response.text(), `${expected}${chatChunk('', 'stop')}data: [DONE]\n\n`);
  });
  await Promise.all(runs);
  assert.equal(
    (await gateway.calls(Math.min(STREAMS, 1000))).filter(({ outcome }) => outcome === 'ok').length,
    STREAMS,
  );
});

test('a slow reader holds the provider back instead of growing the memory', async () => {
  const total = 64 * 1024 * 1024;
  const chunk = chatChunk('x'.repeat(16 * 1024));
  let sent = 0;
  const { gateway } = await setUp(async (response) => {
    response.writeHead(200, EVENT_STREAM);
    // Once: a wait that another one wins leaves its listeners behind.
    const closed = once(response, 'close');
    while (sent < total && !response.destroyed) {
      sent += chunk.length;
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), closed]);
    }
  });
  const { hostname, port } = new URL(gateway.url);
  const socket = connect(Number(port), hostname);
  const body = JSON.stringify(ask(true));
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TEST_KEY}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  await once(socket, 'readable');
  // Nothing is read from here on. What the provider can still send is what the sockets' own buffers hold.
  let before = -1;
  while (before !== sent) {
    before = sent;
    await sleep(300);
  }
  assert.ok(sent < total / 2, `the provider could send ${sent} bytes to a client that reads nothing`);
  socket.destroy();
});
