import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(answer: (response: ServerResponse) => unknown) {
  const upstream = await startRawUpstream(answer);
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  const client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
  return { gateway, client };
}

const PROMPT = 'How do I tell a user what nobody has told me? '.repeat(20);
const REQUEST = {
  model: 'up/m',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: PROMPT }],
};
const WORDS = ['By ', 'saying ', 'what ', 'you ', 'think ', 'it ', 'is.'];
/** A quarter of the bytes: `estimateUsage`. */
const LEAST_INPUT = PROMPT.length / 4;

const json = (response: ServerResponse) => {
  response.setHeader('content-type', 'application/json');
  const message = { role: 'assistant', content: WORDS.join('') };
  response.end(JSON.stringify({ id: 'c', choices: [{ index: 0, message, finish_reason: 'stop' }] }));
};
const events =
  (end = '') =>
  (response: ServerResponse) => {
    response.setHeader('content-type', 'text/event-stream');
    const chunks = WORDS.map((word) => chatChunk(word)).join('');
    response.end(`${chunks}${chatChunk('', 'stop')}${end}data: [DONE]\n\n`);
  };

test("a whole message says the gateway's estimate where the provider reported no usage", async () => {
  const { gateway, client } = await setUp(json);
  const { usage } = await client.messages.create(REQUEST);
  assert.ok(usage.input_tokens >= LEAST_INPUT, `${usage.input_tokens} tokens`);
  assert.equal(usage.output_tokens, Math.ceil(WORDS.join('').length / 4));
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.estimated, true);
});

/** A quarter of the letters, or one an event. */
for (const [what, answer, output] of [
  ['a streamed message', events(), WORDS.length],
  ['a message streamed from a whole answer', json, Math.ceil(WORDS.join('').length / 4)],
] as const) {
  test(`${what} says it from its start, and what came out at its end`, async () => {
    const { client } = await setUp(answer);
    let announced = 0;
    const stream = client.messages.stream(REQUEST);
    stream.on('streamEvent', (event) => {
      if (event.type === 'message_start') announced = event.message.usage.input_tokens;
    });
    const { usage } = await stream.finalMessage();
    assert.ok(announced >= LEAST_INPUT, `${announced} tokens`);
    assert.equal(usage.input_tokens, announced);
    assert.equal(usage.output_tokens, output);
  });
}

test('what a provider reports at the end stands in the place of what was announced', async () => {
  const usage = { prompt_tokens: 30, completion_tokens: 9, prompt_tokens_details: { cached_tokens: 10 } };
  const { client } = await setUp(events(`data: ${JSON.stringify({ id: 'c', choices: [], usage })}\n\n`));
  const message = await client.messages.stream(REQUEST).finalMessage();
  assert.equal(message.usage.input_tokens, 20);
  assert.equal(message.usage.cache_read_input_tokens, 10);
  assert.equal(message.usage.output_tokens, 9);
});

const candidate = {
  index: 0,
  content: { role: 'model', parts: [{ text: WORDS.join('') }] },
  finishReason: 'STOP',
};
const chunk = (text: string) => ({
  candidates: [{ index: 0, content: { role: 'model', parts: [{ text }] } }],
});

/** Google's and OpenAI's form of an answer of which nobody says what it took, whole or as a stream. */
function answerSilently(response: ServerResponse, body: string, url: string): void {
  const isGoogles = url.includes('enerateContent');
  const streams = isGoogles ? url.includes('stream') : JSON.parse(body).stream === true;
  if (!isGoogles) {
    (streams ? events() : json)(response);
    return;
  }
  response.setHeader('content-type', streams ? 'text/event-stream' : 'application/json');
  const pieces = [...WORDS.map(chunk), { candidates: [{ ...candidate, content: undefined }] }];
  if (streams) response.end(pieces.map((piece) => `data: ${JSON.stringify(piece)}\n\n`).join(''));
  else response.end(JSON.stringify({ candidates: [candidate] }));
}

const OPENAIS = /"usage":\{"prompt_tokens":(\d+),"completion_tokens":(\d+)/;
const STREAM = { stream_options: { include_usage: true } };

test('every door says the same estimate, whole and at the end of a stream, and the record marks it', async () => {
  const upstream = await startRawUpstream((response, body, { url = '' }) =>
    answerSilently(response, body, url),
  );
  const accounts = [{ name: 'main', apiKey: 'key' }];
  const up = { adapter: 'openai-compatible', baseUrl: upstream.baseUrl };
  const gemini = { baseUrl: upstream.baseUrl.slice(0, -'/v1'.length), accounts };
  const gateway = await startGateway({ providers: { up, gemini } });
  closing.push(upstream.close, gateway.stop);
  const { model, messages } = REQUEST;
  const googles = { model: 'gemini/gemini-2.5-flash' };
  const contents = [{ role: 'user', parts: [{ text: PROMPT }] }];
  const doors: [path: string, body: object, isStream: boolean, usage: RegExp][] = [
    ['/v1/chat/completions', { ...googles, messages }, false, OPENAIS],
    ['/v1/chat/completions', { ...googles, messages, stream: true, ...STREAM }, true, OPENAIS],
    ['/v1/completions', { ...googles, prompt: PROMPT, stream: true, ...STREAM }, true, OPENAIS],
    ...[false, true].map((stream): (typeof doors)[number] => [
      '/v1/responses',
      { model, input: PROMPT, store: false, stream },
      stream,
      /"usage":\{"input_tokens":(\d+).*?"output_tokens":(\d+)/,
    ]),
    ...[false, true].map((stream): (typeof doors)[number] => [
      `/v1beta/models/up%2Fm:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
      { contents },
      stream,
      /"usageMetadata":\{"promptTokenCount":(\d+),"candidatesTokenCount":(\d+)/,
    ]),
  ];
  for (const [path, body, isStream, usage] of doors) {
    const answer = await (await gateway.post(path, body)).text();
    const [, input, output] = usage.exec(answer) ?? [];
    assert.equal(Number(input), Math.ceil(JSON.stringify(body).length / 4), `${path}: ${answer}`);
    assert.equal(
      Number(output),
      isStream ? WORDS.length : Math.ceil(WORDS.join('').length / 4),
      `${path}: ${answer}`,
    );
  }
  const records = await gateway.calls(doors.length);
  assert.equal(records.length, doors.length);
  for (const { usage } of records) assert.equal(usage?.estimated, true);
});
