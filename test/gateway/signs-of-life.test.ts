import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const COMMENT = ': OPENROUTER PROCESSING\n\n';
const PING = 'event: ping\ndata: {"type": "ping"}\n\n';
const END = `${chatChunk('', 'stop')}data: [DONE]\n\n`;

type Answer = (response: ServerResponse, stream: boolean) => unknown;

/** Says this again and again, until it is left. */
const repeat =
  (sign: string, before = ''): Answer =>
  (response, stream) => {
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
    if (before !== '') response.write(before);
    const signs = setInterval(() => response.write(sign), 25);
    response.on('close', () => clearInterval(signs));
  };

/** Its model `m` has two targets: what the second says is always a whole answer. */
async function setUp(context: TestContext, first: Answer, timeouts: object, stream: boolean) {
  const one = await startRawUpstream((response) => first(response, stream));
  const two = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': stream ? 'text/event-stream' : 'application/json' });
    response.end(stream ? chatChunk('Hello') + END : chatAnswer('Hello'));
  });
  const provider = (baseUrl: string) => ({ adapter: 'openai-compatible', baseUrl });
  const gateway = await startGateway({
    providers: { one: provider(one.baseUrl), two: provider(two.baseUrl) },
    models: { m: { targets: ['one/x', 'two/x'], timeouts: { total: '20s', ...timeouts } } },
  });
  context.after(async () => {
    await gateway.stop();
    await Promise.all([one.close(), two.close()]);
  });
  const call = async (path = '/v1/chat/completions', more: object = {}) => {
    const messages = [{ role: 'user', content: 'Hi' }];
    const response = await gateway.post(path, { model: 'm', stream, messages, ...more });
    const text = await response.text();
    const [record] = await gateway.calls();
    return { status: response.status, text, record };
  };
  return { call };
}

const SIGNS: { what: string; sign: string; stream: boolean }[] = [
  { what: 'comments', sign: COMMENT, stream: true },
  { what: 'pings', sign: PING, stream: true },
  { what: 'empty lines', sign: '\n', stream: true },
  { what: 'white space', sign: ' \r\n', stream: false },
];

for (const { what, sign, stream } of SIGNS) {
  test(`where ${what} are all that comes of an answer the next target is tried after \`firstByte\``, async (context) => {
    const timeouts = { firstByte: '300ms', idle: '10s' };
    const { call } = await setUp(context, repeat(sign), timeouts, stream);
    for (const [path, more] of [
      ['/v1/chat/completions', {}],
      ['/v1/messages', { max_tokens: 9 }],
    ] as const) {
      const { status, record } = await call(path, more);
      assert.deepEqual([status, record?.target], [200, 'two/x']);
      assert.equal(record?.attempts[0]?.reason, 'first_byte_timeout');
    }
  });

  test(`${what} keep an answer that has begun, but not for ever`, async (context) => {
    const before = stream ? chatChunk('Hel') : '{"id":';
    const { call } = await setUp(context, repeat(sign, before), { idle: '300ms' }, stream);
    const { text, record } = await call();
    // Nothing is heard for 300 ms only where this process stands still for as long.
    assert.equal(record?.attempts[0]?.reason, 'idle_timeout');
    assert.ok((record?.attempts[0]?.durationMs ?? 0) > 900, 'they did not keep it at all');
    if (stream) assert.match(text, /"error"/);
    else assert.equal(record?.target, 'two/x');
  });
}

test('an answer whose events are far apart comes whole where there are comments between them', async (context) => {
  const slow: Answer = async (response, stream) => {
    repeat(COMMENT)(response, stream);
    await sleep(300);
    response.write(chatChunk('Hel'));
    await sleep(1_200);
    response.write(chatChunk('lo'));
    await sleep(1_200);
    response.end(END);
  };
  const { call } = await setUp(context, slow, { firstByte: '10s', idle: '500ms' }, true);
  const { status, text, record } = await call();
  assert.deepEqual([status, record?.target, record?.outcome], [200, 'one/x', 'ok']);
  assert.ok(text.includes('[DONE]'));
});
