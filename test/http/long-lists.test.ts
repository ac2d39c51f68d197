import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { scale } from '../support/scale.ts';

/** More than a call can have arguments: whoever spreads such a list into one overflows the stack. */
const MANY = 130_000;

const ANSWERS: readonly [path: RegExp, answer: string][] = [
  [/countTokens/, '{"totalTokens":7}'],
  [/count_tokens$/, '{"input_tokens":7}'],
  [
    /generateContent/,
    JSON.stringify({
      candidates: [{ content: { role: 'model', parts: [{ text: 'ok' }] }, finishReason: 'STOP' }],
    }),
  ],
  [
    /\/messages$/,
    JSON.stringify({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'm',
      content: [{ type: 'text', text: 'ok' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 1, output_tokens: 1 },
    }),
  ],
  [
    /\/responses$/,
    JSON.stringify({
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      model: 'm',
      output: [
        {
          type: 'message',
          id: 'msg_1',
          role: 'assistant',
          status: 'completed',
          content: [{ type: 'output_text', text: 'ok', annotations: [] }],
        },
      ],
      usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
    }),
  ],
  [
    /\/converse$/,
    JSON.stringify({
      output: { message: { role: 'assistant', content: [{ text: 'ok' }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
    }),
  ],
  [/chat\/completions$/, chatAnswer('ok')],
];

/** One of each dialect, and the one that needs none. */
const TARGETS = [
  'openai-compatible/m',
  'openai/gpt-4.1',
  'anthropic/claude-sonnet-4-5',
  'gemini/gemini-2.5-flash',
  'bedrock/anthropic.claude-sonnet-4-5',
  'echo/echo',
];

function answer(response: ServerResponse, path: string): void {
  const body = ANSWERS.find(([pattern]) => pattern.test(path))?.[1];
  assert.ok(body, `nobody asks ${path}`);
  // Connections would run out of time while this process is busy with the next body.
  response.writeHead(200, { 'content-type': 'application/json', connection: 'close' });
  response.end(body);
}

let upstream: RawUpstream;
let gateway: TestGateway;
before(async () => {
  upstream = await startRawUpstream((response, _body, { url = '' }) => answer(response, url));
  const root = upstream.baseUrl.replace(/\/v1$/, '');
  const accounts = [{ name: 'main', apiKey: 'provider-key' }];
  gateway = await startGateway({
    server: { port: 0, drainTimeout: '5s', bodyLimit: '64mb' },
    providers: {
      'openai-compatible': { baseUrl: upstream.baseUrl, accounts },
      openai: { baseUrl: upstream.baseUrl, accounts },
      anthropic: { baseUrl: root, accounts },
      gemini: { baseUrl: root, accounts },
      bedrock: { baseUrl: root, region: 'us-east-1', accounts },
    },
  });
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

const many = <T>(make: (index: number) => T): T[] => Array.from({ length: MANY }, (_, index) => make(index));
const text = () => ({ type: 'text', text: 'a' });
const inputText = () => ({ type: 'input_text', text: 'a' });

const GENERATE = '/v1beta/models/MODEL:generateContent';
const COUNT = '/v1beta/models/MODEL:countTokens';

/** What each door takes any number of, and the target that it is sent to where not every one is. */
const DOORS: readonly [path: string, what: string, target: string, body: JsonObject][] = [
  [
    '/v1/chat/completions',
    'parts',
    'anthropic/claude-sonnet-4-5',
    {
      messages: [
        { role: 'system', content: many(text) },
        { role: 'user', content: many(text) },
        {
          role: 'assistant',
          content: many(text),
          tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'tool', tool_call_id: 'c', content: many(text) },
      ],
      tools: [{ type: 'function', function: { name: 'f' } }],
    },
  ],
  [
    '/v1/chat/completions',
    'calls and their results',
    'gemini/gemini-2.5-flash',
    {
      messages: [
        { role: 'user', content: 'Hi' },
        {
          role: 'assistant',
          tool_calls: many((index) => ({
            id: `c${index}`,
            type: 'function',
            function: { name: 'f', arguments: '{}' },
          })),
        },
        ...many((index) => ({ role: 'tool', tool_call_id: `c${index}`, content: '1' })),
      ],
      tools: [{ type: 'function', function: { name: 'f' } }],
    },
  ],
  [
    '/v1/responses',
    'items and parts',
    'bedrock/anthropic.claude-sonnet-4-5',
    {
      store: false,
      input: [
        { role: 'user', content: many(inputText) },
        { role: 'assistant', content: many(() => ({ type: 'output_text', text: 'a' })) },
        ...many(() => ({ role: 'user', content: 'a' })),
      ],
    },
  ],
  [
    '/v1/messages',
    'blocks',
    'bedrock/anthropic.claude-sonnet-4-5',
    {
      max_tokens: 5,
      system: many(text),
      messages: [
        { role: 'user', content: many(text) },
        {
          role: 'assistant',
          content: [...many(text), { type: 'tool_use', id: 'c', name: 'f', input: {} }],
        },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'c', content: many(text) }, ...many(text)],
        },
      ],
      tools: [{ name: 'f', input_schema: { type: 'object' } }],
    },
  ],
  [
    GENERATE,
    'parts',
    'anthropic/claude-sonnet-4-5',
    {
      systemInstruction: { parts: many(() => ({ text: 'a' })) },
      contents: [
        { role: 'user', parts: many(() => ({ text: 'a' })) },
        { role: 'model', parts: many(() => ({ text: 'a' })) },
        { role: 'user', parts: many(() => ({ text: 'a' })) },
      ],
    },
  ],
  [
    '/v1/messages/count_tokens',
    'blocks',
    'gemini/gemini-2.5-flash',
    { messages: [{ role: 'user', content: many(text) }], system: many(text) },
  ],
  [
    COUNT,
    'parts',
    'anthropic/claude-sonnet-4-5',
    { contents: [{ role: 'user', parts: many(() => ({ text: 'a' })) }] },
  ],
];

/** The sample has every third: all that is said there goes through the same few functions. */
const asked = DOORS.filter((_, index) => scale({ sample: index % 3 === 1, heavy: true }));
for (const [path, what, target, body] of asked) {
  test(`${path}: a hundred thousand ${what}`, async () => {
    for (const model of scale({ sample: [target], heavy: TARGETS })) {
      const sent = path.includes('MODEL') ? body : { ...body, model };
      const answer = await gateway.post(path.replace('MODEL', model), sent);
      assert.equal(answer.status, 200, `${model}: ${(await answer.text()).slice(0, 300)}`);
    }
  });
}

test('a hundred thousand ids of files are refused', async () => {
  const file = { type: 'file', file: { file_ids: many((index) => `file-${index}`) } };
  const body = { model: 'openai/gpt-4.1', messages: [{ role: 'user', content: [file] }] };
  const answer = await gateway.post('/v1/chat/completions', body);
  assert.ok(answer.status >= 400 && answer.status < 500, await answer.text());
});
