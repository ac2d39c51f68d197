import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation, Tool, ToolChoice } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { assistant, call, encode, LOOK, SONNET_4_5, user } from './conversations.ts';

const CHOICES: [name: string, given: Partial<Conversation>, sent: JsonObject | undefined][] = [
  ['none said', {}, undefined],
  ['auto', { toolChoice: { type: 'auto' } }, { type: 'auto' }],
  ['none', { toolChoice: { type: 'none' } }, { type: 'none' }],
  ['required', { toolChoice: { type: 'required' } }, { type: 'any' }],
  ['a tool', { toolChoice: { type: 'tool', name: 'look' } }, { type: 'tool', name: 'look' }],
  ['no parallel calls', { parallelToolCalls: false }, { type: 'auto', disable_parallel_tool_use: true }],
  ['parallel calls', { parallelToolCalls: true }, undefined],
  [
    'required, no parallel calls',
    { toolChoice: { type: 'required' }, parallelToolCalls: false },
    { type: 'any', disable_parallel_tool_use: true },
  ],
  ['none, no parallel calls', { toolChoice: { type: 'none' }, parallelToolCalls: false }, { type: 'none' }],
];
for (const [name, given, sent] of CHOICES) {
  test(`tool choice: ${name}`, () => {
    const { body, dropped } = encode({ tools: [LOOK], ...given });
    assert.deepEqual(body['tool_choice'], sent);
    assert.deepEqual(dropped, []);
  });
}

test('allowed tools: the others are not sent', () => {
  const other = { ...LOOK, name: 'other' };
  const choice: ToolChoice = { type: 'allowed', mode: 'required', names: ['other'] };
  const { body } = encode({ tools: [LOOK, other], toolChoice: choice });
  assert.deepEqual(body['tools'], [{ name: 'other', input_schema: LOOK.schema }]);
  assert.deepEqual(body['tool_choice'], { type: 'any' });
});

test('a choice without tools is left out, unless it demands a call', () => {
  assert.equal(encode({ toolChoice: { type: 'auto' } }).body['tool_choice'], undefined);
  assert.throws(
    () => encode({ toolChoice: { type: 'required' } }),
    (error) => error instanceof GatewayError && error.param === 'tool_choice',
  );
});

test('a model that takes no forced call is told to make one, and the choice is named', () => {
  const { body, dropped } = encode(
    { tools: [LOOK], toolChoice: { type: 'tool', name: 'look' } },
    'claude-opus-5-5',
  );
  assert.deepEqual(body['tool_choice'], { type: 'auto' });
  assert.match(JSON.stringify(body['system']), /call of the tool `look`/);
  assert.deepEqual(dropped, ['tool_choice=auto']);
});

test('null for no properties, as some libraries write it, is an empty table; the type is said', () => {
  const tool: Tool = { type: 'function', name: 'now', schema: { properties: null } };
  const { body } = encode({ tools: [tool] });
  assert.deepEqual(body['tools'], [{ name: 'now', input_schema: { type: 'object', properties: {} } }]);
});

function sentTool(tool: Tool, model?: string): { tool: unknown; dropped: string[] } {
  const { body, dropped } = encode({ tools: [tool] }, model);
  return { tool: (body['tools'] as unknown[] | undefined)?.[0], dropped };
}

test('a tool without a schema takes no arguments', () => {
  const { tool } = sentTool({ type: 'function', name: 'look', description: 'Looks.' });
  assert.deepEqual(tool, {
    name: 'look',
    description: 'Looks.',
    input_schema: { type: 'object', properties: {} },
  });
});

test('a schema goes out as it came, in its own order, with the type that the API demands', () => {
  const schema = { $schema: 'x', properties: { b: { minimum: 1 }, a: {} }, required: ['b'] };
  const { tool } = sentTool({ type: 'function', name: 'look', schema });
  assert.equal(
    JSON.stringify((tool as JsonObject)['input_schema']),
    JSON.stringify({ ...schema, type: 'object' }),
  );
});

test('a schema of anything but an object is refused with its path', () => {
  assert.throws(
    () => sentTool({ type: 'function', name: 'look', schema: { type: 'array' } }),
    (error) => error instanceof GatewayError && error.param === 'tools[0].function.parameters',
  );
});

test('strict is sent with the schema in the part of JSON Schema that it takes', () => {
  const schema = { type: 'object', properties: { n: { type: 'integer', minimum: 1 } }, required: ['n'] };
  const { tool, dropped } = sentTool({ type: 'function', name: 'look', schema, strict: true });
  assert.deepEqual(tool, {
    name: 'look',
    input_schema: {
      type: 'object',
      properties: { n: { type: 'integer', description: '(minimum: 1)' } },
      required: ['n'],
      additionalProperties: false,
    },
    strict: true,
  });
  assert.deepEqual(dropped, []);
});

const UNSTRICT: [name: string, schema: JsonObject, model: string][] = [
  ['the model has no strict tools', { type: 'object', properties: {} }, 'claude-opus-4-1'],
  ['the schema is an open map', { type: 'object', additionalProperties: { type: 'string' } }, SONNET_4_5],
];
for (const [name, schema, model] of UNSTRICT) {
  test(`strict is dropped and named where ${name}`, () => {
    const { tool, dropped } = sentTool({ type: 'function', name: 'look', schema, strict: true }, model);
    assert.deepEqual(tool, { name: 'look', input_schema: schema });
    assert.deepEqual(dropped, ['tools[0].function.strict']);
  });
}

test('a tool of free text becomes a function with one string, under a name that decoders know', () => {
  const tool: Tool = {
    type: 'custom',
    name: 'patch',
    description: 'Patches.',
    format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'start: "a"' } },
  };
  const { body, dropped } = encode({
    tools: [tool],
    toolChoice: { type: 'tool', name: 'patch' },
    messages: [
      user('a'),
      assistant({ type: 'tool_call', id: 'x', name: 'patch', kind: 'custom', arguments: '*** a' }),
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'x', parts: [] }] },
    ],
  });
  const [sent] = body['tools'] as JsonObject[];
  assert.equal(sent?.['name'], 'fairlead_custom_patch');
  assert.match(String(sent?.['description']), /^Patches\.\n\nThe input must follow this format: .*lark/);
  assert.deepEqual(body['tool_choice'], { type: 'tool', name: 'fairlead_custom_patch' });
  assert.match(
    JSON.stringify(body['messages']),
    /"name":"fairlead_custom_patch","input":\{"input":"\*\*\* a"\}/,
  );
  assert.deepEqual(dropped, ['tools[0].custom.format']);
});

const ILLEGAL = ['', 'fairlead_json_output', 'fairlead_custom_x'];
for (const name of ILLEGAL) {
  test(`a tool named ${JSON.stringify(name.slice(0, 24))} is refused with its path`, () => {
    assert.throws(
      () => sentTool({ ...LOOK, name }),
      (error) => error instanceof GatewayError && error.param === 'tools[0].function.name',
    );
  });
}

test('tools that another provider runs are left out and named, our own provider’s are sent verbatim', () => {
  const own = { type: 'web_search_20250305', name: 'web_search' };
  const { body, dropped } = encode({
    tools: [
      { type: 'opaque', dialect: 'messages', value: own },
      { type: 'opaque', dialect: 'chat', value: { type: 'x' } },
    ],
  });
  assert.deepEqual(body['tools'], [own]);
  assert.deepEqual(dropped, ['tools[1]']);
});

test('a history of tools needs no tools in the request', () => {
  const { body } = encode({
    messages: [
      user('a'),
      assistant(call('x')),
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'x', parts: [] }] },
    ],
  });
  assert.equal(body['tools'], undefined);
});
