import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';
import { findToolSchemaProblem } from '../support/anthropic/schemas.ts';
import { findSchemaProblem } from '../support/openai/strict-schema.ts';

/** What MCP servers say of their tools, and Anthropic's clients pass on as it is. */
const SCHEMAS: Record<string, JsonObject> = {
  nothing: { type: 'object' },
  'null properties': { type: 'object', properties: null },
  'arrays of anything': {
    type: 'object',
    properties: {
      list: { type: 'array' },
      one: { type: ['string', 'array'] },
      either: { anyOf: [{ type: 'array', description: 'd' }, { type: 'string' }] },
      lists: { type: 'array', items: { type: 'array' } },
    },
    $defs: { deep: { type: 'object', properties: { a: { type: 'array' } } } },
  },
};

const ALTERNATIVES: JsonObject = {
  type: 'object',
  description: 'Where.',
  properties: { name: { type: 'string' } },
  required: ['name'],
  oneOf: [
    { properties: { city: { type: 'string' } }, required: ['city', 'zone'] },
    { properties: { code: { type: 'integer' } }, required: ['code', 'zone'] },
  ],
};

function asked(schema: JsonObject, more: JsonObject = {}): JsonObject {
  return {
    model: 'm',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'Hi' }],
    tools: [{ name: 'a', input_schema: schema, ...more }],
  };
}

function functionOf(tools: JsonValue | undefined): JsonObject {
  const [tool] = Array.isArray(tools) ? tools : [];
  assert.ok(isObject(tool));
  return isObject(tool['function']) ? tool['function'] : tool;
}

describe('schemas of tools that OpenAI would refuse', () => {
  for (const [encoder, model] of [
    [chat, 'gpt-4.1'],
    [responses, 'gpt-5-codex'],
    [chat, 'llama'],
  ] as const) {
    for (const [name, schema] of Object.entries(SCHEMAS)) {
      test(`${name}: said as ${model} takes it (${encoder.name}), and nothing is lost`, () => {
        const conversation = messages.decodeRequest(asked(schema), {});
        const { body, dropped } = encoder.encodeRequest(conversation, model, 'vendor');
        const { parameters } = functionOf(body['tools']);
        assert.ok(isObject(parameters));
        assert.equal(findSchemaProblem(parameters, false), undefined);
        assert.deepEqual(dropped, []);
        assert.equal(JSON.stringify(parameters).includes('"properties":null'), false);
      });
    }
  }

  test('a schema that has all goes as it came, to the last reference', () => {
    const schema = { type: 'object', properties: { l: { type: 'array', items: { type: 'string' } } } };
    const { body } = chat.encodeRequest(messages.decodeRequest(asked(schema), {}), 'gpt-4.1', 'vendor');
    assert.equal(functionOf(body['tools'])['parameters'], schema);
  });

  test('alternatives at the root are told in the description, and named', () => {
    const { oneOf, ...rest } = ALTERNATIVES;
    const plain = {
      ...rest,
      properties: { city: { type: 'string' }, code: { type: 'integer' }, name: { type: 'string' } },
      required: ['name', 'zone'],
      description: `Where. (oneOf: ${JSON.stringify(oneOf)})`,
    };
    for (const [encoder, model] of [
      [chat, 'gpt-4.1'],
      [responses, 'gpt-5-codex'],
    ] as const) {
      const conversation = messages.decodeRequest(asked(ALTERNATIVES), {});
      const { body, dropped } = encoder.encodeRequest(conversation, model, 'vendor');
      assert.deepEqual(functionOf(body['tools'])['parameters'], plain);
      assert.equal(findSchemaProblem(plain, false), undefined);
      assert.deepEqual(dropped, ['tools[0].input_schema.oneOf']);
    }
    const ofChat = chat.decodeRequest(
      {
        model: 'm',
        messages: [{ role: 'user', content: 'Hi' }],
        tools: [{ type: 'function', function: { name: 'a', parameters: ALTERNATIVES } }],
      },
      {},
    );
    const claude = messages.encodeRequest(ofChat, 'claude-sonnet-4-5', 'vendor');
    const { input_schema: schema } = functionOf(claude.body['tools']);
    assert.deepEqual(schema, plain);
    assert.equal(findToolSchemaProblem(plain), undefined);
    assert.deepEqual(claude.dropped, ['tools[0].function.parameters.oneOf']);
    const bedrock = converse.encodeRequest(ofChat, 'anthropic.claude-sonnet-4-5-20250929-v1:0', 'vendor');
    assert.deepEqual(JSON.stringify(bedrock.body['toolConfig']).includes('"oneOf":'), false);
    assert.deepEqual(bedrock.dropped, ['tools[0].function.parameters.oneOf']);
  });

  test('all that must be true at once is one schema', () => {
    const schema = {
      type: 'object',
      allOf: [{ properties: { a: {} }, required: ['a'] }, { required: ['b'] }],
    };
    const { body } = chat.encodeRequest(messages.decodeRequest(asked(schema), {}), 'gpt-4.1', 'vendor');
    const { parameters } = functionOf(body['tools']);
    assert.deepEqual(parameters, {
      type: 'object',
      properties: { a: {} },
      required: ['a', 'b'],
      description: `(allOf: ${JSON.stringify(schema.allOf)})`,
    });
  });

  test('a strict tool whose schema is not as OpenAI wants those is a hint, and that is named', () => {
    const open = { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false };
    const closed = { ...open, required: ['a'] };
    for (const [schema, isKept] of [
      [open, false],
      [closed, true],
    ] as const) {
      const conversation = messages.decodeRequest(asked(schema, { strict: true }), {});
      const { body, dropped } = chat.encodeRequest(conversation, 'gpt-4.1', 'vendor');
      assert.equal(functionOf(body['tools'])['strict'], isKept);
      assert.equal(findSchemaProblem(schema, isKept), undefined);
      assert.deepEqual(dropped, isKept ? [] : ['tools[0].strict']);
    }
  });
});
