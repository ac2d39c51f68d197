import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { configFor, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';

let upstream: RawUpstream;
let gateway: TestGateway;

before(async () => {
  upstream = await startRawUpstream((response) => {
    const named = { name: 'fairlead_custom_patch', arguments: '{"input":"a\\nb"}' };
    const message = {
      role: 'assistant',
      content: null,
      tool_calls: [{ id: 'c1', type: 'function', function: named }],
    };
    const choices = [{ index: 0, message, finish_reason: 'tool_calls' }];
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model: 'm', choices }));
  });
  gateway = await startGateway(configFor(upstream));
});

after(async () => {
  await gateway.stop();
  await upstream.close();
});

test('a server that knows no custom tools is given a function by the chat door, and its call comes back as one of the tool', async () => {
  const response = await gateway.post('/v1/chat/completions', {
    model: 'up/m',
    messages: [{ role: 'user', content: 'Go' }],
    tools: [{ type: 'custom', custom: { name: 'patch' } }],
    some_new_field: 1,
  });
  assert.equal(response.status, 200);
  const { choices } = (await response.json()) as { choices: { message: { tool_calls: unknown[] } }[] };
  assert.deepEqual(choices[0]?.message.tool_calls, [
    { id: 'c1', type: 'custom', custom: { name: 'patch', input: 'a\nb' } },
  ]);
  const sent = JSON.parse(upstream.requests.at(-1)?.body ?? '') as Record<string, unknown>;
  assert.deepEqual(Object.keys((sent['tools'] as object[])[0] ?? {}), ['type', 'function']);
  assert.equal(sent['some_new_field'], 1);
});

test('a body without one passes through byte for byte', async () => {
  const body = '{"model":"up/m", "messages":[{"role":"user","content":"a custom tool"}],"n":1.0}';
  await gateway.post('/v1/chat/completions', body);
  assert.equal(upstream.requests.at(-1)?.body, body.replace('"up/m"', '"m"'));
});
