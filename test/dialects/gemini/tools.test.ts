import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Conversation, Message, Tool, ToolChoice } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import {
  assistant,
  at,
  bodyFor,
  call,
  chatConversation,
  droppedFor,
  functionTool,
  refusalOf,
  result,
  user,
} from './conversations.ts';

const SCHEMA: JsonObject = { $schema: 'x', type: 'object', properties: { b: { const: 1 }, a: {} } };

function asking(tools: Tool[], more: Partial<Conversation> = {}): Conversation {
  return chatConversation([user('Hi')], { tools, ...more });
}

describe('tools', () => {
  test('that are functions stand in one entry, with their schemas as they came', () => {
    const tools: Tool[] = [
      { type: 'function', name: 'f', description: 'does f', schema: SCHEMA },
      { type: 'opaque', dialect: 'gemini', value: { googleSearch: {} } },
      functionTool('g'),
    ];
    const body = bodyFor(asking(tools));
    assert.deepEqual(body['tools'], [
      {
        functionDeclarations: [
          { name: 'f', description: 'does f', parametersJsonSchema: SCHEMA },
          { name: 'g' },
        ],
      },
      { googleSearch: {} },
    ]);
    const properties = at(body, 'tools', 0, 'functionDeclarations', 0, 'parametersJsonSchema', 'properties');
    assert.deepEqual(Object.keys(properties as JsonObject), ['b', 'a']);
  });

  test('have OpenAPI parameters on models that know no JSON Schema', () => {
    const body = bodyFor(
      asking([functionTool('f', SCHEMA), functionTool('g', { type: 'object' })]),
      'gemini-1.5-pro',
    );
    assert.deepEqual(at(body, 'tools', 0, 'functionDeclarations'), [
      {
        name: 'f',
        parameters: {
          type: 'OBJECT',
          properties: { b: { type: 'NUMBER', description: '(one of: 1)' }, a: {} },
        },
      },
      { name: 'g' },
    ]);
  });

  test('that another provider runs are dropped and named', () => {
    const search: Tool = { type: 'opaque', dialect: 'messages', value: { type: 'web_search_20250305' } };
    const conversation = asking([functionTool('f'), search]);
    assert.equal((bodyFor(conversation)['tools'] as unknown[]).length, 1);
    assert.deepEqual(droppedFor(conversation), ['tools[1]']);
  });
});

describe('tool choice', () => {
  const cases: [ToolChoice, unknown][] = [
    [{ type: 'auto' }, { mode: 'AUTO' }],
    [{ type: 'none' }, { mode: 'NONE' }],
    [{ type: 'required' }, { mode: 'ANY' }],
    [
      { type: 'tool', name: 'f' },
      { mode: 'ANY', allowedFunctionNames: ['f'] },
    ],
    [
      { type: 'allowed', mode: 'required', names: ['f', 'g'] },
      { mode: 'ANY', allowedFunctionNames: ['f', 'g'] },
    ],
    [
      { type: 'allowed', mode: 'auto', names: ['f'] },
      { mode: 'VALIDATED', allowedFunctionNames: ['f'] },
    ],
    [{ type: 'opaque', dialect: 'gemini', value: { mode: 'VALIDATED' } }, { mode: 'VALIDATED' }],
  ];
  for (const [toolChoice, functionCallingConfig] of cases) {
    test(`${JSON.stringify(toolChoice)} → ${JSON.stringify(functionCallingConfig)}`, () => {
      const conversation = asking([functionTool('f'), functionTool('g')], { toolChoice });
      assert.deepEqual(bodyFor(conversation)['toolConfig'], { functionCallingConfig });
      assert.deepEqual(droppedFor(conversation), []);
    });
  }

  test('of another dialect’s making, or without functions, is dropped and named', () => {
    const foreign: ToolChoice = { type: 'opaque', dialect: 'chat', value: { type: 'x' } };
    assert.deepEqual(droppedFor(asking([functionTool('f')], { toolChoice: foreign })), ['tool_choice']);
    assert.deepEqual(droppedFor(asking([], { toolChoice: { type: 'auto' } })), ['tool_choice']);
  });

  test('matters to a model that calls nothing: it may be told so, or is not asked', () => {
    const tools = [functionTool('a')];
    assert.throws(() => bodyFor(asking(tools), 'gemma-3-27b-it'), refusalOf('tools'));
    const none = asking(tools, { toolChoice: { type: 'none' } });
    assert.equal(bodyFor(none, 'gemma-3-27b-it')['tools'], undefined);
    assert.deepEqual(droppedFor(none, 'gemma-3-27b-it'), ['tools', 'tool_choice']);
  });

  test('of some tools, on models that cannot be told so, offers no others', () => {
    const toolChoice: ToolChoice = { type: 'allowed', mode: 'auto', names: ['b'] };
    const body = bodyFor(asking([functionTool('a'), functionTool('b')], { toolChoice }), 'gemini-2.0-flash');
    assert.deepEqual(at(body, 'tools', 0, 'functionDeclarations'), [{ name: 'b' }]);
    assert.deepEqual(at(body, 'toolConfig', 'functionCallingConfig'), { mode: 'AUTO' });
  });

  test('that demands a call where there is nothing to call is refused', () => {
    for (const toolChoice of [{ type: 'required' }, { type: 'tool', name: 'f' }] satisfies ToolChoice[]) {
      assert.throws(() => bodyFor(asking([], { toolChoice })), refusalOf('tool_choice'));
    }
  });

  test('keeps strict functions to their schema: mode VALIDATED, where the model may also answer in text', () => {
    const strict: Tool[] = [{ type: 'function', name: 'f', strict: true }];
    const mode = (more: Partial<Conversation>) =>
      at(bodyFor(asking(strict, more)), 'toolConfig', 'functionCallingConfig', 'mode');
    assert.equal(mode({}), 'VALIDATED');
    assert.equal(mode({ toolChoice: { type: 'auto' } }), 'VALIDATED');
    assert.equal(mode({ toolChoice: { type: 'required' } }), 'ANY');
    assert.deepEqual(droppedFor(asking(strict), 'gemini-2.0-flash'), ['tools[].function.strict']);
  });

  test('cannot forbid parallel calls: dropped and named', () => {
    const conversation = asking([functionTool('f')], { parallelToolCalls: false });
    assert.deepEqual(droppedFor(conversation), ['parallel_tool_calls']);
    assert.deepEqual(droppedFor({ ...conversation, parallelToolCalls: true }), []);
  });
});

describe('names', () => {
  test('that are none are refused with their path', () => {
    assert.throws(
      () => bodyFor(asking([functionTool('f'), functionTool('')])),
      refusalOf('tools[1].function.name'),
    );
  });

  test('that it takes go out as they are', () => {
    const names = ['f', '_f', 'a.b:c-d', 'x'.repeat(64)];
    const body = bodyFor(asking(names.map((name) => functionTool(name))));
    assert.deepEqual(
      names.map((_, index) => at(body, 'tools', 0, 'functionDeclarations', index, 'name')),
      names,
    );
  });

  test('that a model made up stand in histories too, and are made legal in call and result alike', () => {
    const history = [user('Hi'), assistant(call('a', 'bad name!', '{}')), result('a', 'no such tool')];
    const body = bodyFor(chatConversation(history));
    assert.equal(at(body, 'contents', 1, 'parts', 0, 'functionCall', 'name'), 'bad_name_');
    assert.equal(at(body, 'contents', 2, 'parts', 0, 'functionResponse', 'name'), 'bad_name_');
  });
});

describe('a history', () => {
  const calls = assistant(call('a', 'f', '{}'), call('b', 'g', '{}'));
  const histories: [name: string, messages: Message[], param: string][] = [
    ['without the result of a call', [user('Hi'), calls, result('a', '1')], 'messages[1].tool_calls[1].id'],
    [
      'whose result comes too late',
      [user('Hi'), calls, user('Well?'), assistant('So'), result('a', '1'), result('b', '2')],
      'messages[1].tool_calls[0].id',
    ],
    [
      'with two results of a call',
      [user('Hi'), calls, result('a', '1'), result('a', '1'), result('b', '2')],
      'messages[3].tool_call_id',
    ],
  ];
  for (const [name, messages, param] of histories) {
    test(`${name} is refused with the path`, () => {
      assert.throws(() => bodyFor(chatConversation(messages)), refusalOf(param));
    });
  }

  test('of a caller of this dialect is its own matter', () => {
    bodyFor({ ...chatConversation([user('Hi'), calls, result('a', '1')]), dialect: 'gemini' });
  });
});
