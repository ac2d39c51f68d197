import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { converse } from '../../../src/dialects/converse/index.ts';

function answer(content: JsonValue[], change: JsonObject = {}): ReturnType<typeof converse.decodeResponse> {
  return converse.decodeResponse({
    output: { message: { role: 'assistant', content } },
    stopReason: 'end_turn',
    usage: { inputTokens: 1, outputTokens: 2, totalTokens: 3 },
    ...change,
  });
}

const CALL = { toolUse: { toolUseId: 't', name: 'look', input: { a: 1 } } };
const JSON_ANSWER = { toolUse: { toolUseId: 't', name: 'fairlead_json_output', input: { a: 1 } } };

const BLOCKS: [block: JsonObject, part: unknown][] = [
  [{ text: 'x' }, { type: 'text', text: 'x' }],
  [CALL, { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: '{"a":1}' }],
  [
    { toolUse: { ...CALL.toolUse, type: 'tool_use' } },
    { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: '{"a":1}' },
  ],
  [
    { toolUse: { toolUseId: 't', name: 'fairlead_custom_patch', input: { input: 'text' } } },
    { type: 'tool_call', id: 't', name: 'patch', kind: 'custom', arguments: 'text' },
  ],
  [JSON_ANSWER, { type: 'text', text: '{"a":1}' }],
  [
    { reasoningContent: { reasoningText: { text: 'hm', signature: 's' } } },
    { type: 'reasoning', text: 'hm', signature: { dialect: 'converse', value: 's' } },
  ],
  [{ reasoningContent: { reasoningText: { text: 'hm' } } }, { type: 'reasoning', text: 'hm' }],
  [
    { reasoningContent: { redactedContent: 'eA==' } },
    { type: 'reasoning', text: '', encrypted: { dialect: 'converse', value: 'eA==' } },
  ],
  [
    { image: { format: 'png', source: { bytes: 'eA==' } } },
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'eA==' } },
  ],
  [
    {
      citationsContent: {
        content: [{ text: 'It ' }, { text: 'rains.' }],
        citations: [
          {
            title: 'Rain',
            sourceContent: [{ text: 'rain' }],
            location: { web: { url: 'https://a.example' } },
          },
          { title: 'Book', location: { documentPage: { documentIndex: 0, start: 1, end: 2 } } },
        ],
      },
    },
    {
      type: 'text',
      text: 'It rains.',
      citations: [
        { url: 'https://a.example', title: 'Rain', quote: 'rain', start: 0, end: 9 },
        { place: { of: 'pages', index: 0, start: 1, end: 2 }, title: 'Book', start: 0, end: 9 },
      ],
      extra: {
        dialect: 'converse',
        fields: {
          citations: [
            {
              title: 'Rain',
              sourceContent: [{ text: 'rain' }],
              location: { web: { url: 'https://a.example' } },
            },
            { title: 'Book', location: { documentPage: { documentIndex: 0, start: 1, end: 2 } } },
          ],
        },
      },
    },
  ],
  [
    { toolUse: { ...CALL.toolUse, type: 'server_tool_use' } },
    {
      type: 'opaque',
      dialect: 'converse',
      value: { toolUse: { ...CALL.toolUse, type: 'server_tool_use' } },
    },
  ],
  [{ hologram: {} }, { type: 'opaque', dialect: 'converse', value: { hologram: {} } }],
];
for (const [block, part] of BLOCKS) {
  test(`the block ${JSON.stringify(block).slice(0, 80)}`, () => {
    assert.deepEqual(answer([block]).choices[0]?.parts, [part]);
  });
}

const REASONS: [content: JsonValue[], stopReason: string, finish: string][] = [
  [[], 'end_turn', 'stop'],
  [[CALL], 'tool_use', 'tool_calls'],
  [[CALL], 'end_turn', 'tool_calls'],
  [[CALL], 'max_tokens', 'length'],
  [[JSON_ANSWER], 'tool_use', 'stop'],
  [[], 'stop_sequence', 'stop_sequence'],
  [[], 'guardrail_intervened', 'content_filter'],
  [[], 'content_filtered', 'content_filter'],
  [[], 'malformed_tool_use', 'malformed_tool_call'],
  [[], 'malformed_model_output', 'other'],
  [[], 'model_context_window_exceeded', 'context_length'],
  [[], 'something_new', 'other'],
];
for (const [content, stopReason, finish] of REASONS) {
  test(`${stopReason} with ${content.length} calls ends with ${finish}`, () => {
    assert.equal(answer(content, { stopReason }).choices[0]?.finish, finish);
  });
}

test('tokens stand in disjoint buckets', () => {
  const { usage } = answer([], {
    usage: {
      inputTokens: 10,
      outputTokens: 5,
      cacheReadInputTokens: 7,
      cacheWriteInputTokens: 9,
      cacheReadInputTokenCount: 7,
      cacheDetails: [
        { ttl: '5m', inputTokens: 5 },
        { ttl: '1h', inputTokens: 4 },
      ],
    },
  });
  assert.deepEqual(usage, {
    input: 10,
    inputAudio: 0,
    cacheRead: 7,
    cacheWrite: 5,
    cacheWrite1h: 4,
    output: 5,
    outputAudio: 0,
    reasoning: 0,
  });
});

test('what has no neutral word is kept, the stop sequence is found', () => {
  const additionalModelResponseFields = { stop_sequence: 'END' };
  const trace = { guardrail: { actionReason: 'x' } };
  const completion = answer([], { additionalModelResponseFields, trace, stopReason: 'stop_sequence' });
  assert.equal(completion.choices[0]?.stopSequence, 'END');
  assert.deepEqual(completion.extra, {
    dialect: 'converse',
    fields: { additionalModelResponseFields, trace },
  });
});

for (const body of [
  null,
  'x',
  {},
  { output: { message: { content: 'x' } } },
  { message: 'Oh no' },
] as JsonValue[]) {
  test(`the answer ${JSON.stringify(body)} is no answer`, () => {
    assert.throws(
      () => converse.decodeResponse(body),
      (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
    );
  });
}

const ERRORS: [status: number, type: string, message: string, expected: object][] = [
  [400, 'ValidationException', 'Bad.', { code: 'ValidationException' }],
  [400, 'ValidationException', 'Input is too long for requested model.', { code: 'context_length_exceeded' }],
  [
    400,
    'ValidationException',
    'The model returned the following errors: prompt is too long: 2 tokens > 1 maximum',
    { code: 'context_length_exceeded' },
  ],
  [400, 'ServiceQuotaExceededException', 'Too many.', { kind: 'upstream_rate_limited' }],
  [403, 'AccessDeniedException', 'No.', { permissionDenied: true }],
  [403, 'AccessDeniedException', 'Please make sure your API Key is valid.', { credentialRejected: true }],
  [403, 'UnrecognizedClientException', 'No.', { credentialRejected: true }],
  [403, 'ExpiredTokenException', 'No.', { credentialRejected: true }],
  [400, 'IncompleteSignatureException', 'No.', { credentialRejected: true }],
  [404, 'ResourceNotFoundException', 'Gone.', { code: 'ResourceNotFoundException' }],
  [408, 'ModelTimeoutException', 'Slow.', { kind: 'upstream_timeout' }],
  [424, 'ModelErrorException', 'Broke.', { kind: 'upstream_unavailable' }],
  [429, 'ModelNotReadyException', 'Wait.', { kind: 'upstream_unavailable' }],
  [429, 'ThrottlingException', 'Too many requests.', { kind: 'upstream_rate_limited' }],
  [500, 'InternalServerException', 'Oh.', { kind: 'upstream_unavailable' }],
];
for (const [status, type, message, expected] of ERRORS) {
  test(`${status} ${type}: ${message}`, () => {
    const whole = { message, code: type, ...expected };
    const header = { 'x-amzn-errortype': `${type}:http://internal.amazon.com/x/` };
    assert.deepEqual(converse.decodeError(status, { message }, header), whole);
    assert.deepEqual(converse.decodeError(status, { Message: message, __type: `com.amazon#${type}` }), whole);
  });
}

test('an error without a type keeps its words; one without words says so', () => {
  assert.deepEqual(converse.decodeError(400, { message: 'Input is too long.' }), {
    message: 'Input is too long.',
    code: 'context_length_exceeded',
  });
  assert.match(
    converse.decodeError(502, '<html><title>Bad Gateway</title>').message,
    /web page \("Bad Gateway"\)/,
  );
  assert.match(converse.decodeError(500, '').message, /no explanation/);
});
