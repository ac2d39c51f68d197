import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startFakeGemini } from './fake-gemini.ts';
import type { FakeProvider } from './fake-provider.ts';
import { PIXEL_PNG } from './pixel.ts';

const MODEL = 'gemini-2.5-flash';

let fake: FakeProvider;
before(async () => {
  fake = await startFakeGemini();
});
after(() => fake.close());

const USER = { role: 'user', parts: [{ text: 'hi' }] };
const CALL = { functionCall: { name: 'weather', args: {} } };
const CALLED = { role: 'model', parts: [CALL] };
const RESULT = { functionResponse: { name: 'weather', response: { output: 'x' } } };
const ANSWERED = { role: 'user', parts: [RESULT] };
const toolOf = (parameters: JsonObject): JsonObject => ({
  tools: [{ functionDeclarations: [{ name: 'weather', parameters }] }],
});
const OBJECT = { type: 'OBJECT', properties: { a: { type: 'STRING' } } };
const TOOL = toolOf(OBJECT);
const configOf = (generationConfig: JsonObject): JsonObject => ({ generationConfig });
const JSON_OUT = { responseMimeType: 'application/json' };
const thinkingOf = (thinkingConfig: JsonObject): JsonObject => configOf({ thinkingConfig });
const callingOf = (functionCallingConfig: JsonObject): JsonObject => ({
  ...TOOL,
  toolConfig: { functionCallingConfig },
});

/** What is added to a good request, and what the real API says to it. */
const REFUSALS: [change: JsonObject, message: RegExp, model?: string][] = [
  [{ messages: [] }, /^Invalid JSON payload received\. Unknown name "messages": Cannot find field\.$/],
  [configOf({ frequencyPenalty: 0.5 }), /^Penalty is not enabled for models\/gemini-2\.5-flash$/],
  [configOf({ responseLogprobs: true }), /^Logprobs is not enabled for models\/gemini-2\.5-flash$/],
  [
    configOf({ maxOutputTokens: 8_193 }),
    /maxOutputTokens value of 8193 but .* 8193 \(exclusive\)/,
    'gemini-2.0-flash',
  ],
  [configOf(JSON_OUT), /^JSON mode is not enabled for models\/gemma-3-27b-it$/, 'gemma-3-27b-it'],
  [TOOL, /^Function calling is not enabled for models\/gemma-3-27b-it$/, 'gemma-3-27b-it'],
  [
    { contents: [USER, { role: 'model', parts: [{ text: 'So' }] }] },
    /^Requests ending with a model turn/,
    'gemini-3.6-flash',
  ],
  [configOf({ top_kk: 1 }), /Unknown name "top_kk" at 'generation_config': Cannot find field\.$/],
  [
    toolOf({ ...OBJECT, additionalProperties: false }),
    /Unknown name "additionalProperties" at 'tools\[0\]\.function_declarations\[0\]\.parameters': Cannot find field\.$/,
  ],
  [
    toolOf({ type: 'OBJECT', $schema: 'x', properties: { a: { const: 1 } } }),
    /^Invalid JSON payload received\. Unknown name "\$schema" at '[^']+': Cannot find field\.\nInvalid JSON payload received\. Unknown name "const" at 'tools\[0\]\.function_declarations\[0\]\.parameters\.properties\[0\]\.value': Cannot find field\.$/,
  ],
  [
    toolOf({ type: 'OBJECT', properties: { a: { type: ['string', 'null'] } } }),
    /Unknown name "type" at '[^']+': Proto field is not repeating, cannot start list\.$/,
  ],
  [
    toolOf({ type: 'OBJECT', properties: { a: { type: 'STRING', enum: [1] } } }),
    /^Invalid value at '[^']+\.enum\[0\]' \(TYPE_STRING\)$/,
  ],
  [
    toolOf({ type: 'OBJECT', properties: { a: { type: 'INTEGER', enum: ['1'] } } }),
    /parameters\.properties\[a\]\.enum: only allowed for STRING type/,
  ],
  [
    toolOf({ type: 'OBJECT', properties: { a: { type: 'OBJECT', properties: {} } } }),
    /properties\[a\]\.properties: should be non-empty for OBJECT type/,
  ],
  [
    toolOf({ type: 'OBJECT', properties: { a: { type: 'ARRAY' } } }),
    /properties\[a\]\.items: missing field\./,
  ],
  [toolOf({ ...OBJECT, required: ['b'] }), /parameters\.required\[0\]: property is not defined/],
  [
    toolOf({ type: 'OBJECT', properties: { a: { type: 'STRING', format: 'uri' } } }),
    /only 'enum' and 'date-time' are supported for STRING type/,
  ],
  [
    { tools: [{ functionDeclarations: [{ name: '1a' }] }] },
    /function_declarations\[0\]\.name: Invalid function name\. Must start with a letter or an underscore\./,
  ],
  [
    { tools: [{ functionDeclarations: [{ name: 'a' }, { name: 'a' }] }] },
    /^Duplicate function declaration found: a$/,
  ],
  [
    { tools: [{ functionDeclarations: [{ name: 'a', parameters: OBJECT, parametersJsonSchema: {} }] }] },
    /mutually exclusive/,
  ],
  [{ contents: [] }, /^\* GenerateContentRequest\.contents: contents is not specified\n$/],
  [
    { systemInstruction: { parts: [{}] } },
    /system_instruction\.parts\[0\]\.data: required oneof field 'data'/,
  ],
  [{ contents: [{ role: 'user', parts: [] }] }, /contents\[0\]\.parts: contents\.parts must not be empty\./],
  [
    { contents: [{ role: 'user', parts: [{}] }] },
    /contents\[0\]\.parts\[0\]\.data: required oneof field 'data' must have one initialized field/,
  ],
  [
    {
      contents: [
        { role: 'user', parts: [{ text: 'x', inlineData: { mimeType: 'image/png', data: PIXEL_PNG } }] },
      ],
    },
    /oneof field 'data' is already set/,
  ],
  [{ contents: [{ role: 'assistant', parts: [{ text: 'x' }] }] }, /^Please use a valid role: user, model\.$/],
  [
    {
      contents: [
        {
          role: 'user',
          parts: [{ inlineData: { mimeType: 'image/png', data: 'data:image/png;base64,AA' } }],
        },
      ],
    },
    /^Invalid value at 'contents\[0\]\.parts\[0\]\.inline_data\.data' \(TYPE_BYTES\), Base64 decoding failed for "data:image/,
  ],
  [
    { contents: [{ role: 'user', parts: [{ inlineData: { mimeType: 'image/jpg', data: PIXEL_PNG } }] }] },
    /^Unsupported MIME type: image\/jpg$/,
  ],
  [
    { contents: [CALLED, ANSWERED] },
    /^Please ensure that function call turn comes immediately after a user turn or after a function response turn\.$/,
  ],
  [
    { contents: [USER, ANSWERED] },
    /^Please ensure that function response turn comes immediately after a function call turn\.$/,
  ],
  [
    { contents: [USER, CALLED, USER] },
    /^Please ensure that the number of function response parts is equal to the number of function call parts/,
  ],
  [
    { contents: [USER, CALLED, { role: 'user', parts: [RESULT, RESULT] }] },
    /number of function response parts is equal/,
  ],
  [
    {
      contents: [
        USER,
        CALLED,
        { role: 'user', parts: [{ functionResponse: { name: 'other', response: {} } }] },
      ],
    },
    /function response names match/,
  ],
  [
    { contents: [USER, CALLED, { role: 'user', parts: [{ functionResponse: { response: {} } }] }] },
    /function_response\.name: Name cannot be empty\./,
  ],
  [
    {
      contents: [
        USER,
        CALLED,
        { role: 'user', parts: [{ functionResponse: { name: 'weather', response: 'x' } }] },
      ],
    },
    /^Invalid value at 'contents\[2\]\.parts\[0\]\.function_response\.response' \(TYPE_MESSAGE\)$/,
  ],
  [
    { contents: [USER, CALLED, ANSWERED] },
    /missing a thought_signature in functionCall parts\..*`default_api:weather` , position 2\./,
    'gemini-3-pro-preview',
  ],
  [
    { contents: [USER, { role: 'model', parts: [{ text: 'x', thoughtSignature: 'AAAA' }] }, USER] },
    /^Corrupted thought signature\.$/,
  ],
  [
    configOf({ stopSequences: ['1', '2', '3', '4', '5', '6'] }),
    /stopSequences value of 6 but the supported range is from 1 \(inclusive\) to 6 \(exclusive\)/,
  ],
  [configOf({ candidateCount: 9 }), /candidate_count/],
  [
    configOf({ candidateCount: 2 }),
    /^Multiple candidates is not enabled for this model$/,
    'gemini-3-pro-preview',
  ],
  [
    configOf({ temperature: 3 }),
    /temperature value of 3 but the supported range is from 0 \(inclusive\) to 2/,
  ],
  [configOf({ maxOutputTokens: 0 }), /maxOutputTokens value of 0/],
  [configOf({ temperature: 'hot' }), /^Invalid value at 'generation_config\.temperature' \(TYPE_FLOAT\)$/],
  [configOf({ logprobs: 3 }), /only valid if response_logprobs is true/],
  [
    thinkingOf({ thinkingBudget: 0 }),
    /^Budget 0 is invalid\. This model only works in thinking mode\.$/,
    'gemini-2.5-pro',
  ],
  [
    thinkingOf({ thinkingBudget: 64 }),
    /^The thinking budget 64 is invalid\. Please choose a value between 128 and 32768\.$/,
    'gemini-2.5-pro',
  ],
  [thinkingOf({ thinkingLevel: 'LOW' }), /^Thinking level is not supported for this model\.$/],
  [
    thinkingOf({ thinkingLevel: 'LOW', thinkingBudget: 100 }),
    /only one of thinking budget and thinking level/,
    'gemini-3-pro-preview',
  ],
  [thinkingOf({ thinkingBudget: 100 }), /^Thinking is not enabled for this model\.$/, 'gemini-2.0-flash'],
  [configOf({ responseSchema: OBJECT }), /requires a compatible response mime type/],
  [
    configOf({ ...JSON_OUT, responseSchema: OBJECT, responseJsonSchema: {} }),
    /Only one of response_schema and response_json_schema/,
  ],
  [
    configOf({ ...JSON_OUT, responseSchema: { ...OBJECT, additionalProperties: false } }),
    /Unknown name "additionalProperties" at 'generation_config\.response_schema'/,
  ],
  [
    { ...TOOL, ...configOf(JSON_OUT) },
    /^Function calling with a response mime type: 'application\/json' is unsupported$/,
  ],
  [callingOf({ mode: 'AUTO', allowedFunctionNames: ['weather'] }), /only when function calling mode is ANY/],
  [callingOf({ mode: 'ANY', allowedFunctionNames: ['nope'] }), /not declared: nope/],
  [callingOf({ mode: 'SOMETIMES' }), /\(TYPE_ENUM\), "SOMETIMES"$/],
];

test('what Gemini refuses is refused, in its words', async (t) => {
  for (const [change, message, model] of REFUSALS) {
    await t.test(`${message}`, async () => {
      const response = await post(`${model ?? MODEL}:generateContent`, { contents: [USER], ...change });
      const { error } = (await response.json()) as { error: JsonObject };
      assert.match(String(error['message']), message);
      assert.deepEqual([response.status, error['code'], error['status']], [400, 400, 'INVALID_ARGUMENT']);
    });
  }
});

test('embedding requests have rules of their own', async () => {
  const request = (text: string): JsonObject => ({
    model: 'models/gemini-embedding-001',
    content: { parts: [{ text }] },
  });
  const cases: [JsonObject, RegExp][] = [
    [{ requests: [] }, /requests is not specified/],
    [{ requests: [request('')] }, /content contains an empty Part/],
    [{ requests: [{ ...request('a'), model: 'models/other' }] }, /must match the model of the batch/],
    [{ requests: [{ ...request('a'), outputDimensionality: 9999 }] }, /output_dimensionality/],
    [
      { requests: Array.from({ length: 101 }, () => request('a')) },
      /at most 100 requests can be in one batch/,
    ],
    [{ input: 'a' }, /Unknown name "input"/],
  ];
  for (const [body, message] of cases) {
    const response = await post('gemini-embedding-001:batchEmbedContents', body);
    assert.equal(response.status, 400);
    const { error } = (await response.json()) as { error: JsonObject };
    assert.match(String(error['message']), message);
  }
});

function post(target: string, body: JsonObject): Promise<Response> {
  return fetch(`${fake.url}/v1beta/models/${target}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': fake.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}
