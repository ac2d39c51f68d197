import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Answer = (response: ServerResponse) => unknown;

async function setUp(answer: Answer) {
  const upstream = await startRawUpstream(answer);
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const gateway = await startGateway({
    providers: {
      up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
      anthropic: { baseUrl: upstream.baseUrl.replace(/\/v1$/, ''), accounts },
      gemini: { baseUrl: upstream.baseUrl.replace(/\/v1$/, ''), accounts },
    },
  });
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

const DOORS = { chat: '/v1/chat/completions', messages: '/v1/messages' };
const ask = (model: string, stream: boolean) => ({
  model,
  stream,
  max_tokens: 10,
  messages: [{ role: 'user', content: 'Hi' }],
});

const json =
  (text: string): Answer =>
  (response) => {
    response.setHeader('content-type', 'application/json');
    response.end(text);
  };
const events =
  (text: string): Answer =>
  (response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.end(text);
  };

const LIMIT = '{"error":{"message":"Slow down","code":429}}';
const ROLE = chatChunk('').replace('"content":""', '"role":"assistant","content":""');
const MESSAGE_START =
  'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"x","content":[],"stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}}\n\n';
const OVERLOADED =
  'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n';

const UNBILLED: { what: string; model: string; stream: boolean; answer: Answer }[] = [
  { what: 'an error as the first event', model: 'up/m', stream: true, answer: events(`data: ${LIMIT}\n\n`) },
  {
    what: 'an error behind the role',
    model: 'up/m',
    stream: true,
    answer: events(`${ROLE}data: ${LIMIT}\n\n`),
  },
  {
    what: 'an error in the only choice',
    model: 'up/m',
    stream: true,
    answer: events(
      'data: {"id":"c","choices":[{"index":0,"delta":{"content":""},"finish_reason":"error","error":{"message":"Boom","code":502}}]}\n\n',
    ),
  },
  { what: 'an error instead of an answer', model: 'up/m', stream: false, answer: json(LIMIT) },
  {
    what: 'an answer that is cut off',
    model: 'up/m',
    stream: false,
    answer: json('{"choices":[{"message":{"content":"Hel'),
  },
  {
    what: 'an error behind the start of a message',
    model: 'anthropic/x',
    stream: true,
    answer: events(MESSAGE_START + OVERLOADED),
  },
  {
    what: 'an error instead of a message',
    model: 'anthropic/x',
    stream: false,
    answer: json('{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'),
  },
];

for (const { what, model, stream, answer } of UNBILLED) {
  for (const [door, path] of Object.entries(DOORS)) {
    test(`${what} of ${model} is not billed: nothing was generated (${door})`, async () => {
      const gateway = await setUp(answer);
      const response = await gateway.post(path, ask(model, stream));
      assert.notEqual(response.status, 200);
      const [record] = await gateway.calls();
      assert.equal(record?.usage, null);
      assert.equal(record?.costMicroUsd, null);
    });
  }
}

test('what a provider itself reported of a call that failed is recorded', async () => {
  const usage = '"usage":{"prompt_tokens":30,"completion_tokens":4,"total_tokens":34}';
  for (const stream of [false, true]) {
    const failure = `{"error":{"message":"Boom","code":502},"choices":[],${usage}}`;
    const gateway = await setUp(stream ? events(`${ROLE}data: ${failure}\n\n`) : json(failure));
    assert.equal((await gateway.post(DOORS.chat, ask('up/m', stream))).status, 502);
    const [record] = await gateway.calls();
    assert.equal(record?.usage?.input, 30);
    assert.equal(record?.usage?.output, 4);
  }
});

test('output that a failure followed at once was generated: it is accounted, though no client saw it', async () => {
  for (const path of Object.values(DOORS)) {
    const gateway = await setUp(events(`${ROLE}${chatChunk('Hel')}data: ${LIMIT}\n\n`));
    await (await gateway.post(path, ask('up/m', true))).text();
    const [record] = await gateway.calls();
    assert.equal(record?.usage?.estimated, true);
    assert.ok((record?.usage?.output ?? 0) > 0);
  }
});

/** Whole answers with status 200 that are none, and what they report all the same. */
const REPORTED: { what: string; model: string; answer: Answer; input: number }[] = [
  {
    what: 'an error in the only choice',
    model: 'up/m',
    answer: json(
      '{"choices":[{"index":0,"message":{},"error":{"message":"Boom","code":502}}],"usage":{"prompt_tokens":30,"completion_tokens":4}}',
    ),
    input: 30,
  },
  {
    what: 'an answer without choices',
    model: 'up/m',
    answer: json('{"id":"c","choices":[],"usage":{"prompt_tokens":31,"completion_tokens":4}}'),
    input: 31,
  },
  {
    what: 'a message without content',
    model: 'anthropic/x',
    answer: json('{"type":"message","content":null,"usage":{"input_tokens":32,"output_tokens":4}}'),
    input: 32,
  },
  {
    what: 'an answer without candidates',
    model: 'gemini/x',
    answer: json('{"candidates":[],"usageMetadata":{"promptTokenCount":33,"candidatesTokenCount":4}}'),
    input: 33,
  },
  {
    what: 'a stream in the place of a whole answer',
    model: 'up/m',
    answer: events(
      `${chatChunk('Hello', 'stop')}data: {"id":"c","choices":[],"usage":{"prompt_tokens":34,"completion_tokens":4}}\n\ndata: [DONE]\n\n`,
    ),
    input: 34,
  },
];

const FOREIGN_DOOR = (model: string) => (model.startsWith('anthropic') ? DOORS.chat : DOORS.messages);

for (const { what, model, answer, input } of REPORTED) {
  test(`the usage that ${what} of ${model} reports is recorded where it is translated`, async () => {
    const gateway = await setUp(answer);
    const response = await gateway.post(FOREIGN_DOOR(model), ask(model, false));
    assert.equal(response.status, 502);
    const [record] = await gateway.calls();
    assert.equal(record?.usage?.input, input);
    assert.equal(record?.usage?.output, 4);
    assert.equal(record?.usage?.estimated, undefined);
  });
}

const FAILED_USAGE = '"usage":{"prompt_tokens":30,"completion_tokens":4,"total_tokens":34}';
const FAILED = `{"error":{"message":"Boom","code":502},"choices":[],${FAILED_USAGE}}`;
const GOOD =
  '{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}';
const GOOD_EVENTS = `${chatChunk('Hi', 'stop')}data: {"id":"c","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}\n\ndata: [DONE]\n\n`;

/** Two providers of one model, the second asked where the first fails; a token costs a dollar there, and two here. */
async function setUpTwo(first: Answer, second: Answer, limits: object = {}) {
  const upstreams = [await startRawUpstream(first), await startRawUpstream(second)];
  const [a, b] = upstreams.map(({ baseUrl }) => ({
    adapter: 'openai-compatible',
    baseUrl,
    accounts: [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }],
  }));
  const perMillion = 1_000_000;
  const gateway = await startGateway({
    providers: { a, b },
    models: { m: { targets: ['a/x', 'b/y'] } },
    prices: {
      'a/*': { input: 2 * perMillion, output: 2 * perMillion },
      'b/*': { input: perMillion, output: perMillion },
    },
    tenants: { acme: { models: ['*'], limits, keys: [{ name: 'app', secret: TEST_KEY }] } },
  });
  for (const { close } of upstreams) closing.push(close);
  closing.push(gateway.stop);
  return gateway;
}

for (const stream of [false, true]) {
  const failed = stream ? events(`${ROLE}data: ${FAILED}\n\n`) : json(FAILED);
  const kind = stream ? 'a stream' : 'an answer';
  for (const [door, path] of Object.entries(DOORS)) {
    test(`${kind} after a failure that used something: both are recorded, each at its own price (${door})`, async () => {
      const gateway = await setUpTwo(failed, stream ? events(GOOD_EVENTS) : json(GOOD));
      const answer = await gateway.post(path, ask('m', stream));
      assert.equal(answer.status, 200, await answer.text());
      await answer.text().catch(() => '');
      const [record] = await gateway.calls();
      assert.deepEqual([record?.target, record?.usage?.input, record?.usage?.output], ['b/y', 50, 6]);
      assert.equal(record?.costMicroUsd, (34 * 2 + 22) * 1e6);
      const [before, last] = record?.attempts ?? [];
      assert.deepEqual([before?.usage?.input, before?.usage?.output, before?.costMicroUsd], [30, 4, 68e6]);
      assert.deepEqual([last?.usage, last?.costMicroUsd], [undefined, undefined]);
    });
  }

  test(`${kind} that fails without usage after a failure that used something is billed that one alone`, async () => {
    const gateway = await setUpTwo(failed, stream ? events(`data: ${LIMIT}\n\n`) : json(LIMIT));
    const answer = await gateway.post(DOORS.chat, ask('m', stream));
    await answer.text();
    assert.notEqual(answer.status, 200);
    const [record] = await gateway.calls();
    assert.deepEqual([record?.target, record?.usage?.input, record?.usage?.output], ['b/y', 30, 4]);
    assert.equal(record?.costMicroUsd, 68e6);
  });
}

test('what a failed attempt used counts against limits', async () => {
  const gateway = await setUpTwo(json(FAILED), json(GOOD), {
    tokensPerMinute: 100_000,
    budgets: [{ usd: 1e6, per: 'day' }],
  });
  const left: number[] = [];
  for (let calls = 0; calls < 2; calls++) {
    const answer = await gateway.post(DOORS.chat, ask('m', false));
    assert.equal(answer.status, 200, await answer.text());
    left.push(Number(answer.headers.get('x-ratelimit-remaining-tokens')));
  }
  const [before = 0, after = 0] = left;
  assert.equal(before - after, 34 + 22);
  const [record] = await gateway.calls(2);
  assert.equal(record?.costMicroUsd, (34 * 2 + 22) * 1e6);
});
