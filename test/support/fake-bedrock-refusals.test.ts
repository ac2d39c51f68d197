import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startFakeBedrock } from './fake-bedrock.ts';
import type { FakeProvider } from './fake-provider.ts';
import { PIXEL_PNG } from './pixel.ts';

const CLAUDE = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const CLAUDE_4 = 'us.anthropic.claude-sonnet-4-20250514-v1:0';
const NOVA = 'us.amazon.nova-pro-v1:0';
const MISTRAL = 'mistral.mistral-large-2402-v1:0';
const LLAMA = 'us.meta.llama4-maverick-17b-instruct-v1:0';

let fake: FakeProvider;
before(async () => {
  fake = await startFakeBedrock();
});
after(() => fake.close());

const TEXT = { text: 'x' };
const USER = { role: 'user', content: [TEXT] };
const ASSISTANT = { role: 'assistant', content: [TEXT] };
const CALLED = {
  role: 'assistant',
  content: [{ toolUse: { toolUseId: 't1', name: 'weather', input: {} } }],
};
const RESULT = { toolResult: { toolUseId: 't1', content: [TEXT] } };
const TOOL = { toolSpec: { name: 'weather', inputSchema: { json: { type: 'object' } } } };
const TOOLS = { toolConfig: { tools: [TOOL] } };
const CACHE = { cachePoint: { type: 'default' } };
const user = (...content: JsonObject[]): JsonObject => ({ messages: [{ role: 'user', content }] });
const history = (...content: JsonObject[]): JsonObject => ({
  ...TOOLS,
  messages: [USER, CALLED, { role: 'user', content }],
});
const document = (name: string): JsonObject => ({
  document: { name, format: 'txt', source: { bytes: 'eA==' } },
});
const image = (format: string, bytes: string): JsonObject => ({ image: { format, source: { bytes } } });
const format = (schema: string): JsonObject => ({
  outputConfig: { textFormat: { type: 'json_schema', structure: { jsonSchema: { schema } } } },
});
const thinking = (budget: number): JsonObject => ({
  additionalModelRequestFields: { thinking: { type: 'enabled', budget_tokens: budget } },
});

/** What is added to a good request, and what the real API says to it. */
const REFUSALS: [change: JsonObject, message: RegExp, model?: string][] = [
  [{ seed: 1 }, /^Unexpected field 'seed'/],
  [
    user({ text: 'x', extra: 1 }),
    /^Unexpected field 'extra' at 'messages\.1\.member\.content\.1\.member\.extra'$/,
  ],
  [{ inferenceConfig: { maxTokens: '5' } }, /^STRING_VALUE cannot be converted to integer$/],
  [{ inferenceConfig: { temperature: 2 } }, /Member must be less than or equal to 1$/],
  [{ messages: [{ role: 'user' }] }, /'messages\.1\.member\.content' .* Member must not be null$/],
  [{ messages: [] }, /^A conversation must start with a user message\./],
  [{ messages: [ASSISTANT, USER] }, /^A conversation must start with a user message\./],
  [{ messages: [USER, USER] }, /^A conversation must alternate between user and assistant roles\./],
  [{ messages: [{ role: 'system', content: [TEXT] }, USER] }, /must start with a user message/],
  [{ messages: [USER, ASSISTANT] }, /does not support assistant message prefill/, LLAMA],
  [
    { messages: [{ role: 'user', content: [] }] },
    /^The content field in the Message object at messages\.0 is empty\./,
  ],
  [user({ text: ' ' }), /^The text field in the ContentBlock object at messages\.0\.content\.0 is blank\./],
  [{ system: [{ text: '' }] }, /^The text field in the SystemContentBlock object at system\.0 is blank\./],
  [
    user({ text: 'x', image: { format: 'png', source: { bytes: PIXEL_PNG } } }),
    /must have exactly one member, not 2/,
  ],
  [user({}), /must have exactly one member, not 0/],
  [user(image('jpeg', PIXEL_PNG)), /does not match the provided format jpeg$/],
  [user(image('bmp', PIXEL_PNG)), /Member must satisfy enum value set: \[png, jpeg, gif, webp\]$/],
  [user(image('png', 'no base64!')), /invalid base64$/],
  [
    { messages: [USER, { role: 'assistant', content: [image('png', PIXEL_PNG)] }, USER] },
    /only be in user messages/,
  ],
  [user(CALLED.content[0] ?? {}), /toolUse blocks can only be in assistant messages/],
  [user(document('a'), document('a'), TEXT), /^Messages can't contain duplicate document names\./],
  [user(document('a.txt'), TEXT), /^The document file name can only contain alphanumeric characters/],
  [user(document('a')), /must also have a text block/],
  [
    user(TEXT, ...['a', 'b', 'c', 'd', 'e', 'f'].map(document)),
    /^You can't include more than 5 documents in a request\.$/,
  ],
  [
    { messages: [USER, CALLED, { role: 'user', content: [RESULT] }] },
    /^The toolConfig field must be defined/,
  ],
  [history(TEXT), /^Expected toolResult blocks at messages\.2\.content for the following Ids: t1$/],
  [history(TEXT, RESULT), /`tool_result` blocks must come first/],
  [history(RESULT, RESULT), /^The number of toolResult blocks at messages\.2\.content exceeds/],
  [{ ...TOOLS, ...user(RESULT) }, /^The number of toolResult blocks at messages\.0\.content exceeds/],
  [
    history({ toolResult: { toolUseId: 't1', content: [{ text: '' }] } }),
    /^The text field in the ToolResultContentBlock/,
  ],
  [
    history({ toolResult: { toolUseId: 't1', content: [], status: 'error' } }),
    /cannot be empty when status value is error/,
  ],
  [
    { ...history({ toolResult: { toolUseId: 't1', content: [TEXT], status: 'success' } }) },
    /doesn't support the toolResult\.status field/,
    MISTRAL,
  ],
  [
    {
      ...TOOLS,
      messages: [
        USER,
        { role: 'assistant', content: [{ toolUse: { toolUseId: 't1', name: 'w', input: 'x' } }] },
        { role: 'user', content: [RESULT] },
      ],
    },
    /Input should be a valid dictionary$/,
  ],
  [{ toolConfig: { tools: [] } }, /Member must have length greater than or equal to 1$/],
  [
    { toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, name: 'a.b' } }] } },
    /'toolConfig\.tools\.1\.member\.toolSpec\.name' failed .* regular expression pattern/,
  ],
  [
    { toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, name: 'x'.repeat(65) } }] } },
    /less than or equal to 64$/,
  ],
  [
    { toolConfig: { tools: [{ toolSpec: { ...TOOL.toolSpec, description: '' } }] } },
    /greater than or equal to 1$/,
  ],
  [
    { toolConfig: { tools: [{ toolSpec: { name: 'a', inputSchema: { json: {} } } }] } },
    /must be one of the following: object/,
  ],
  [{ toolConfig: { tools: [TOOL, TOOL] } }, /Tool names must be unique/],
  [{ toolConfig: { tools: [TOOL], toolChoice: { none: {} } } }, /^Unexpected field 'none'/],
  [{ toolConfig: { tools: [TOOL], toolChoice: { tool: { name: 'other' } } } }, /Tool 'other' not found/],
  [
    { toolConfig: { tools: [TOOL], toolChoice: { any: {} } } },
    /^This model doesn't support the toolConfig\.toolChoice\.any field\. Remove toolConfig\.toolChoice\.any and try again\.$/,
    LLAMA,
  ],
  [
    { toolConfig: { tools: [TOOL, CACHE] } },
    /#\/toolConfig\/tools\/1: extraneous key \[cachePoint\] is not permitted/,
    NOVA,
  ],
  [user(TEXT, CACHE), /did not allow prompt caching/, LLAMA],
  [
    { system: [TEXT, CACHE, TEXT, CACHE, TEXT, CACHE, TEXT, CACHE], ...user(TEXT, CACHE) },
    /A maximum of 4 blocks/,
  ],
  [
    format('{"type":"object","additionalProperties":false}'),
    /output_config\.format: Extra inputs are not permitted/,
    CLAUDE_4,
  ],
  [format('{"type":"object"}'), /'additionalProperties' must be explicitly set to false/],
  [format('nope'), /is not valid JSON/],
  [thinking(512), /budget_tokens/],
  [{ ...thinking(2048), inferenceConfig: { maxTokens: 2048 } }, /max_tokens/],
  [{ ...thinking(2048), inferenceConfig: { temperature: 0.5 } }, /temperature/],
  [{ ...thinking(2048), toolConfig: { tools: [TOOL], toolChoice: { any: {} } } }, /tool_choice/],
  [
    {
      messages: [
        USER,
        {
          role: 'assistant',
          content: [{ reasoningContent: { reasoningText: { text: 'x', signature: 'forged' } } }],
        },
        USER,
      ],
    },
    /Invalid `signature` in `thinking` block/,
  ],
];

async function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${fake.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${fake.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

const pathOf = (model: string): string => `/model/${encodeURIComponent(model)}/converse`;

for (const [change, message, model = CLAUDE] of REFUSALS) {
  test(`refuses ${JSON.stringify(change).slice(0, 100)} (${model})`, async () => {
    for (const operation of ['', '-stream']) {
      const answer = await post(`${pathOf(model)}${operation}`, { messages: [USER], ...change });
      const body = (await answer.json()) as { message: string };
      assert.match(body.message, message);
      assert.match(answer.headers.get('x-amzn-errortype') ?? '', /^\w+Exception:/);
      assert.ok(answer.status === 400 || answer.status === 403, String(answer.status));
    }
  });
}

test('a model that is not there is refused in the recorded words', async () => {
  const answer = await post(pathOf('us.does-not-exist-model-v1:0'), { messages: [USER] });
  assert.equal(answer.status, 400);
  assert.deepEqual(await answer.json(), { message: 'The provided model identifier is invalid.' });
});

const SIGNED = `AWS4-HMAC-SHA256 Credential=AKIAFAKE/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`;
const CREDENTIALS: [what: string, headers: Record<string, string>, status: number, message?: RegExp][] = [
  ['another key', { authorization: 'Bearer other' }, 403, /make sure your API Key is valid/],
  ['half a signature', { authorization: 'AWS4-HMAC-SHA256 Credential=x' }, 403, /signature does not conform/],
  ['a signature without its date', { authorization: SIGNED }, 403, /signature does not conform/],
  ['a whole signature', { authorization: SIGNED, 'x-amz-date': '20260101T000000Z' }, 200],
];
for (const [what, headers, status, message] of CREDENTIALS) {
  test(`a request with ${what} is answered with ${status}`, async () => {
    const answer = await post(pathOf(CLAUDE), { messages: [USER] }, headers);
    assert.equal(answer.status, status);
    if (message) assert.match(((await answer.json()) as { message: string }).message, message);
  });
}

test('a request without a credential, with another method or to another path is refused', async () => {
  const bare = await fetch(`${fake.url}${pathOf(CLAUDE)}`, { method: 'POST', body: '{}' });
  assert.equal(bare.status, 403);
  assert.match(await bare.text(), /Missing Authentication Token/);
  const headers = { authorization: `Bearer ${fake.apiKey}` };
  assert.equal((await fetch(`${fake.url}${pathOf(CLAUDE)}`, { headers })).status, 405);
  assert.equal((await post('/model/x/invoke-async', {})).status, 404);
  assert.equal((await post(pathOf(CLAUDE), {}, { 'content-type': 'text/plain' })).status, 415);
});

const EMBEDDINGS: [what: string, model: string, body: object, message: RegExp][] = [
  [
    'a field of another model',
    'amazon.titan-embed-text-v1',
    { inputText: 'a', dimensions: 256 },
    /extraneous key \[dimensions\]/,
  ],
  ['a text that is empty', 'amazon.titan-embed-text-v2:0', { inputText: '' }, /minLength: 1/],
  ['no type of input', 'cohere.embed-english-v3', { texts: ['a'] }, /valid input_type/],
  ['a model that embeds nothing', CLAUDE, { inputText: 'a' }, /model identifier is invalid/],
];
for (const [what, model, body, message] of EMBEDDINGS) {
  test(`embeddings are refused: ${what}`, async () => {
    const answer = await post(`/model/${encodeURIComponent(model)}/invoke`, body);
    assert.equal(answer.status, 400);
    assert.match(((await answer.json()) as { message: string }).message, message);
  });
}
