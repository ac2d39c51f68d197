import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { collectEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { dispatchEcho } from '../../../src/upstream/echo/transport.ts';
import type { ExchangeControl, ExchangeHandler } from '../../../src/upstream/exchange.ts';

const CREATED = 1_800_000_000;

/** Takes an answer down as it comes. */
class Recorder implements ExchangeHandler {
  /** The names of the callbacks, in order. */
  readonly calls: string[] = [];
  readonly done: Promise<void>;
  controller: ExchangeControl | undefined;
  status = 0;
  headers: Record<string, string | string[] | undefined> = {};
  chunks: string[] = [];
  error: Error | undefined;
  #finish: () => void = () => undefined;

  constructor() {
    this.done = new Promise((resolve) => {
      this.#finish = resolve;
    });
  }

  get text(): string {
    return this.chunks.join('');
  }

  get json(): JsonObject {
    const value = JSON.parse(this.text) as JsonValue;
    assert.ok(isObject(value));
    return value;
  }

  onRequestStart(controller: ExchangeControl): void {
    this.calls.push('requestStart');
    this.controller = controller;
  }

  onResponseStart(_: ExchangeControl, status: number, headers: Recorder['headers']): void {
    this.calls.push('responseStart');
    Object.assign(this, { status, headers });
  }

  onResponseData(_: ExchangeControl, chunk: Buffer): void {
    if (this.calls.at(-1) !== 'data') this.calls.push('data');
    this.chunks.push(chunk.toString());
  }

  onResponseEnd(): void {
    this.calls.push('end');
    this.#finish();
  }

  onResponseError(_: ExchangeControl, error: Error): void {
    this.calls.push('error');
    this.error = error;
    this.#finish();
  }
}

function send<R extends Recorder>(handler: R, path: string, body: unknown): R {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  dispatchEcho({ path, method: 'POST', body: Buffer.from(text) }, handler, CREATED);
  return handler;
}

async function ask(path: string, body: unknown): Promise<Recorder> {
  const recorder = send(new Recorder(), path, body);
  await recorder.done;
  return recorder;
}

function chatRequest(text: string, rest: JsonObject = {}): JsonObject {
  return { model: 'echo', messages: [{ role: 'user', content: text }], ...rest };
}

const CHAT = '/v1/chat/completions';
const LONG_STREAM = chatRequest('word '.repeat(200), { stream: true });
const HELLO = 'Echo: Hello there';

function dataOf(stream: string): string[] {
  return stream
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => event.replace(/^data: /, ''));
}

function readStream(stream: string): Completion {
  const decoder = chat.streamDecoder();
  const events = dataOf(stream).flatMap((data) => decoder.push({ data }));
  const collected = collectEvents([...events, ...decoder.end()]);
  assert.equal(collected.error, undefined);
  assert.ok(collected.ended);
  return collected.completion;
}

test('a chat completion comes as JSON', async () => {
  const answer = await ask(CHAT, chatRequest('Hello there'));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['content-length'], String(Buffer.byteLength(answer.text)));
  const [choice] = chat.decodeResponse(answer.json).choices;
  assert.deepEqual(choice?.parts, [{ type: 'text', text: HELLO }]);
  assert.deepEqual(answer.calls, ['requestStart', 'responseStart', 'data', 'end']);
});

const REQUESTS: [what: string, request: JsonObject][] = [
  ['text', chatRequest('Hello there, 😀 — how are you?')],
  ['a long word', chatRequest('x'.repeat(1000))],
  ['several choices', chatRequest('Hello there', { n: 3 })],
  ['reasoning', chatRequest('Hello there', { reasoning_effort: 'high' })],
  ['a cut answer', chatRequest('one two three four', { max_completion_tokens: 3 })],
  [
    'a schema',
    chatRequest('Hello there', {
      response_format: {
        type: 'json_schema',
        json_schema: {
          name: 'greeting',
          schema: { type: 'object', properties: { greeting: { type: 'string' } }, required: ['greeting'] },
        },
      },
    }),
  ],
  [
    'parallel tool calls',
    chatRequest('look_up and get_time', {
      tools: ['look_up', 'get_time'].map((name) => ({
        type: 'function',
        function: { name, parameters: { type: 'object', properties: { query: { type: 'string' } } } },
      })),
    }),
  ],
];

for (const [what, request] of REQUESTS) {
  test(`the stream adds up to the non-streaming answer: ${what}`, async () => {
    const whole = await ask(CHAT, request);
    const stream = await ask(CHAT, { ...request, stream: true, stream_options: { include_usage: true } });
    assert.equal(stream.status, 200);
    assert.match(String(stream.headers['content-type']), /^text\/event-stream/);
    assert.equal(dataOf(stream.text).at(-1), '[DONE]');
    assert.ok(stream.chunks.length > 3);
    const expected = chat.decodeResponse(whole.json);
    const { id, model, choices, usage } = readStream(stream.text);
    assert.deepEqual(
      { id, model, choices, usage },
      {
        id: expected.id,
        model: expected.model,
        choices: expected.choices,
        usage: expected.usage,
      },
    );
  });
}

test('usage is in the stream only where it was asked for', async () => {
  const silent = await ask(CHAT, chatRequest('Hello', { stream: true }));
  assert.equal(readStream(silent.text).usage, undefined);
});

test('embeddings come as floats or as base64 of the same floats', async () => {
  const request = { model: 'echo', input: ['Hello', 'there'], dimensions: 8 };
  const floats = (await ask('/v1/embeddings', request)).json['data'];
  const encoded = (await ask('/v1/embeddings', { ...request, encoding_format: 'base64' })).json['data'];
  assert.ok(Array.isArray(floats) && Array.isArray(encoded));
  assert.equal(floats.length, 2);
  for (const [index, item] of encoded.entries()) {
    const float: JsonValue | undefined = floats[index];
    assert.ok(isObject(item) && typeof item['embedding'] === 'string' && isObject(float));
    const bytes = Buffer.from(item['embedding'], 'base64');
    const decoded = Array.from({ length: bytes.length / 4 }, (_, place) => bytes.readFloatLE(place * 4));
    assert.deepEqual(decoded, float['embedding']);
  }
});

test('a path may have a prefix and a query', async () => {
  assert.equal((await ask('/any/v1/chat/completions?trace=1', chatRequest('Hi'))).status, 200);
});

const FAILURES: [what: string, path: string, body: unknown, status: number, param: string | null][] = [
  ['a body that is no JSON', CHAT, '{', 400, null],
  ['a body that is no object', CHAT, [], 400, null],
  ['a request that the decoder refuses', CHAT, { model: 'echo', messages: 'Hi' }, 400, 'messages'],
  ['a request that the model refuses', CHAT, chatRequest('Hi', { n: 0 }), 400, 'n'],
  ['a stream that the model refuses', CHAT, chatRequest('Hi', { n: 0, stream: true }), 400, 'n'],
  ['empty input', '/v1/embeddings', { model: 'echo', input: '' }, 400, 'input'],
  ['a path that is not served', '/v1/images', {}, 404, null],
];

for (const [what, path, body, status, param] of FAILURES) {
  test(`${what}: an error body of the dialect with its status`, async () => {
    const answer = await ask(path, body);
    assert.equal(answer.status, status);
    assert.equal(answer.headers['content-type'], 'application/json');
    const { error } = answer.json;
    assert.ok(isObject(error) && typeof error['message'] === 'string');
    assert.equal(error['param'], param);
  });
}

test('another method than POST is not served', async () => {
  const recorder = new Recorder();
  dispatchEcho({ path: CHAT, method: 'GET', body: '' }, recorder, CREATED);
  await recorder.done;
  assert.equal(recorder.status, 404);
});

test('a body that is neither text nor bytes is an error of the transport', async () => {
  const recorder = new Recorder();
  dispatchEcho({ path: CHAT, method: 'POST', body: null }, recorder, CREATED);
  await recorder.done;
  assert.ok(recorder.error instanceof TypeError);
  assert.deepEqual(recorder.calls, ['requestStart', 'error']);
});

test('the answer does not come before dispatch has returned', async () => {
  const recorder = send(new Recorder(), CHAT, chatRequest('Hi'));
  assert.deepEqual(recorder.calls, ['requestStart']);
  await recorder.done;
  assert.deepEqual(recorder.calls.at(-1), 'end');
});

test('a stream comes a few events at a turn, so that others get theirs', async () => {
  const recorder = send(new Recorder(), CHAT, LONG_STREAM);
  const counts: number[] = [];
  while (!recorder.calls.includes('end')) {
    const before = recorder.chunks.length;
    await nextTurn();
    counts.push(recorder.chunks.length - before);
  }
  assert.ok(recorder.chunks.length > 200);
  assert.ok(Math.max(...counts) <= 8, `at most ${Math.max(...counts)} chunks between two turns`);
});

test('nothing comes while the controller is paused, and everything after', async () => {
  class Pausing extends Recorder {
    override onResponseData(controller: ExchangeControl, chunk: Buffer): void {
      super.onResponseData(controller, chunk);
      if (this.chunks.length % 50 === 0) controller.pause();
    }
  }
  const recorder = send(new Pausing(), CHAT, LONG_STREAM);
  let pauses = 0;
  while (!recorder.calls.includes('end')) {
    await nextTurn();
    if (!recorder.controller?.paused) continue;
    pauses += 1;
    const before = recorder.chunks.length;
    for (let turn = 0; turn < 3; turn += 1) await nextTurn();
    assert.equal(recorder.chunks.length, before);
    recorder.controller.resume();
    recorder.controller.resume();
    assert.equal(recorder.controller.paused, false);
  }
  assert.ok(pauses >= 4);
  const [choice] = readStream(recorder.text).choices;
  assert.deepEqual(choice?.parts, [{ type: 'text', text: `Echo: ${'word '.repeat(200)}` }]);
});

test('paused before its start, an answer says its status and waits', async () => {
  class Waiting extends Recorder {
    override onRequestStart(controller: ExchangeControl): void {
      super.onRequestStart(controller);
      controller.pause();
    }
  }
  const recorder = send(new Waiting(), CHAT, chatRequest('Hi'));
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.deepEqual(recorder.calls, ['requestStart', 'responseStart']);
  recorder.controller?.resume();
  await recorder.done;
  assert.deepEqual(recorder.calls, ['requestStart', 'responseStart', 'data', 'end']);
});

test('aborted in the middle of a stream, it ends in that error and gives nothing more', async () => {
  const reason = new Error('the client left');
  class Aborting extends Recorder {
    override onResponseData(controller: ExchangeControl, chunk: Buffer): void {
      super.onResponseData(controller, chunk);
      if (this.chunks.length === 7) controller.abort(reason);
    }
  }
  const recorder = send(new Aborting(), CHAT, LONG_STREAM);
  await recorder.done;
  for (let turn = 0; turn < 5; turn += 1) await nextTurn();
  assert.equal(recorder.chunks.length, 7);
  assert.equal(recorder.error, reason);
  assert.deepEqual(recorder.calls, ['requestStart', 'responseStart', 'data', 'error']);
});

test('aborted before the answer or while paused, it ends at once', async () => {
  const early = send(new Recorder(), CHAT, LONG_STREAM);
  early.controller?.abort(new Error('too late'));
  assert.deepEqual(early.calls, ['requestStart', 'error']);

  const paused = send(new Recorder(), CHAT, LONG_STREAM);
  paused.controller?.pause();
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  paused.controller?.abort(new Error('gave up'));
  paused.controller?.resume();
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  assert.deepEqual(paused.calls, ['requestStart', 'responseStart', 'error']);
  assert.deepEqual(early.calls, ['requestStart', 'error']);
});

test('to abort what is over changes nothing', async () => {
  const recorder = await ask(CHAT, chatRequest('Hi'));
  recorder.controller?.abort(new Error('late'));
  assert.equal(recorder.calls.at(-1), 'end');
});

test('what a handler throws ends its exchange with that error, once', async () => {
  const thrown = new Error('handler broke');
  class Breaking extends Recorder {
    override onResponseData(): void {
      throw thrown;
    }
  }
  const recorder = send(new Breaking(), CHAT, LONG_STREAM);
  await recorder.done;
  for (let turn = 0; turn < 3; turn += 1) await nextTurn();
  assert.equal(recorder.error, thrown);
  assert.deepEqual(recorder.calls, ['requestStart', 'responseStart', 'error']);
});

test('an answer is dated, whole and in a stream', async () => {
  const question = { model: 'echo', messages: [{ role: 'user', content: 'Hello' }] };
  const whole = await ask(CHAT, question);
  assert.equal(whole.json['created'], CREATED);
  const stream = await ask(CHAT, { ...question, stream: true });
  assert.match(stream.text, new RegExp(`"created":${CREATED}`));
});
