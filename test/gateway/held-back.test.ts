import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Answer = (response: ServerResponse) => unknown;

/** A gateway whose model `m` has these providers as targets, in order. */
async function setUp(...answers: [adapter: string, answer: Answer][]) {
  const providers: Record<string, object> = {};
  for (const [index, [adapter, answer]] of answers.entries()) {
    const upstream = await startRawUpstream((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return answer(response);
    });
    closing.push(upstream.close);
    const baseUrl = adapter === 'openai-compatible' ? upstream.baseUrl : upstream.baseUrl.slice(0, -3);
    providers[`up${index}`] = { adapter, baseUrl, accounts: [{ name: 'main', apiKey: 'sk-of-provider' }] };
  }
  const targets = Object.keys(providers).map((name) => `${name}/x`);
  const gateway = await startGateway({ providers, models: { m: { targets } } });
  closing.push(gateway.stop);
  return gateway;
}

const MESSAGES = { model: 'm', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hi' }] };
const event = (type: string, fields = '') => `event: ${type}\ndata: {"type":"${type}"${fields}}\n\n`;
const START = event('message_start', ',"message":{"id":"msg_1","content":[],"usage":{"input_tokens":7}}');
const DELTA = event('content_block_delta', ',"index":0,"delta":{"type":"text_delta","text":"Hello"}');
const OVERLOADED = event('error', ',"error":{"type":"overloaded_error","message":"Overloaded"}');
const END =
  event('message_delta', ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}') +
  event('message_stop');
const gemini = (part: string) =>
  `data: {"candidates":[{"content":{"parts":[${part}],"role":"model"},"index":0}]}\r\n\r\n`;
const CODE = gemini('{"executableCode":{"language":"PYTHON","code":"1"}}');

test('output of an attempt that no client saw does not begin the stream of the next one', async () => {
  const gateway = await setUp(
    ['gemini', (response) => response.write(CODE, () => response.destroy())],
    [
      'anthropic',
      (response) => {
        response.write(START);
        setTimeout(() => response.end(OVERLOADED), 30);
      },
    ],
    ['anthropic', (response) => response.end(START + DELTA + END)],
  );
  const answer = await gateway.post('/v1/messages', MESSAGES);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-fairlead-attempts'), '3');
  assert.equal(await answer.text(), START + DELTA + END);
});

test('what the encoder passes over is no output: lifecycle events behind it are still held back', async () => {
  const gateway = await setUp(
    [
      'gemini',
      (response) => {
        response.write(CODE);
        setTimeout(() => response.write(gemini('{"text":""}'), () => response.destroy()), 30);
      },
    ],
    ['anthropic', (response) => response.end(START + DELTA + END)],
  );
  const answer = await gateway.post('/v1/messages', MESSAGES);
  assert.equal(await answer.text(), START + DELTA + END);
});

test('a call that failed before its stream began has no time of a first token', async () => {
  const gateway = await setUp(['gemini', (response) => response.write(CODE, () => response.destroy())]);
  assert.equal((await gateway.post('/v1/messages', MESSAGES)).status, 502);
  const [record] = await gateway.calls();
  assert.equal(record?.firstTokenMs, null);
});

test('comments of a provider that keep a connection open do so for a translated client, too', async () => {
  const comment = ': OPENROUTER PROCESSING\n\n';
  const gateway = await setUp([
    'openai-compatible',
    async (response) => {
      response.write(comment + chatChunk('Hello'));
      await sleep(30);
      response.write(comment);
      await sleep(30);
      response.end(`${chatChunk('', 'stop')}data: [DONE]\n\n`);
    },
  ]);
  const answer = await gateway.post('/v1/messages', MESSAGES);
  const text = await answer.text();
  // The one before any output is not told: nothing may have been sent by then.
  assert.equal(text.match(/event: ping\n/g)?.length, 1, text);
  assert.ok(text.indexOf('event: ping') > text.indexOf('Hello'));
  assert.match(text, /message_stop/);
});
