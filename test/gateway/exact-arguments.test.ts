import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { writeAllCarried } from '../../src/conversation/carried-reasoning.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const INPUT = '{"id":1234567890123456789,"share":1.0}';
const upstream = await startRawUpstream((response) => {
  response.setHeader('content-type', 'application/json');
  response.end(
    `{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"tool_use","id":"toolu_1","name":"get","input":${INPUT}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}`,
  );
});
const baseUrl = upstream.baseUrl.replace(/\/v1$/, '');
const gateway = await startGateway({
  providers: {
    anthropic: { baseUrl, accounts: [{ name: 'main', apiKey: 'key-of-the-provider-0000' }] },
    openai: { baseUrl, accounts: [{ name: 'main', apiKey: 'key-of-the-provider-0000' }] },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

test('ids of 19 digits come through a translated call unchanged, both ways', async () => {
  const call = { name: 'get', arguments: INPUT };
  const response = await gateway.post('/v1/chat/completions', {
    model: 'anthropic/claude-sonnet-4-5',
    messages: [
      { role: 'user', content: 'Go' },
      { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: call }] },
      { role: 'tool', tool_call_id: 'c1', content: 'ok' },
    ],
  });
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.ok(text.includes(`"arguments":${JSON.stringify(INPUT)}`), text);
  assert.ok(upstream.requests[0]?.body.includes(`"input":${INPUT}`));
});

test('and from a client that has them as numbers', async () => {
  const path = '/v1beta/models/anthropic/claude-sonnet-4-5:generateContent';
  const parts = `[{"functionCall":{"name":"get","args":${INPUT}}}]`;
  const answered = '[{"functionResponse":{"name":"get","response":{"output":"ok"}}}]';
  const body = `{"contents":[{"role":"user","parts":[{"text":"Go"}]},{"role":"model","parts":${parts}},{"role":"user","parts":${answered}}]}`;
  const response = await gateway.post(path, body);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  assert.ok(text.includes(`"args":${INPUT}`), text);
  assert.ok(upstream.requests.at(-1)?.body.includes(`"input":${INPUT}`));
});

test('fields that nobody knows and the bounds of a schema keep theirs where a body of one dialect is written anew', async () => {
  const long = '12345678901234567890';
  const carried = writeAllCarried('toolu_1', {
    reasoning: [{ type: 'reasoning', text: 'x', wantedBack: true }],
  });
  const schema = `{"type":"object","properties":{"id":{"type":"integer","maximum":${long}}}}`;
  const tools = `[{"name":"get","input_schema":${schema}}]`;
  const history = `[{"role":"user","content":"Go"},{"role":"assistant","content":[{"type":"tool_use","id":"${carried}","name":"get","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"${carried}","content":"ok"}]}]`;
  const response = await gateway.post(
    '/v1/messages',
    `{"model":"anthropic/claude-sonnet-4-5","max_tokens":9,"new_field":${long},"tools":${tools},"messages":${history}}`,
  );
  assert.equal(response.status, 200, await response.text());
  const sent = upstream.requests.at(-1)?.body ?? '';
  assert.ok(!sent.includes('__fl1__'), sent);
  assert.ok(sent.includes(`"new_field":${long}`), sent);
  assert.ok(sent.includes(`"maximum":${long}`), sent);
});

test('of two bounds that are one number of JavaScript, none gets the digits of the other', async () => {
  const tool = (name: string, bound: string) =>
    `{"type":"function","function":{"name":"${name}","parameters":{"type":"object","properties":{"id":{"maximum":${bound}}}}}}`;
  const response = await gateway.post(
    '/v1/chat/completions',
    `{"model":"anthropic/claude-sonnet-4-5","tools":[${tool('a', '9007199254740992')},${tool('b', '9007199254740993')},${tool('c', '18446744073709551615')}],"messages":[{"role":"user","content":"Go"}]}`,
  );
  assert.equal(response.status, 200, await response.text());
  const sent = upstream.requests.at(-1)?.body ?? '';
  assert.deepEqual(
    sent.match(/"maximum":\d+/g),
    ['9007199254740992', '9007199254740992', '18446744073709551615'].map((bound) => `"maximum":${bound}`),
  );
});

test('a number of an earlier turn does not get the digits of a long one that this turn has', async () => {
  const first = await gateway.post(
    '/v1/responses',
    '{"model":"anthropic/claude-sonnet-4-5","input":[{"role":"user","content":"Go","vendor_id":9007199254740992}]}',
  );
  const { id } = (await first.json()) as { id: string };
  assert.equal(first.status, 200);
  // What is answered does not matter here: what is sent does.
  const tools =
    '[{"type":"function","name":"get","strict":false,"parameters":{"properties":{"id":{"maximum":9007199254740993},"of":{"maximum":18446744073709551615}}}}]';
  const second = await gateway.post(
    '/v1/responses',
    `{"model":"openai/gpt-5","previous_response_id":"${id}","input":"On","tools":${tools}}`,
  );
  await second.text();
  const sent = upstream.requests.at(-1)?.body ?? '';
  assert.ok(sent.includes('"vendor_id":9007199254740992'), sent);
  assert.ok(sent.includes('"maximum":18446744073709551615'), sent);
});
