import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ResponseFormat } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { encode, LOOK, SONNET_4_5 } from './conversations.ts';
import { decodeStream } from './streams.ts';

const SCHEMA = { type: 'object', properties: { a: { type: 'string', pattern: '^x' } }, required: ['a'] };
const OPEN = { type: 'object', additionalProperties: { type: 'number' } };
const OLD = 'claude-opus-4-1-20250805';

function wanted(schema: JsonObject): { responseFormat: ResponseFormat } {
  return { responseFormat: { type: 'json_schema', name: 'answer', schema } };
}

test('a schema is a native format where the model has structured outputs', () => {
  const { body, dropped } = encode(wanted(SCHEMA));
  assert.deepEqual(body['output_config'], {
    format: {
      type: 'json_schema',
      schema: {
        type: 'object',
        properties: { a: { type: 'string', description: '(pattern: "^x")' } },
        required: ['a'],
        additionalProperties: false,
      },
    },
  });
  assert.equal(body['tools'], undefined);
  assert.deepEqual(dropped, ['response_format.json_schema.schema.additionalProperties=false']);
});

test('a schema that was closed already, or was to be strict, is not narrowed', () => {
  const { responseFormat } = wanted(SCHEMA);
  const closed = wanted({ ...SCHEMA, additionalProperties: false });
  assert.deepEqual(encode(closed).dropped, []);
  assert.deepEqual(
    encode({ responseFormat: { ...responseFormat, strict: true } as ResponseFormat }).dropped,
    [],
  );
});

test('the description of a format goes to the front of its schema’s', () => {
  const described = { ...wanted(SCHEMA).responseFormat, description: 'What to say.' } as ResponseFormat;
  const bare = encode({ responseFormat: described }).body['output_config'];
  assert.match(JSON.stringify(bare), /"description":"What to say\."/);
  const both = { ...described, schema: { ...SCHEMA, description: 'An answer.' } } as ResponseFormat;
  const joined = encode({ responseFormat: both }).body['output_config'];
  assert.match(JSON.stringify(joined), /"description":"What to say\.\\n\\nAn answer\."/);
});

for (const [name, model, schema] of [
  ['the model has none', OLD, SCHEMA],
  ['they cannot say the schema', SONNET_4_5, OPEN],
] as const) {
  test(`a schema is a forced tool where ${name}`, () => {
    const { body, dropped } = encode(wanted(schema), model);
    assert.equal(body['output_config'], undefined);
    assert.deepEqual(body['tools'], [
      { name: 'fairlead_json_output', description: 'Gives the answer.', input_schema: schema },
    ]);
    assert.deepEqual(body['tool_choice'], {
      type: 'tool',
      name: 'fairlead_json_output',
      disable_parallel_tool_use: true,
    });
    assert.deepEqual(dropped, []);
  });
}

test('beside tools of the caller, any of them or the answer must be called', () => {
  const { body } = encode({ ...wanted(SCHEMA), tools: [LOOK] }, OLD);
  assert.equal((body['tools'] as unknown[]).length, 2);
  assert.deepEqual(body['tool_choice'], { type: 'any', disable_parallel_tool_use: true });
});

test('where the caller demands a tool call, there is no answer to bring into form', () => {
  const { body } = encode({ ...wanted(SCHEMA), tools: [LOOK], toolChoice: { type: 'required' } }, OLD);
  assert.equal((body['tools'] as unknown[]).length, 1);
  assert.deepEqual(body['tool_choice'], { type: 'any' });
});

test('a forced tool rules a thinking budget out, and that is named', () => {
  const { body, dropped } = encode({ ...wanted(SCHEMA), reasoning: { effort: 'low' } }, OLD);
  assert.equal(body['thinking'], undefined);
  assert.deepEqual(dropped, ['reasoning_effort']);
});

test('where neither way can say the schema, it is sent as far as it goes and named', () => {
  const { body, dropped } = encode(wanted(OPEN), 'claude-opus-5-5');
  assert.match(JSON.stringify(body['output_config']), /json_schema/);
  assert.deepEqual(dropped, ['response_format']);
});

test('a schema of anything but an object cannot be a tool, and is refused', () => {
  assert.throws(
    () => encode(wanted({ type: 'array', items: {} }), OLD),
    (error) => error instanceof GatewayError && error.param === 'response_format',
  );
});

test('any JSON object is asked for in words', () => {
  const { body } = encode({ responseFormat: { type: 'json_object' } });
  assert.match(JSON.stringify(body['system']), /one JSON object and nothing else/);
});

const TOOL_ANSWER = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: OLD,
  content: [{ type: 'tool_use', id: 't', name: 'fairlead_json_output', input: { a: 'x' } }],
  stop_reason: 'tool_use',
  stop_sequence: null,
  usage: { input_tokens: 1, output_tokens: 1 },
};

test('the answer that came as a tool call is given as text that has simply stopped', () => {
  const [choice] = messages.decodeResponse(TOOL_ANSWER).choices;
  assert.deepEqual(choice, { index: 0, parts: [{ type: 'text', text: '{"a":"x"}' }], finish: 'stop' });
});

test('and so in a stream, piece by piece', () => {
  const { completion } = decodeStream([
    { type: 'message_start', message: { ...TOOL_ANSWER, content: [], stop_reason: null } },
    {
      type: 'content_block_start',
      index: 0,
      content_block: { type: 'tool_use', id: 't', name: 'fairlead_json_output', input: {} },
    },
    { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"a":' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '"x"}' } },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 1 } },
    { type: 'message_stop' },
  ]);
  const [choice] = completion.choices;
  assert.deepEqual(choice, { index: 0, parts: [{ type: 'text', text: '{"a":"x"}' }], finish: 'stop' });
});
