import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, beforeEach, test } from 'node:test';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { readEvents, startPrompts } from '../support/prompt-gateway.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

/** What the model does with a call. */
let answer: (response: ServerResponse) => void = () => {};
const upstream = await startRawUpstream((response, body) => {
  const { stream } = JSON.parse(body) as JsonObject;
  response.setHeader('content-type', stream === true ? 'text/event-stream' : 'application/json');
  answer(response);
});
after(upstream.close);

const OUTPUT = 'output: { schema: { id: number, words(array): string } }';
const gateway = await startPrompts(
  {
    'list.prompt': `---\nmodel: up/m\n${OUTPUT}\nfairlead.repairs: 0\n---\nList.\n`,
    'text.prompt': '---\nmodel: up/m\n---\nSay it.\n',
  },
  { providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } } },
);
after(gateway.stop);

beforeEach(() => {
  answer = () => assert.fail('nothing is to be called');
});

const DONE = 'data: [DONE]\n\n';

function says(pieces: readonly string[], finish = 'stop'): void {
  answer = (response) =>
    response.end(pieces.map((piece) => chatChunk(piece)).join('') + chatChunk('', finish) + DONE);
}

interface Streamed {
  partial: string;
  /** The data of the last event, as it was sent. */
  raw: string;
  last: string;
  error: JsonObject | undefined;
}

async function stream(prompt: string): Promise<Streamed> {
  const response = await gateway.post(`/v1/prompts/${prompt}?stream=true`, {});
  const text = await response.text();
  const events = readEvents(text);
  const deltas = events
    .filter(({ event }) => event === 'delta')
    .map(({ data }) => JSON.parse(data) as JsonObject);
  const last = events.at(-1);
  const parsed = tryParseJson(last?.data ?? text);
  const error = isObject(parsed) && isObject(parsed['error']) ? parsed['error'] : undefined;
  const partial = deltas.map((delta) => delta['partial_json'] ?? delta['text']).join('');
  return { partial, raw: last?.data ?? '', last: last?.event ?? '', error };
}

test('numbers keep the digits that the model wrote, also in the last event', async () => {
  const json = '{"id": 9007199254740993123, "words": [\n"a",\r\n"b"]}';
  says([json.slice(0, 15), json.slice(15)]);
  const { partial, raw } = await stream('list');
  assert.equal(partial, json);
  assert.match(raw, /^\{"output":\{"id": 9007199254740993123, "words": \[ "a", "b"\]\},"finish":"stop"/);
  assert.ok(tryParseJson(raw));
});

test('a fence around the JSON is none of it', async () => {
  says(['```', 'json\n{"id": 1,', ' "words": ["```"]}', '\n``', '`\n']);
  const { partial, last } = await stream('list');
  assert.equal(partial, '{"id": 1, "words": ["```"]}');
  assert.equal(last, 'output');
});

test('what the model thinks before is none of the output', async () => {
  const thought = { index: 0, delta: { reasoning_content: 'A list, then.' }, finish_reason: null };
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [thought] };
  answer = (response) =>
    response.end(
      `data: ${JSON.stringify(chunk)}\n\n${chatChunk('{"id":1,"words":[]}')}${chatChunk('', 'stop')}${DONE}`,
    );
  const { partial, last } = await stream('list');
  assert.equal(partial, '{"id":1,"words":[]}');
  assert.equal(last, 'output');
});

test('JSON that was cut is an error; text that was cut says so', async () => {
  says(['{"id": 1, "wo'], 'length');
  const cut = await stream('list');
  assert.equal(cut.error?.['code'], 'invalid_output');
  assert.match(String(cut.error?.['message']), /limit of tokens/);
  says(['Once upon'], 'length');
  const { raw } = await stream('text');
  assert.match(raw, /^\{"output":"Once upon","finish":"length"/);
});

test('whole text that was cut is named', async () => {
  const choice = { index: 0, message: { role: 'assistant', content: 'Once upon' }, finish_reason: 'length' };
  answer = (response) =>
    response.end(
      JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [choice] }),
    );
  const response = await gateway.post('/v1/prompts/text', {});
  assert.equal(await response.text(), 'Once upon');
  assert.equal(response.headers.get('x-fairlead-dropped'), 'answer.finish=length');
});

test('a refusal is an error, and so is an answer that says nothing', async () => {
  const refusal = { index: 0, delta: { refusal: 'I will not.' }, finish_reason: null };
  const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [refusal] };
  answer = (response) => response.end(`data: ${JSON.stringify(chunk)}\n\n${chatChunk('', 'stop')}${DONE}`);
  const refused = await stream('list');
  assert.equal(refused.error?.['code'], 'refused');
  assert.match(String(refused.error?.['message']), /I will not\./);
  says(['```json\n', '```']);
  assert.equal((await stream('list')).error?.['code'], 'invalid_output');
});

test('a stream that breaks off ends with an error', async () => {
  const rest = Promise.withResolvers<void>();
  answer = (response) => {
    response.write(chatChunk('{"id": 1'));
    void rest.promise.then(() => response.destroy());
  };
  const response = await gateway.post('/v1/prompts/list?stream=true', {});
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  assert.match((await reader?.read())?.value ?? '', /^event: delta/);
  rest.resolve();
  let text = '';
  for (let read = await reader?.read(); read?.done === false; read = await reader?.read()) text += read.value;
  assert.match(text, /^event: error\ndata: \{"error":/);
});

test('a client that leaves ends the call at the provider', async () => {
  const left = Promise.withResolvers<void>();
  answer = (response) => {
    response.on('close', () => left.resolve());
    response.write(chatChunk('{"id": 1'));
  };
  const abort = new AbortController();
  const response = await gateway.post('/v1/prompts/list?stream=true', {}, { signal: abort.signal });
  await response.body?.getReader().read();
  abort.abort();
  await left.promise;
  const id = response.headers.get('x-request-id');
  const record = await gateway.calls(1);
  const found =
    record.find((call) => call.id === id) ??
    (await gateway.calls(record.length + 1)).find((call) => call.id === id);
  assert.equal(found?.outcome, 'cancelled');
});
