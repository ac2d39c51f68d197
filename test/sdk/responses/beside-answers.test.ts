import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import OpenAI from 'openai';
import { startGateway, TEST_KEY } from '../../support/gateway.ts';
import { startRawUpstream } from '../../support/raw-upstream.ts';

/* What OpenAI's SDK asks of the Responses API beside answers: how many tokens an input is, and a conversation made shorter. */

const COMPACTION = {
  id: 'resp_c',
  object: 'response.compaction',
  created_at: 1,
  output: [
    {
      type: 'message',
      id: 'msg_1',
      status: 'completed',
      role: 'user',
      content: [{ type: 'input_text', text: 'Hi' }],
    },
    { type: 'compaction', id: 'cmp_1', encrypted_content: 'ZQ==' },
  ],
  usage: {
    input_tokens: 30,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: 7,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: 37,
  },
};

const upstream = await startRawUpstream((response, _body, { url = '' }) => {
  response.writeHead(200, { 'content-type': 'application/json' });
  if (url.endsWith('/responses/compact')) response.end(JSON.stringify(COMPACTION));
  else if (url.endsWith('/responses/input_tokens'))
    response.end(JSON.stringify({ object: 'response.input_tokens', input_tokens: 11 }));
  else response.end(JSON.stringify({ input_tokens: 12 }));
});
const accounts = [{ name: 'main', apiKey: 'upstream-key' }];
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: upstream.baseUrl, accounts },
    anthropic: { baseUrl: upstream.baseUrl.slice(0, -'/v1'.length), accounts },
    groq: { baseUrl: upstream.baseUrl, accounts },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});
beforeEach(() => {
  upstream.requests.length = 0;
});

const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
const ASKED = { input: 'How many tokens is this?', instructions: 'Be brief.' };

test('OpenAI counts for its own models, in the bytes of the client', async () => {
  const counted = await client.responses.inputTokens.count({ ...ASKED, model: 'openai/gpt-5' });
  assert.deepEqual(counted, { object: 'response.input_tokens', input_tokens: 11 });
  const [request] = upstream.requests;
  assert.equal(request?.path, '/v1/responses/input_tokens');
  assert.deepEqual(JSON.parse(request?.body ?? ''), { ...ASKED, model: 'gpt-5' });
});

test('a provider of another dialect that counts is asked in its own words', async () => {
  const counted = await client.responses.inputTokens.count({
    ...ASKED,
    model: 'anthropic/claude-sonnet-4-5',
  });
  assert.deepEqual(counted, { object: 'response.input_tokens', input_tokens: 12 });
  assert.equal(upstream.requests[0]?.path, '/v1/messages/count_tokens');
});

test('where a provider cannot count the gateway does, and nobody is asked', async () => {
  const { input_tokens: tokens } = await client.responses.inputTokens.count({
    ...ASKED,
    model: 'groq/llama-3.3-70b-versatile',
  });
  assert.ok(tokens > 5 && tokens < 50, `${tokens} tokens`);
  assert.equal(upstream.requests.length, 0);
  const [record] = await gateway.calls(3);
  assert.deepEqual([record?.operation, record?.usage, record?.costMicroUsd], ['count', null, 0]);
});

test('a conversation is compacted where OpenAI has it, and billed as an answer', async () => {
  const compacted = await client.responses.compact({ ...ASKED, model: 'openai/gpt-5' });
  assert.deepEqual(compacted.output, COMPACTION.output);
  const [request] = upstream.requests;
  assert.equal(request?.path, '/v1/responses/compact');
  assert.deepEqual(JSON.parse(request?.body ?? ''), { ...ASKED, model: 'gpt-5' });
  const [record] = await gateway.calls(4);
  assert.equal(record?.operation, 'generate');
  assert.deepEqual([record?.usage?.input, record?.usage?.output], [30, 7]);
});

for (const model of ['anthropic/claude-sonnet-4-5', 'groq/llama-3.3-70b-versatile', 'echo/echo-1']) {
  test(`a conversation with ${model} cannot be compacted, and that is said`, async () => {
    const refusal = await client.responses.compact({ ...ASKED, model }).catch((error: unknown) => error);
    assert.ok(refusal instanceof OpenAI.BadRequestError);
    assert.equal(refusal.code, 'unsupported_operation');
    assert.match(refusal.message, /no compaction of a conversation/);
    assert.equal(upstream.requests.length, 0);
  });
}

test('what another tenant has is not gone on from, not even to be counted', async () => {
  for (const ask of [
    client.responses.inputTokens.count({ model: 'openai/gpt-5', previous_response_id: 'resp_other' }),
    client.responses.compact({ model: 'openai/gpt-5', previous_response_id: 'resp_other' }),
  ]) {
    const refusal = await ask.catch((error: unknown) => error);
    assert.ok(refusal instanceof OpenAI.BadRequestError);
    assert.equal(refusal.code, 'previous_response_not_found');
  }
  assert.equal(upstream.requests.length, 0);
});
