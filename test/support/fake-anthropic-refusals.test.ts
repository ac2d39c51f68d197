import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startFakeAnthropic } from './fake-anthropic.ts';
import type { FakeProvider } from './fake-provider.ts';
import { PIXEL_PNG } from './pixel.ts';

const MODEL = 'claude-haiku-4-5';
const WEATHER = {
  name: 'weather',
  input_schema: { type: 'object', properties: { city: { type: 'string' } } },
};
const THINKING = { type: 'enabled', budget_tokens: 1024 };

let fake: FakeProvider;
before(async () => {
  fake = await startFakeAnthropic();
});
after(() => fake.close());

const USER = { role: 'user', content: 'hi' };
const CALL = { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} };
const RESULT = { type: 'tool_result', tool_use_id: 'toolu_1', content: 'x' };
const CALLED = { role: 'assistant', content: [CALL] };
const ANSWERED = { role: 'user', content: [RESULT] };
const imageOf = (media_type: string, data: string): JsonObject => ({
  messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'base64', media_type, data } }] }],
});
const schemaOf = (schema: JsonObject): JsonObject => ({
  output_config: { format: { type: 'json_schema', schema } },
});
const CACHED = { type: 'text', text: 'x', cache_control: { type: 'ephemeral' } };
const CACHED_1H = { type: 'text', text: 'x', cache_control: { type: 'ephemeral', ttl: '1h' } };

/** What is added to a good request, and what the real API says to it. */
const REFUSALS: [change: JsonObject, message: RegExp, version?: string][] = [
  [{ response_format: {} }, /^response_format: Extra inputs are not permitted$/],
  [{ seed: 1 }, /^seed: Extra inputs are not permitted$/],
  [{ mcp_servers: [] }, /^mcp_servers: Extra inputs are not permitted$/],
  [{ max_tokens: undefined }, /^max_tokens: Field required$/],
  [{ max_tokens: '5' }, /^max_tokens: Input should be a valid integer$/],
  [
    { max_tokens: 100_000 },
    /^max_tokens: 100000 > 64000, which is the maximum allowed number of output tokens for claude-haiku-4-5$/,
  ],
  [{ messages: [] }, /^messages: at least one message is required$/],
  [{ messages: [{ role: 'system', content: 'x' }, USER] }, /^messages: Unexpected role "system"/],
  [
    { model: 'claude-3-haiku-20240307', messages: [{ role: 'assistant', content: 'x' }, USER] },
    /first message must use the "user" role/,
  ],
  [
    { messages: [{ role: 'user', content: '' }] },
    /^messages\.0: all messages must have non-empty content except for the optional final assistant message$/,
  ],
  [
    { messages: [{ role: 'user', content: [{ type: 'text', text: '' }] }] },
    /^messages: text content blocks must be non-empty$/,
  ],
  [
    { messages: [{ role: 'user', content: [{ type: 'text', text: ' ' }] }] },
    /must contain non-whitespace text$/,
  ],
  [
    { messages: [{ role: 'user', content: [{ type: 'nope' }] }] },
    /^messages\.0\.content\.0: Input tag 'nope' found using 'type' does not match any of the expected tags: 'text', /,
  ],
  [
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', extra: 1 }] }] },
    /^messages\.0\.content\.0\.text\.extra: Extra inputs are not permitted$/,
  ],
  [
    { messages: [USER, CALLED] },
    /^messages\.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1\./,
  ],
  [
    { messages: [USER, CALLED, { role: 'user', content: [{ type: 'text', text: 'x' }, RESULT] }] },
    /ids were found without `tool_result` blocks immediately after/,
  ],
  [
    { messages: [USER, { role: 'user', content: [RESULT] }] },
    /^messages\.1\.content\.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1\./,
  ],
  [
    { messages: [USER, CALLED, { role: 'user', content: [RESULT, RESULT] }] },
    /each tool_use must have a single result/,
  ],
  [{ messages: [USER, CALLED, ANSWERED, CALLED, ANSWERED] }, /`tool_use` ids must be unique/],
  [
    { messages: [{ role: 'user', content: [CALL] }] },
    /`tool_use` blocks can only be in `assistant` messages/,
  ],
  [
    { messages: [USER, { role: 'assistant', content: [{ ...CALL, id: 'a.b' }] }, ANSWERED] },
    /tool_use\.id: String should match pattern '\^\[a-zA-Z0-9_-\]\+\$'$/,
  ],
  [
    { messages: [USER, { role: 'assistant', content: [{ ...CALL, input: '{}' }] }, ANSWERED] },
    /tool_use\.input: Input should be a valid dictionary$/,
  ],
  [
    { messages: [USER, { role: 'assistant', content: [{ type: 'thinking', thinking: 'x' }] }, USER] },
    /^messages\.1\.content\.0\.thinking\.signature: Field required$/,
  ],
  [
    { messages: [USER, { role: 'assistant', content: [{ type: 'redacted_thinking', data: 'x' }] }, USER] },
    /Invalid `data` in `redacted_thinking` block$/,
  ],
  [
    { messages: [USER, { role: 'assistant', content: 'x ' }] },
    /final assistant content cannot end with trailing whitespace$/,
  ],
  [
    { model: 'claude-sonnet-4-6', messages: [USER, { role: 'assistant', content: 'x' }] },
    /does not support assistant message prefill/,
  ],
  [
    imageOf('image/bmp', PIXEL_PNG),
    /media_type: Input should be 'image\/jpeg', 'image\/png', 'image\/gif' or 'image\/webp'$/,
  ],
  [
    imageOf('image/jpeg', PIXEL_PNG),
    /^messages\.0\.content\.0\.image\.source\.base64\.data: Image does not match the provided media type image\/jpeg$/,
  ],
  [imageOf('image/png', '@@'), /invalid base64 data$/],
  [{ temperature: 1.5 }, /^temperature: Input should be less than or equal to 1$/],
  [{ temperature: 0.5, top_p: 0.5 }, /^`temperature` and `top_p` cannot both be specified for this model\./],
  [{ model: 'claude-opus-4-7', temperature: 0.5 }, /^`temperature` is deprecated for this model\.$/],
  [{ stop_sequences: ['\n'] }, /^stop_sequences: each stop sequence must contain non-whitespace$/],
  [{ tool_choice: { type: 'auto' } }, /^tool_choice may only be specified while providing tools\.$/],
  [{ tools: [WEATHER], tool_choice: { type: 'tool', name: 'x' } }, /^Tool 'x' not found in provided tools$/],
  [
    { tools: [WEATHER], tool_choice: { type: 'none', disable_parallel_tool_use: true } },
    /^tool_choice\.none\.disable_parallel_tool_use: Extra inputs are not permitted$/,
  ],
  [{ tools: [WEATHER, WEATHER] }, /^tools: Tool names must be unique\.$/],
  [
    { tools: [{ ...WEATHER, name: 'a.b' }] },
    /^tools\.0\.custom\.name: String should match pattern '\^\[a-zA-Z0-9_-\]\{1,128\}\$'$/,
  ],
  [{ tools: [{ name: 'a' }] }, /^tools\.0\.custom\.input_schema: Field required$/],
  [
    { tools: [{ name: 'a', input_schema: { properties: {} } }] },
    /^tools\.0\.custom\.input_schema\.type: Field required$/,
  ],
  [
    { tools: [{ name: 'a', input_schema: { type: 'object', anyOf: [] } }] },
    /does not support oneOf, allOf, or anyOf at the top level$/,
  ],
  ...[
    { properties: null },
    { properties: { a: null } },
    { properties: { a: { type: 'text' } } },
    { properties: { a: { items: [{ type: 'string' }] } } },
    { properties: { a: { type: 'number', minimum: 0, exclusiveMinimum: true } } },
    { required: 'a' },
    { required: null },
  ].map(
    (schema) =>
      [
        { tools: [{ name: 'a', input_schema: { type: 'object', ...schema } }] },
        /^tools\.0\.custom\.input_schema: JSON schema is invalid\. It must match JSON Schema draft 2020-12 /,
      ] satisfies [JsonObject, RegExp],
  ),
  [
    {
      tools: [
        { name: 'a', input_schema: { type: 'object', properties: { a: { $ref: '#/$defs/Nothing' } } } },
      ],
    },
    /^tools\.0\.custom\.input_schema: Invalid \$ref in schema: '#\/\$defs\/Nothing' does not exist\./,
  ],
  [{ tools: [{ type: 'function', function: {} }] }, /^tools\.0: Input tag 'function' found using 'type'/],
  [
    { thinking: { type: 'enabled', budget_tokens: 10 } },
    /^thinking\.enabled\.budget_tokens: Input should be greater than or equal to 1024$/,
  ],
  [{ thinking: THINKING }, /^`max_tokens` must be greater than `thinking\.budget_tokens`/],
  [
    { thinking: THINKING, max_tokens: 2000, temperature: 0.5 },
    /^`temperature` may only be set to 1 when thinking is enabled/,
  ],
  [{ thinking: THINKING, max_tokens: 2000, top_k: 5 }, /^`top_k` must be unset when thinking is enabled/],
  [
    { thinking: THINKING, max_tokens: 2000, tools: [WEATHER], tool_choice: { type: 'any' } },
    /^Thinking may not be enabled when tool_choice forces tool use\.$/,
  ],
  [
    { model: 'claude-opus-4-7', thinking: THINKING, max_tokens: 2000 },
    /^"thinking\.type\.enabled" is not supported for this model\./,
  ],
  [{ thinking: { type: 'adaptive' } }, /^adaptive thinking is not supported on this model$/],
  [
    { model: 'claude-3-haiku-20240307', thinking: THINKING, max_tokens: 2000 },
    /does not support thinking\.$/,
  ],
  [{ output_config: { effort: 'low' } }, /does not support the effort parameter/],
  [
    schemaOf({ type: 'object', properties: {} }),
    /^output_config\.format\.schema: For 'object' type, 'additionalProperties' must be explicitly set to false$/,
  ],
  [
    schemaOf({
      type: 'object',
      additionalProperties: false,
      properties: { a: { type: 'integer', minimum: 1 } },
    }),
    /For 'integer' type, property 'minimum' is not supported$/,
  ],
  [{ output_format: {} }, /This field is deprecated/],
  [
    { system: [CACHED, CACHED, CACHED, CACHED, CACHED] },
    /^A maximum of 4 blocks with cache_control may be provided\. Found 5\.$/,
  ],
  [{ system: [CACHED, CACHED_1H] }, /ttl='1h' cache_control block must not come after/],
  [
    { system: [{ ...CACHED, cache_control: { type: 'ephemeral', scope: 'x' } }] },
    /^system\.0\.text\.cache_control\.ephemeral\.scope: Extra inputs are not permitted$/,
  ],
  [{ metadata: { tenant: 'x' } }, /^metadata\.tenant: Extra inputs are not permitted$/],
  [{ temperature: 1 }, /^temperature: Extra inputs are not permitted$/, '2026-10-21'],
  [
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'x', citations: [{}] }] }] },
    /citations are not permitted in `user` messages$/,
    '2026-10-21',
  ],
  [
    {
      messages: [
        USER,
        {
          role: 'assistant',
          content: [{ type: 'document', source: { type: 'url', url: 'http://x/y.pdf' } }],
        },
      ],
    },
    /`document` blocks are not permitted in `assistant` messages$/,
    '2026-10-21',
  ],
  [{}, /^anthropic-version: "2020-01-01" is not a valid version$/, '2020-01-01'],
];

test('what Anthropic refuses is refused, in its words', async (t) => {
  for (const [change, message, version] of REFUSALS) {
    await t.test(`${message}`, async () => {
      const response = await fetch(`${fake.url}/v1/messages`, {
        method: 'POST',
        headers: {
          'x-api-key': fake.apiKey,
          'anthropic-version': version ?? '2023-06-01',
          'content-type': 'application/json',
        },
        body: JSON.stringify({ model: MODEL, max_tokens: 100, messages: [USER], ...change }),
      });
      const { error } = (await response.json()) as { error: JsonObject };
      assert.equal(response.status, 400);
      assert.equal(error['type'], 'invalid_request_error');
      assert.match(String(error['message']), message);
    });
  }
});
