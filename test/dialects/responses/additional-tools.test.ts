import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion } from '../../../src/conversation/completion.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { converse } from '../../../src/dialects/converse/index.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

const USER = { role: 'user', content: 'Hi' };
const parameters = { type: 'object', properties: {} };
const ITEM = {
  type: 'additional_tools',
  role: 'developer',
  tools: [
    { type: 'function', name: 'added', description: 'Added later.', parameters, strict: false },
    {
      type: 'namespace',
      name: 'crm',
      description: 'Customers.',
      tools: [{ type: 'function', name: 'find', parameters, strict: false }],
    },
    { type: 'web_search' },
  ],
};
const REQUEST: JsonObject = {
  model: 'm',
  tools: [{ type: 'function', name: 'first', parameters, strict: false }],
  input: [USER, ITEM, USER],
};
const NAMES = ['first', 'added', 'crm__find'];

describe('tools that an item of the input adds', () => {
  for (const [dialect, model, namesOf] of [
    [
      chat,
      'gpt-4o',
      ({ tools }: JsonObject) =>
        (tools as JsonObject[]).map((tool) => (tool['function'] as JsonObject)['name']),
    ],
    [
      messages,
      'claude-sonnet-4-5',
      ({ tools }: JsonObject) => (tools as JsonObject[]).map(({ name }) => name),
    ],
    [
      gemini,
      'gemini-2.5-pro',
      ({ tools }: JsonObject) =>
        (tools as JsonObject[])
          .flatMap((tool) => tool['functionDeclarations'] as JsonObject[])
          .map(({ name }) => name),
    ],
    [
      converse,
      'anthropic.claude-sonnet-4-5-20250929-v1:0',
      ({ toolConfig }: JsonObject) =>
        ((toolConfig as JsonObject)['tools'] as JsonObject[]).map(
          (tool) => (tool['toolSpec'] as JsonObject)['name'],
        ),
    ],
  ] as const) {
    test(`are tools like others at a provider of ${dialect.name}`, () => {
      const { body, dropped } = dialect.encodeRequest(responses.decodeRequest(REQUEST, {}), model);
      assert.deepEqual(namesOf(body), NAMES);
      assert.deepEqual(dropped, ['input[1].tools[2]']);
      assert.doesNotMatch(JSON.stringify(body), /additional_tools/);
    });
  }

  test('stay where they stand at one of their own dialect', () => {
    const { body, dropped } = responses.encodeRequest(responses.decodeRequest(REQUEST, {}), 'm');
    assert.deepEqual([body['tools'], body['input']], [REQUEST['tools'], REQUEST['input']]);
    assert.deepEqual(dropped, []);
  });

  test('can be chosen, and are called by the names that the client knows', () => {
    const said = responses.decodeRequest(
      { ...REQUEST, tool_choice: { type: 'function', name: 'added' } },
      {},
    );
    const { body } = chat.encodeRequest(said, 'gpt-4o');
    assert.deepEqual(body['tool_choice'], { type: 'function', function: { name: 'added' } });
    const completion: Completion = {
      id: 'r',
      model: 'm',
      choices: [
        {
          index: 0,
          parts: [{ type: 'tool_call', id: 'call_1', name: 'crm__find', kind: 'function', arguments: '{}' }],
          finishReason: 'tool_calls',
        },
      ],
    } as unknown as Completion;
    assert.ok(completionEvents(completion));
    const { output } = responses.encodeResponse(completion, REQUEST, []);
    const [call] = output as JsonObject[];
    assert.deepEqual([call?.['name'], call?.['namespace']], ['find', 'crm']);
  });

  for (const [why, item] of [
    ['by a name that another has', { ...ITEM, tools: [{ type: 'function', name: 'first', parameters }] }],
    ['twice', { ...ITEM, tools: [ITEM.tools[0], ITEM.tools[0]] }],
    ['of another role', { ...ITEM, role: 'user' }],
    ['in no list', { ...ITEM, tools: 'x' }],
  ] as const) {
    test(`are refused elsewhere: ${why}`, () => {
      const said = responses.decodeRequest({ ...REQUEST, input: [USER, item, USER] } as JsonObject, {});
      assert.throws(() => chat.encodeRequest(said, 'gpt-4o'), {
        code: 'unsupported_content',
        param: 'input[1]',
      });
      const { body } = responses.encodeRequest(said, 'm');
      assert.deepEqual((body['input'] as JsonObject[])[1], item);
    });
  }
});
