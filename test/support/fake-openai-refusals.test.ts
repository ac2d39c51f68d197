import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startFakeOpenAi } from './fake-openai.ts';
import type { FakeProvider } from './fake-provider.ts';
import { PIXEL_PNG } from './pixel.ts';

const MODEL = 'gpt-4.1-mini';
const WEATHER = { type: 'function', function: { name: 'weather', parameters: { type: 'object' } } };

let fake: FakeProvider;
before(async () => {
  fake = await startFakeOpenAi();
});
after(() => fake.close());

const CALL = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } };
const USER = { role: 'user', content: 'hi' };
const CALLED = { role: 'assistant', content: null, tool_calls: [CALL] };
const STRICT = {
  type: 'object',
  properties: { a: { type: 'string' } },
  required: ['a'],
  additionalProperties: false,
};
const formatOf = (schema: JsonObject): JsonObject => ({
  response_format: { type: 'json_schema', json_schema: { name: 'x', strict: true, schema } },
});

/** What is added to a good request, and what the real API says to it. */
const REFUSALS: [change: JsonObject, message: RegExp, param?: string | null, code?: string | null][] = [
  [{ top_k: 3 }, /^Unrecognized request argument supplied: top_k$/, null, null],
  [{ model: undefined }, /^you must provide a model parameter$/, null, null],
  [
    { messages: undefined },
    /^Missing required parameter: 'messages'\.$/,
    'messages',
    'missing_required_parameter',
  ],
  [{ messages: [] }, /empty array\. Expected an array with minimum length 1/, 'messages', 'empty_array'],
  [
    { messages: 'hi' },
    /^Invalid type for 'messages': expected an array, but got a string/,
    'messages',
    'invalid_type',
  ],
  [
    { messages: [{ role: 'bot', content: 'x' }] },
    /^Invalid value: 'bot'\. Supported values are: 'system', /,
    'messages[0].role',
  ],
  [
    { messages: [{ role: 'user', content: null }] },
    /^Invalid value for 'content': expected a string, got null/,
    'messages.[0].content',
  ],
  [{ messages: [{ role: 'assistant' }] }, /expected a string, got null/],
  [
    { messages: [USER, { role: 'tool', tool_call_id: 'call_1', content: 'x' }] },
    /must be a response to a preceeding message with 'tool_calls'/,
    'messages.[1].role',
  ],
  [
    { messages: [USER, CALLED, { role: 'tool', tool_call_id: 'call_2', content: 'x' }] },
    /'tool_call_id' of 'call_2' not found/,
  ],
  [{ messages: [USER, CALLED] }, /did not have response messages: call_1$/],
  [{ messages: [USER, CALLED, USER] }, /did not have response messages: call_1$/, 'messages.[2].role'],
  [
    { messages: [USER, { role: 'assistant', content: 'x', tool_calls: [] }] },
    /empty array/,
    'messages[1].tool_calls',
    'empty_array',
  ],
  [
    { messages: [USER, { ...CALLED, tool_calls: [{ ...CALL, id: 'c'.repeat(41) }] }] },
    /^Invalid 'messages\[1\]\.tool_calls\[0\]\.id': string too long\. Expected a string with maximum length 40, but got a string with length 41 instead\.$/,
    'messages[1].tool_calls[0].id',
    'string_above_max_length',
  ],
  [
    {
      messages: [
        { role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,@@' } }] },
      ],
    },
    /Invalid base64/,
  ],
  [
    {
      messages: [
        {
          role: 'user',
          content: [{ type: 'image_url', image_url: { url: `data:image/bmp;base64,${PIXEL_PNG}` } }],
        },
      ],
    },
    /unsupported image/,
    null,
    'invalid_image_format',
  ],
  [
    {
      messages: [
        {
          role: 'user',
          content: [{ type: 'image_url', image_url: { url: 'data:application/pdf;base64,QUJD' } }],
        },
      ],
    },
    /Only image types/,
    null,
    'invalid_image_format',
  ],
  [
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'ftp://x/y.png' } }] }] },
    /Expected a valid URL/,
  ],
  [
    {
      messages: [{ role: 'system', content: [{ type: 'image_url', image_url: { url: 'http://x/y.png' } }] }],
    },
    /Image URLs are only allowed for messages with role 'user'/,
    'messages[0]',
  ],
  [
    {
      messages: [
        { role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'QUJD', format: 'wav' } }] },
      ],
    },
    /either text or image_url type/,
  ],
  [{ tools: [] }, /empty array/, 'tools', 'empty_array'],
  [{ tool_choice: 'auto' }, /'tool_choice' is only allowed when 'tools' are specified/],
  [{ parallel_tool_calls: false }, /'parallel_tool_calls' is only allowed when 'tools' are specified/],
  [{ tools: [WEATHER], tool_choice: { type: 'function', function: { name: 'x' } } }, /no function named 'x'/],
  [
    { tools: [{ type: 'function', function: { name: 'a b' } }] },
    /does not match pattern/,
    'tools[0].function.name',
    'invalid_value',
  ],
  [
    { tools: [{ type: 'function', function: { name: 'a', parameters: { type: 'string' } } }] },
    /got 'type: "string"'/,
    'tools[0].function.parameters',
    'invalid_function_parameters',
  ],
  [
    {
      tools: [
        {
          type: 'function',
          function: { name: 'a', strict: true, parameters: { type: 'object', properties: {} } },
        },
      ],
    },
    /'additionalProperties' is required/,
  ],
  [{ stop: ['1', '2', '3', '4', '5'] }, /array too long/, 'stop', 'array_above_max_length'],
  [
    { temperature: 3 },
    /decimal above maximum value\. Expected a value <= 2/,
    'temperature',
    'decimal_above_max_value',
  ],
  [
    { temperature: -1 },
    /decimal below minimum value\. Expected a value >= 0, but got -1/,
    'temperature',
    'decimal_below_min_value',
  ],
  [{ n: 0 }, /integer below minimum value/, 'n', 'integer_below_min_value'],
  [{ top_logprobs: 2 }, /only allowed when 'logprobs' is enabled/],
  [{ stream_options: { include_usage: true } }, /only allowed when 'stream' is enabled/, 'stream_options'],
  [{ max_tokens: 5, max_completion_tokens: 5 }, /at the same time/, 'max_tokens'],
  [{ reasoning_effort: 'low' }, /Unrecognized request argument supplied: reasoning_effort/],
  [
    { model: 'gpt-5-mini', max_tokens: 5 },
    /Use 'max_completion_tokens' instead/,
    'max_tokens',
    'unsupported_parameter',
  ],
  [
    { model: 'o4-mini', temperature: 0.2 },
    /'temperature' does not support 0\.2 with this model/,
    'temperature',
    'unsupported_value',
  ],
  [
    { model: 'o3-mini', reasoning_effort: 'minimal' },
    /'reasoning_effort' does not support 'minimal' with this model\. Supported values are: 'low', 'medium', and 'high'\.$/,
    'reasoning_effort',
    'unsupported_value',
  ],
  [{ model: 'gpt-5-mini', stop: ['x'] }, /'stop' is not supported with this model/],
  [
    { model: 'o1-mini', messages: [{ role: 'system', content: 'x' }, USER] },
    /does not support 'system' with this model/,
    'messages[0].role',
    'unsupported_value',
  ],
  [{ response_format: { type: 'json_object' } }, /must contain the word 'json'/, 'messages'],
  [
    { store: true, metadata: Object.fromEntries(Array.from({ length: 17 }, (_, at) => [`k${at}`, 'x'])) },
    /^Invalid 'metadata': too many properties\. Expected an object with at most 16 properties, but got an object with 17 properties instead\.$/,
    'metadata',
    'object_above_max_properties',
  ],
  ...(
    [
      [null, /^Invalid schema for function 'x': None is not of type 'object'\.$/],
      [{ a: null }, /^Invalid schema for function 'x': None is not of type 'object', 'boolean'\.$/],
      [{ a: 'string' }, /^Invalid schema for function 'x': 'string' is not of type 'object', 'boolean'\.$/],
    ] as const
  ).map(
    ([properties, message]) =>
      [
        {
          tools: [{ type: 'function', function: { name: 'x', parameters: { type: 'object', properties } } }],
        },
        message,
        'tools[0].function.parameters',
        'invalid_function_parameters',
      ] satisfies [JsonObject, RegExp, string, string],
  ),
  [
    { response_format: { type: 'json_schema', json_schema: { name: 'x' } } },
    /Missing required parameter: 'response_format\.json_schema\.schema'/,
  ],
  [
    formatOf({ ...STRICT, additionalProperties: true }),
    /In context=\(\), 'additionalProperties' is required to be supplied and to be false/,
    'response_format',
  ],
  [formatOf({ ...STRICT, required: [] }), /array including every key in properties\. Missing 'a'\./],
  [
    formatOf({ ...STRICT, properties: { a: { allOf: [] } } }),
    /In context=\('properties', 'a'\), 'allOf' is not permitted/,
  ],
  [
    formatOf({ ...STRICT, properties: { a: { type: 'object' } } }),
    /In context=\('properties', 'a'\), 'additionalProperties'/,
  ],
  [
    formatOf({ type: 'array', items: {} }),
    /schema must be a JSON Schema of 'type: "object"', got 'type: "array"'/,
  ],
];

test('what OpenAI refuses is refused, in its words', async (t) => {
  for (const [change, message, param, code] of REFUSALS) {
    await t.test(`${message}`, async () => {
      const response = await fetch(`${fake.url}/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${fake.apiKey}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: MODEL, messages: [USER], ...change }),
      });
      const { error } = (await response.json()) as { error: JsonObject };
      assert.equal(response.status, 400);
      assert.match(String(error['message']), message);
      assert.equal(error['type'], 'invalid_request_error');
      if (param !== undefined) assert.equal(error['param'], param);
      if (code !== undefined) assert.equal(error['code'], code);
    });
  }
});

test('a model that only the Responses API serves is there and not in Chat Completions', async () => {
  const post = (path: string, body: JsonObject) =>
    fetch(`${fake.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${fake.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpt-5-codex', ...body }),
    });
  const refused = await post('/chat/completions', { messages: [USER] });
  const { error } = (await refused.json()) as { error: JsonObject };
  assert.deepEqual(
    [refused.status, error['message'], error['param']],
    [404, 'This model is only supported in v1/responses and not in v1/chat/completions.', 'model'],
  );
  assert.equal((await post('/responses', { input: 'Hi' })).status, 200);
  const effort = await post('/responses', { input: 'Hi', reasoning: { effort: 'minimal' } });
  const { error: fitted } = (await effort.json()) as { error: JsonObject };
  assert.deepEqual([effort.status, fitted['param']], [400, 'reasoning.effort']);
});
