import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, test } from 'node:test';
import { knownCapabilities, lacks } from '../../src/routing/capabilities.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const PIXEL =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const TOOL = { type: 'object', properties: {} };

const closing: (() => Promise<unknown>)[] = [];
after(() => Promise.all(closing.map((close) => close())));

const refuse = (body: object) => (response: ServerResponse) => {
  response.writeHead(400, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: body }));
};

async function setUp(
  model: object,
  first: (response: ServerResponse) => void = (response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('first'));
  },
) {
  const small = await startRawUpstream(first);
  const large = await startRawUpstream((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer('second'));
  });
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const up = (baseUrl: string) => ({ adapter: 'openai-compatible', baseUrl, accounts });
  const gateway = await startGateway({
    providers: { small: up(small.baseUrl), large: up(large.baseUrl) },
    models: { m: model },
  });
  closing.push(gateway.stop, small.close, large.close);
  return { gateway, small, large };
}

const CANNOT = { vision: false, tools: false, structuredOutput: false, contextLength: 1_000 };
const CALLS: { what: string; path: string; body: object }[] = [
  {
    what: 'an image at the chat door',
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: PIXEL } }] }] },
  },
  {
    what: 'an image at the messages door',
    path: '/v1/messages',
    body: {
      max_tokens: 9,
      messages: [
        {
          role: 'user',
          content: [
            {
              type: 'image',
              source: { type: 'base64', media_type: 'image/png', data: PIXEL.slice(PIXEL.indexOf(',') + 1) },
            },
          ],
        },
      ],
    },
  },
  {
    what: 'a tool at the responses door',
    path: '/v1/responses',
    body: { input: 'Hi', tools: [{ type: 'function', name: 'f', parameters: TOOL }] },
  },
  {
    what: 'a schema at the chat door',
    path: '/v1/chat/completions',
    body: {
      messages: [{ role: 'user', content: 'Hi' }],
      response_format: { type: 'json_schema', json_schema: { name: 's', schema: TOOL } },
    },
  },
  {
    what: 'a long text at the chat door',
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: 'many words '.repeat(1_000) }] },
  },
  {
    what: 'a long text without spaces',
    path: '/v1/chat/completions',
    body: { messages: [{ role: 'user', content: '告诉我今天的天气'.repeat(200) }] },
  },
  {
    what: 'what looks like base64 and is text',
    path: '/v1/messages',
    body: { max_tokens: 9, messages: [{ role: 'user', content: 'aGVsbG8g'.repeat(600) }] },
  },
  {
    what: 'a long answer at the chat door',
    path: '/v1/chat/completions',
    body: { max_tokens: 1_000, messages: [{ role: 'user', content: 'Hi' }] },
  },
  {
    what: 'a long answer at the responses door',
    path: '/v1/responses',
    body: { max_output_tokens: 1_000, input: 'Hi' },
  },
  {
    what: 'a long answer at the messages door',
    path: '/v1/messages',
    body: { max_tokens: 1_000, messages: [{ role: 'user', content: 'Hi' }] },
  },
  {
    what: 'a long answer at the gemini door',
    path: '/v1beta/models/m:generateContent',
    body: {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      generationConfig: { maxOutputTokens: 1_000 },
    },
  },
];

test('a target that lacks what a call needs is passed over, and takes all others', async () => {
  const { gateway } = await setUp({
    targets: [{ target: 'small/x', capabilities: CANNOT }, 'large/y'],
  });
  const targetOf = async (path: string, body: object) => {
    const answer = await gateway.post(path, { model: 'm', ...body });
    assert.equal(answer.status, 200, await answer.text());
    return answer.headers.get('x-fairlead-target');
  };
  for (const { what, path, body } of CALLS) assert.equal(await targetOf(path, body), 'large/y', what);
  const plain = { messages: [{ role: 'user', content: 'Hi' }] };
  assert.equal(await targetOf('/v1/chat/completions', plain), 'small/x');
});

test('the room is for each answer, and for what a target is told where the call names nothing', async () => {
  const { gateway } = await setUp({
    targets: [
      { target: 'small/x', capabilities: { contextLength: 1_000 }, parameters: { maxOutputTokens: 1_000 } },
      'large/y',
    ],
  });
  const messages = [{ role: 'user', content: 'Hi' }];
  const targetOf = async (more: object) => {
    const answer = await gateway.post('/v1/chat/completions', { model: 'm', messages, ...more });
    await answer.text();
    return answer.headers.get('x-fairlead-target');
  };
  assert.equal(await targetOf({}), 'large/y');
  assert.equal(await targetOf({ max_tokens: 500, n: 4 }), 'small/x');
});

test('media and signatures are not counted as text', async () => {
  const { gateway } = await setUp({
    targets: [{ target: 'small/x', capabilities: { contextLength: 1_000 } }, 'large/y'],
  });
  const content = [{ type: 'image_url', image_url: { url: `data:image/png;base64,${'A'.repeat(50_000)}` } }];
  const answer = await gateway.post('/v1/chat/completions', {
    model: 'm',
    messages: [{ role: 'user', content }],
  });
  assert.equal(answer.headers.get('x-fairlead-target'), 'small/x');
});

test('where no target can, the first is asked all the same: it says why not', async () => {
  const { gateway } = await setUp({
    targets: [
      { target: 'small/x', capabilities: { tools: false } },
      { target: 'large/y', capabilities: { tools: false, vision: true } },
    ],
  });
  const tools = [{ type: 'function', function: { name: 'f', parameters: TOOL } }];
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], tools };
  const answer = await gateway.post('/v1/chat/completions', body);
  assert.equal(answer.headers.get('x-fairlead-target'), 'small/x');
});

test('what is known of models by their names: nothing of those that can all', () => {
  const needs = { vision: true, tools: true, structuredOutput: true, inputTokens: 5_000, outputTokens: 0 };
  for (const able of ['gpt-4.1', 'gpt-4o-2024-08-06', 'claude-sonnet-4-5', 'gemini-2.5-pro', 'my-own']) {
    assert.equal(lacks(knownCapabilities(able), needs), false, able);
  }
  for (const unable of [
    'gpt-3.5-turbo',
    'deepseek-chat',
    'meta-llama/Llama-3.3-70B-Instruct-Turbo',
    'sonar-pro',
  ]) {
    assert.equal(lacks(knownCapabilities(unable), needs), true, unable);
  }
});

const REFUSALS: { what: string; fallback: string; error: object }[] = [
  {
    what: 'OpenAI’s context length',
    fallback: 'contextLength',
    error: {
      message: "This model's maximum context length is 8192 tokens.",
      code: 'context_length_exceeded',
    },
  },
  {
    what: 'a context length without a code',
    fallback: 'contextLength',
    error: { message: 'prompt is too long: 214850 tokens > 200000 maximum', type: 'invalid_request_error' },
  },
  {
    what: 'Azure’s content filter',
    fallback: 'contentPolicy',
    error: { message: 'The response was filtered', code: 'content_filter' },
  },
];

for (const { what, fallback, error } of REFUSALS) {
  test(`${what} leads to the fallback for it, and to no other`, async () => {
    const wanted = await setUp(
      { targets: ['small/x'], retries: 0, fallbacks: { [fallback]: ['large/y'] } },
      refuse(error),
    );
    const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
    const answer = await wanted.gateway.post('/v1/chat/completions', body);
    assert.deepEqual([answer.status, answer.headers.get('x-fairlead-target')], [200, 'large/y']);
    const other = fallback === 'contextLength' ? 'contentPolicy' : 'contextLength';
    const unwanted = await setUp(
      { targets: ['small/x'], fallbacks: { [other]: ['large/y'] } },
      refuse(error),
    );
    assert.equal((await unwanted.gateway.post('/v1/chat/completions', body)).status, 400);
    assert.equal(unwanted.large.requests.length, 0);
  });
}

test('a refusal about anything else is the caller’s', async () => {
  const { gateway, large } = await setUp(
    { targets: ['small/x'], fallbacks: { contextLength: ['large/y'], contentPolicy: ['large/y'] } },
    refuse({ message: "Invalid value for 'temperature'", code: 'invalid_value' }),
  );
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }] };
  assert.equal((await gateway.post('/v1/chat/completions', body)).status, 400);
  assert.equal(large.requests.length, 0);
});
