import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(answer: (response: ServerResponse) => unknown) {
  const upstream = await startRawUpstream(answer);
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const baseUrl = upstream.baseUrl.replace(/\/v1$/, '');
  const gateway = await startGateway({
    providers: { anthropic: { baseUrl, accounts }, gemini: { baseUrl, accounts } },
  });
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

const ask = (model: string, stream: boolean) => ({
  model,
  stream,
  messages: [{ role: 'user', content: 'Hi' }],
});

const SEARCH = { type: 'server_tool_use', id: 's', name: 'web_search', input: {} };
const FOUND = { type: 'web_search_tool_result', tool_use_id: 's', content: [] };
const MESSAGE = { id: 'm', type: 'message', role: 'assistant', model: 'x', stop_sequence: null };
const USAGE = { input_tokens: 25, output_tokens: 4 };

const event = (value: { type: string }) => `event: ${value.type}\ndata: ${JSON.stringify(value)}\n\n`;
const block = (index: number, content_block: object, ...deltas: object[]) =>
  event({ type: 'content_block_start', ...{ index, content_block } }) +
  deltas.map((delta) => event({ type: 'content_block_delta', ...{ index, delta } })).join('') +
  event({ type: 'content_block_stop', ...{ index } });
const text = (index: number) =>
  block(index, { type: 'text', text: '' }, { type: 'text_delta', text: 'Hello' });

test('what of a whole answer the caller cannot be told is named in the header and in the record', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    const content = [SEARCH, FOUND, { type: 'text', text: 'Hello' }];
    response.end(JSON.stringify({ ...MESSAGE, content, stop_reason: 'end_turn', usage: USAGE }));
  });
  const response = await gateway.post('/v1/chat/completions', {
    ...ask('anthropic/x', false),
    seed: 7,
  });
  assert.equal(response.status, 200);
  await response.text();
  const names = ['answer.server_tool_use', 'answer.web_search_tool_result'];
  assert.equal(response.headers.get('x-fairlead-dropped'), ['seed', ...names].join(', '));
  const [record] = await gateway.calls();
  assert.deepEqual(record?.attempts[0]?.dropped, names);
});

test('what of a stream comes behind its header is named in the record and in the log', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'text/event-stream');
    const message = { ...MESSAGE, content: [], stop_reason: null, usage: USAGE };
    response.write(event({ type: 'message_start', ...{ message } }) + text(0));
    const end = { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: USAGE };
    setTimeout(() => {
      response.end(
        block(1, SEARCH) +
          block(2, FOUND) +
          text(3) +
          event({ type: 'message_delta', ...end }) +
          event({ type: 'message_stop' }),
      );
    }, 30);
  });
  const response = await gateway.post('/v1/chat/completions', ask('anthropic/x', true));
  const headersBefore = response.headers.get('x-fairlead-dropped');
  assert.match(await response.text(), /"content":"Hello"/);
  assert.equal(headersBefore, null);
  const names = ['answer.server_tool_use', 'answer.web_search_tool_result'];
  const [record] = await gateway.calls();
  assert.deepEqual(record?.attempts[0]?.dropped, names);
  const line = gateway
    .logs()
    .split('\n')
    .find((logged) => logged.includes('answer.server_tool_use'));
  assert.ok(line);
  const logged = JSON.parse(line);
  assert.equal(logged.call, record?.id);
  assert.deepEqual(logged.dropped, names);
});

test('an answer that is told whole has nothing in its record', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    const content = [{ type: 'text', text: 'Hello' }];
    response.end(JSON.stringify({ ...MESSAGE, content, stop_reason: 'end_turn', usage: USAGE }));
  });
  const response = await gateway.post('/v1/chat/completions', ask('anthropic/x', false));
  assert.equal(response.headers.get('x-fairlead-dropped'), null);
  await response.text();
  const [record] = await gateway.calls();
  assert.ok(record?.attempts[0]);
  assert.ok(!('dropped' in record.attempts[0]));
});
