import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/* Answers that the gateway cuts at stop sequences by itself: what a provider says then, and what its client gets. */

type Act = (response: ServerResponse) => unknown;

interface Piece {
  text?: string;
  index?: number;
  finish?: string;
  logprobs?: string[];
  calls?: object[];
}

function event({ text, index = 0, finish, logprobs, calls }: Piece): string {
  const delta = {
    role: 'assistant',
    ...(text !== undefined && { content: text }),
    ...(calls && { tool_calls: calls }),
  };
  const tokens = logprobs && { content: logprobs.map((token) => ({ token, logprob: -1, bytes: null })) };
  const choice = { index, delta, logprobs: tokens ?? null, finish_reason: finish ?? null };
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [choice] };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

const USED = { prompt_tokens: 20, completion_tokens: 9, total_tokens: 29 };
const USAGE = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage: USED })}\n\n`;

const begin = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });

const streams =
  (...pieces: Piece[]): Act =>
  (response) =>
    begin(response).end(`${pieces.map(event).join('')}${USAGE}data: [DONE]\n\n`);

/** Says this and is gone. */
const breaksOff =
  (...pieces: Piece[]): Act =>
  (response) => {
    begin(response).write(pieces.map(event).join(''));
    // What was written is to arrive before the reset.
    setTimeout(() => response.destroy(), 20);
  };

const answers =
  (...choices: object[]): Act =>
  (response) => {
    const body = {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices,
      usage: USED,
      own: 1.0,
    };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };

async function setUp(context: TestContext) {
  const acts: Act[] = [];
  const bodies: JsonObject[] = [];
  const texts: string[] = [];
  const upstream = await startRawUpstream((response, body) => {
    texts.push(body);
    bodies.push(JSON.parse(body) as JsonObject);
    (acts.shift() ?? assert.fail('one request too many'))(response);
  });
  context.after(() => upstream.close());
  const accounts = [{ name: 'main', apiKey: 'upstream-key' }];
  const gateway = await startGateway({
    providers: {
      openai: { baseUrl: upstream.baseUrl, accounts },
      kin: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
      mistral: { baseUrl: upstream.baseUrl, accounts },
    },
    models: {
      both: { targets: ['openai/gpt-5-mini', 'kin/x'], retries: 1 },
      on: { targets: ['openai/gpt-5-mini', 'mistral/mistral-large'], retries: 1, continueStreams: true },
    },
    prices: { 'openai/*': { input: 1, output: 2 }, 'kin/*': { input: 1, output: 2 } },
    tenants: {
      acme: {
        models: ['*'],
        keys: [{ name: 'app', secret: TEST_KEY }],
        capture: { mode: 'full', retention: '1h' },
      },
    },
  });
  context.after(() => gateway.stop());
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  return { acts, bodies, texts, gateway, client };
}

type World = Awaited<ReturnType<typeof setUp>>;

const MESSAGES = [{ role: 'user' as const, content: 'Count.' }];

/** What OpenAI's SDK makes of a stream. */
async function stream({ client }: World, fields: object = {}) {
  const asked = { model: 'openai/gpt-5-mini', messages: MESSAGES, stop: ['END'], ...fields };
  const chunks = client.chat.completions.stream({ ...asked, stream_options: { include_usage: true } });
  const { choices, usage } = await chunks.finalChatCompletion();
  return {
    said: choices.map(({ message, finish_reason }) => [message.content, finish_reason]),
    choices,
    tokens: usage?.completion_tokens,
  };
}

test('the model is not told, and what it says that it used is what counts', async (context) => {
  const world = await setUp(context);
  world.acts.push(streams({ text: 'one E' }, { text: 'ND two' }, { text: ' three', finish: 'length' }));
  const { said, tokens } = await stream(world);
  assert.deepEqual([said, tokens], [[['one ', 'stop']], 9]);
  assert.equal(Object.hasOwn(world.bodies[0] ?? {}, 'stop'), false);
  const [record] = await world.gateway.calls(1);
  assert.deepEqual(
    [record?.usage?.output, record?.usage?.estimated, record?.outcome, record?.attempts[0]?.adapted],
    [9, undefined, 'ok', { stop: 'cut' }],
  );
});

test('each of several choices is cut for itself', async (context) => {
  const world = await setUp(context);
  world.acts.push(
    streams(
      { text: 'a EN', index: 0 },
      { text: 'b EN', index: 1 },
      { text: 'D x', index: 0 },
      { text: 'C y', index: 1 },
      { index: 0, finish: 'stop' },
      { index: 1, finish: 'length' },
    ),
  );
  const { said } = await stream(world, { n: 2 });
  assert.deepEqual(said, [
    ['a ', 'stop'],
    ['b ENC y', 'length'],
  ]);
});

test('calls of tools are told as they are, and so are log probabilities of what is told', async (context) => {
  const world = await setUp(context);
  const call = {
    index: 0,
    id: 'call_1',
    type: 'function',
    function: { name: 'f', arguments: '{"a":"END"}' },
  };
  world.acts.push(
    streams({ text: 'so' }, { calls: [call] }, { finish: 'tool_calls' }),
    streams(
      { text: 'a E', logprobs: ['a', ' E'] },
      { text: 'ND b', logprobs: ['ND', ' b'] },
      { finish: 'stop' },
    ),
  );
  const tools = [
    { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } },
  ];
  const called = await stream(world, { tools });
  assert.deepEqual(called.said, [['so', 'tool_calls']]);
  const [made] = called.choices[0]?.message.tool_calls ?? [];
  assert.deepEqual(made?.type === 'function' && made.function.arguments, '{"a":"END"}');
  const stop = ['1', '2', '3', '4', ' END'];
  const logged = await stream(world, { model: 'openai/gpt-4.1', stop, logprobs: true });
  assert.deepEqual(logged.said, [['a', 'stop']]);
  assert.deepEqual(
    logged.choices[0]?.logprobs?.content?.map(({ token }) => token),
    ['a'],
  );
  assert.deepEqual(world.bodies[1]?.['stop'], ['1', '2', '3', '4']);
});

test('a call that names no more than the model takes goes through as it is, and so does its answer', async (context) => {
  const world = await setUp(context);
  for (const [model, stop] of [
    ['openai/gpt-4.1', ['1', '2', '3', '4']],
    ['openai/gpt-5-mini', null],
    ['openai/o3-mini', 'END'],
    ['kin/gpt-5-mini', ['1', '2', '3', '4', '5']],
  ]) {
    world.acts.push(
      answers({ index: 0, message: { role: 'assistant', content: 'a END b' }, finish_reason: 'stop' }),
    );
    const body = JSON.stringify({ model, messages: MESSAGES, stop, x: 1 });
    const answer = await world.gateway.post('/v1/chat/completions', body);
    assert.match(await answer.text(), /"content":"a END b".*"own":1/);
    assert.equal(world.texts.at(-1), body.replace(String(model), String(model).split('/')[1] ?? ''));
  }
});

test('a target behind one that fails is told what it takes', async (context) => {
  const world = await setUp(context);
  world.acts.push(
    (response) => response.writeHead(500, { 'content-type': 'application/json' }).end('{"error":{}}'),
    streams({ text: 'one ' }, { finish: 'stop' }),
  );
  assert.deepEqual((await stream(world, { model: 'both' })).said, [['one ', 'stop']]);
  assert.deepEqual(
    world.bodies.map(({ stop }) => stop),
    [undefined, ['END']],
  );
  const [record] = await world.gateway.calls(1);
  assert.deepEqual(
    record?.attempts.map(({ adapted }) => adapted?.['stop']),
    ['cut', undefined],
  );
});

test('an answer that breaks off behind a sequence is whole: what it used is estimated, with what nobody was told', async (context) => {
  const world = await setUp(context);
  const hidden = 'x'.repeat(400);
  for (const model of ['openai/gpt-5-mini', 'on']) {
    world.acts.push(breaksOff({ text: 'one END' }, { text: hidden }));
    const { said } = await stream(world, { model });
    assert.deepEqual(said, [['one ', 'stop']]);
    const [record] = await world.gateway.calls(model === 'on' ? 2 : 1);
    assert.deepEqual([record?.outcome, record?.attempts.length], ['ok', 1]);
    assert.deepEqual(
      [record?.attempts[0]?.outcome, record?.usage?.estimated],
      ['upstream_unavailable', true],
    );
    assert.ok((record?.usage?.output ?? 0) > 100, JSON.stringify(record?.usage));
  }
});

test('one that breaks off before another choice is over is none', async (context) => {
  const world = await setUp(context);
  world.acts.push(breaksOff({ text: 'one END' }, { text: 'two', index: 1 }));
  await assert.rejects(stream(world, { n: 2 }));
  world.acts.push(breaksOff({ text: 'one END' }));
  await assert.rejects(stream(world, { n: 2 }));
});

test('an answer that another goes on with goes on from what its client has', async (context) => {
  const world = await setUp(context);
  world.acts.push(
    breaksOff({ text: 'one ' }, { text: 'two E' }),
    streams({ text: 'one two ' }, { text: 'END' }, { text: ' three' }, { finish: 'stop' }),
  );
  const stop = ['END', ...Array.from({ length: 5 }, (_, index) => `s${index}`)];
  const { said } = await stream(world, { model: 'on', stop });
  assert.equal(said[0]?.[1], 'stop');
  const { messages } = world.bodies[1] as { messages: JsonObject[] };
  const last = messages.at(-1);
  assert.deepEqual([last?.['role'], last?.['content']], ['assistant', 'one two']);
});

test('what is captured is what the client got', async (context) => {
  const world = await setUp(context);
  const message = { role: 'assistant', content: 'one END two' };
  world.acts.push(answers({ index: 0, message, finish_reason: 'stop' }));
  const asked = { model: 'openai/gpt-5-mini', messages: MESSAGES, stop: 'END' };
  const answer = await world.gateway.post('/v1/chat/completions', asked);
  const text = await answer.text();
  assert.match(text, /"content":"one "/);
  const path = `/calls/${answer.headers.get('x-request-id')}`;
  for (let looks = 0; looks < 200; looks += 1) {
    const { body } = await adminClient(world.gateway.url).ask('GET', path);
    const { capture } = body as { capture?: { request: unknown; response: unknown } };
    if (capture) {
      assert.deepEqual([capture.request, capture.response], [asked, JSON.parse(text)]);
      return;
    }
    await sleep(25);
  }
  assert.fail('nothing was captured');
});
