import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import OpenAI, { APIError, BadRequestError, PermissionDeniedError, toFile } from 'openai';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { drawImage, hear } from '../support/openai/media.ts';
import { scale } from '../support/scale.ts';

const openai = await startFakeOpenAi();
const second = await startFakeOpenAi();
const describe = ({ url, apiKey }: { url: string; apiKey: string }) => ({
  adapter: 'openai-compatible',
  baseUrl: url,
  accounts: [{ name: 'main', apiKey }],
});

interface Sink {
  upstream: { bytes: number; requests: number; finished: boolean };
  closed: Promise<unknown>;
}
/** A provider that counts what it gets and keeps nothing; `answer` as soon as a request is there. */
async function startSink(
  answer: (request: IncomingMessage, response: ServerResponse, sink: Sink['upstream']) => void,
) {
  const upstream = { bytes: 0, requests: 0, finished: false };
  const closed = Promise.withResolvers<void>();
  const server = createServer((request, response) => {
    upstream.requests += 1;
    request.on('close', () => closed.resolve());
    request.on('end', () => {
      upstream.finished = true;
    });
    answer(request, response, upstream);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.closeAllConnections());
  after(() => server.close());
  return {
    upstream,
    closed: closed.promise,
    hangUp: () => server.closeAllConnections(),
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
  };
}
const counting = await startSink((request, response, sink) => {
  request.on('data', (chunk: Buffer) => {
    sink.bytes += chunk.length;
  });
  request.on('end', () =>
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"text":"heard"}'),
  );
});
const stuck = await startSink(() => {});
const silent = await startSink((request) => request.resume());

const LIMITED_KEY = 'sk-fl-limited-key-00000000000000000';
const gateway = await startGateway({
  server: { port: 0, uploadLimit: '300mb', drainTimeout: '5s' },
  providers: {
    openai: describe(openai),
    second: describe(second),
    counting: { adapter: 'openai-compatible', baseUrl: counting.baseUrl },
    stuck: { adapter: 'openai-compatible', baseUrl: stuck.baseUrl },
    silent: { adapter: 'openai-compatible', baseUrl: silent.baseUrl },
  },
  models: {
    ear: { targets: ['openai/whisper-1', 'second/whisper-1'] },
    painter: { targets: ['openai/gpt-image-1', 'second/gpt-image-1'] },
  },
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    limited: { models: ['echo/*'], keys: [{ name: 'app', secret: LIMITED_KEY }] },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([openai.close(), second.close()]);
});
const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
const client = clientOf(TEST_KEY);

let caused = 0;
async function lastRecord() {
  caused += 1;
  const [record] = await gateway.calls(caused);
  return record;
}

const AUDIO = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 256));
const audioFile = (bytes: Buffer = AUDIO) => toFile(bytes, 'größe.wav', { type: 'audio/wav' });

/** The SDK writes the fields of a form in the order of the caller's object. */
for (const order of ['the model first', 'the file first'] as const) {
  for (const [size, bytes] of [
    ['small', AUDIO.subarray(0, 5000)],
    ['large', Buffer.concat(Array.from({ length: 20 }, () => AUDIO))],
  ] as const) {
    test(`a ${size} file is transcribed, ${order}`, async () => {
      const file = await audioFile(bytes);
      const heard = await client.audio.transcriptions.create(
        order === 'the model first'
          ? { model: 'ear', file, language: 'de' }
          : { file, language: 'de', model: 'ear' },
      );
      assert.equal(heard.text, hear(bytes));
      const record = await lastRecord();
      assert.deepEqual(
        [record?.operation, record?.outcome, record?.target, record?.usage, record?.costMicroUsd],
        ['transcribe', 'ok', 'openai/whisper-1', null, null],
      );
    });
  }
}

test('a transcription as text is text', async () => {
  const heard = await client.audio.transcriptions.create({
    model: 'ear',
    file: await audioFile(),
    response_format: 'text',
  });
  assert.equal(heard, `${hear(AUDIO)}\n`);
  await lastRecord();
});

test('a transcription that streams ends with its usage', async () => {
  const stream = await client.audio.transcriptions.create({
    file: await audioFile(),
    model: 'openai/gpt-4o-transcribe',
    stream: true,
  });
  const events = [];
  for await (const event of stream) events.push(event);
  assert.deepEqual(
    events.map(({ type }) => type),
    ['transcript.text.delta', 'transcript.text.done'],
  );
  const record = await lastRecord();
  assert.equal(record?.stream, true);
  assert.deepEqual([record?.usage?.input, record?.usage?.inputAudio, record?.usage?.output], [4, 10, 45]);
});

test('a translation has its own operation', async () => {
  const { text } = await client.audio.translations.create({ model: 'ear', file: await audioFile() });
  assert.equal(text, hear(AUDIO));
  assert.equal((await lastRecord())?.operation, 'translate');
  assert.equal(openai.requests.at(-1)?.path, '/v1/audio/translations');
});

test('images are edited and varied', async () => {
  const image = await toFile(AUDIO, 'a.png', { type: 'image/png' });
  const edited = await client.images.edit({ image: [image, image], prompt: 'snow', model: 'painter' });
  assert.equal(edited.data?.[0]?.b64_json, drawImage(`snow of ${hear(AUDIO)}, ${hear(AUDIO)}`));
  const record = await lastRecord();
  assert.deepEqual([record?.operation, record?.usage?.output], ['image_edit', 272]);
  const varied = await client.images.createVariation({ image, model: 'openai/dall-e-2' });
  assert.equal(varied.data?.length, 1);
  assert.equal((await lastRecord())?.operation, 'image_variation');
});

test('an upload that is kept is sent again, whole, where the first provider fails', async () => {
  for (const form of [
    { model: 'ear', file: await audioFile() },
    { file: await audioFile(), model: 'ear' },
    { file: await audioFile(Buffer.concat(Array.from({ length: 10 }, () => AUDIO))), model: 'ear' },
  ]) {
    openai.setBehaviour('fail 503', 1);
    const { text } = await client.audio.transcriptions.create(form);
    assert.equal(text, hear(Buffer.from(await form.file.arrayBuffer())));
    assert.deepEqual(
      (await lastRecord())?.attempts.map(({ target, outcome }) => `${target} ${outcome}`),
      ['openai/whisper-1 upstream_unavailable', 'second/whisper-1 ok'],
    );
  }
});

test('an upload that was let go of makes one attempt', async () => {
  openai.setBehaviour('fail 503', 1);
  const file = await audioFile(Buffer.concat(Array.from({ length: 10 }, () => AUDIO)));
  await assert.rejects(
    client.audio.transcriptions.create({ model: 'ear', file }),
    (error) => error instanceof APIError && error.status === 502,
  );
  assert.equal((await lastRecord())?.attempts.length, 1);
});

const BOUNDARY = 'limit-7';
const field = (name: string, value: string) =>
  `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const fileHead = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\n`;
const END = `\r\n--${BOUNDARY}--\r\n`;
const TYPE = `multipart/form-data; boundary="${BOUNDARY}"`;

function postForm(body: string, headers: Record<string, string> = {}) {
  return gateway.post('/v1/audio/transcriptions', body, { headers: { 'content-type': TYPE, ...headers } });
}

test('what is no form, or has no clear model, is refused and goes to no provider', async () => {
  const before = counting.upstream.requests;
  const sound = `${fileHead}sound${END}`;
  for (const [body, param] of [
    [sound, 'model'],
    [field('model', '') + sound, 'model'],
    [field('model', 'x'.repeat(500)) + sound, 'model'],
    [`${field('model', 'counting/m')}${field('model', 'counting/n')}${sound}`, 'model'],
    [`${fileHead}sound`, null],
    ['no form at all', null],
  ] as const) {
    const response = await postForm(body);
    assert.equal(response.status, 400, body.slice(0, 80));
    const { error } = (await response.json()) as { error: { param: string | null } };
    assert.equal(error.param, param);
    const record = await lastRecord();
    assert.equal(record?.outcome, 'invalid_request');
  }
  // The second model was seen when the first had been sent on: that request was never completed.
  assert.ok(counting.upstream.requests <= before + 1);
  const unclear: Record<string, string>[] = [
    { 'content-type': 'multipart/form-data' },
    { 'content-encoding': 'gzip' },
  ];
  for (const headers of unclear) {
    assert.equal((await postForm(sound, headers)).status, 400);
  }
});

test('a form that is refused in its middle is not completed at the provider', async () => {
  const sink = await startSink((request) => request.resume());
  const own = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: sink.baseUrl } },
  });
  try {
    const filler = 'x'.repeat(2_000_000);
    const body = `${field('model', 'up/m')}${fileHead}${filler}\r\n${field('model', 'up/n')}--${BOUNDARY}--\r\n`;
    const response = await own.post('/v1/audio/transcriptions', body, { headers: { 'content-type': TYPE } });
    assert.equal(response.status, 400);
    await sink.closed;
    assert.equal(sink.upstream.finished, false);
  } finally {
    await own.stop();
  }
});

test('an upload over the limit is refused, announced or not', async () => {
  const own = await startGateway({
    server: { port: 0, uploadLimit: '2mb' },
    providers: { counting: { adapter: 'openai-compatible', baseUrl: counting.baseUrl } },
  });
  try {
    const path = '/v1/audio/transcriptions';
    const headers = { 'content-type': TYPE };
    const begin = field('model', 'counting/m') + fileHead;
    const announced = await own.post(path, begin + 'x'.repeat(3 * 1024 * 1024) + END, { headers });
    assert.equal(announced.status, 413);
    let sent = 0;
    const unannounced = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(Buffer.from(begin)),
      pull: (controller) => {
        sent += 1;
        if (sent > 10) controller.close();
        else controller.enqueue(Buffer.alloc(1024 * 1024, 'x'));
      },
    });
    const response = await fetch(own.url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${TEST_KEY}`, ...headers },
      body: unannounced,
      duplex: 'half',
    });
    assert.equal(response.status, 413);
    const records = await own.calls(2);
    assert.deepEqual(
      records.map(({ outcome }) => outcome),
      ['payload_too_large', 'payload_too_large'],
    );
  } finally {
    await own.stop();
  }
});

test('whoever has no key, or may not call the model, uploads nothing', async () => {
  const sound = `${field('model', 'counting/m')}${fileHead}sound${END}`;
  const before = counting.upstream.requests;
  assert.equal((await postForm(sound, { authorization: 'Bearer sk-fl-nobody' })).status, 401);
  const call = clientOf(LIMITED_KEY).audio.transcriptions.create({
    model: 'counting/m',
    file: await audioFile(),
  });
  await assert.rejects(call, (error) => error instanceof PermissionDeniedError);
  await lastRecord();
  assert.equal(counting.upstream.requests, before);
  await assert.rejects(
    client.audio.transcriptions.create({ model: 'echo/echo', file: await audioFile() }),
    (error) => error instanceof BadRequestError && error.code === 'unsupported_operation',
  );
  await lastRecord();
});

/** An upload that the test writes piece by piece. */
function startUpload(headers: Record<string, string> = {}) {
  const request = httpRequest(`${gateway.url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': TYPE, ...headers },
  });
  request.on('error', () => {});
  return request;
}

test('a client that leaves in the middle of its upload: the provider is told, before the model and after it', async () => {
  for (const begin of [field('model', 'silent/m') + fileHead, fileHead]) {
    const request = startUpload();
    request.write(begin + 'x'.repeat(100_000));
    await sleep(200);
    request.destroy();
    const record = await lastRecord();
    assert.equal(record?.outcome, 'cancelled');
    assert.equal(record?.attempts.length, begin === fileHead ? 0 : 1);
  }
  await silent.closed;
  assert.equal(silent.upstream.finished, false);
});

/** Only what is held counts, not what could have been collected already. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MB = Buffer.alloc(1024 * 1024, 'y');

/** Where the model comes last, more has to wait for it. */
const ORDERS: readonly string[] = ['the model last', 'the model first'];

for (const order of scale({ sample: ORDERS.slice(0, 1), heavy: ORDERS })) {
  test(`200 MB pass without the memory growing by a quarter of them, ${order}`, async () => {
    const before = counting.upstream.bytes;
    const request = startUpload();
    const answered = once(request, 'response');
    request.write(order === 'the model first' ? field('model', 'counting/m') + fileHead : fileHead);
    let start = 0;
    let most = 0;
    for (let sent = 0; sent < 200; sent++) {
      if (!request.write(MB)) await once(request, 'drain');
      if (sent % 20 > 0) continue;
      await sleep(5);
      // The second finishes what the first left to a thread in the background, which a busy machine keeps waiting.
      collectGarbage();
      collectGarbage();
      const held = process.memoryUsage().arrayBuffers;
      // What is kept, and what waits on the way, is there after some of it; it must not become more.
      if (sent === 20) start = held;
      if (sent > 20) most = Math.max(most, held - start);
    }
    request.end(order === 'the model first' ? END : `\r\n${field('model', 'counting/m')}--${BOUNDARY}--\r\n`);
    const [response] = (await answered) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    response.resume();
    assert.ok(counting.upstream.bytes - before > 200 * MB.length);
    assert.ok(most < 50 * 1024 * 1024, `${most} bytes`);
    await lastRecord();
  });
}

test('a provider that does not read holds the client back', async () => {
  const request = startUpload();
  request.write(field('model', 'stuck/m') + fileHead);
  let taken = 0;
  let full = false;
  while (!full && taken < 60) {
    full = !request.write(MB) && !(await Promise.race([once(request, 'drain'), sleep(500)]));
    taken += 1;
  }
  assert.ok(full, 'the gateway took all of it');
  assert.ok(taken < 40, `${taken} MB`);
  request.destroy();
  // Nobody reads from a client that is held back, so that it left shows only when the provider moves on.
  stuck.hangUp();
  assert.notEqual((await lastRecord())?.outcome, 'ok');
});
