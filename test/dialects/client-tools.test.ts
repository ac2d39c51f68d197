import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Tool } from '../../src/conversation/conversation.ts';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { isClientTool, withClientFunctions } from '../../src/dialects/messages/client-tools.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';
import { findSchemaProblem } from '../support/openai/strict-schema.ts';

const SCREEN = { name: 'computer', display_width_px: 1024, display_height_px: 768 };
const TOOLS: JsonObject[] = [
  { type: 'bash_20241022', name: 'bash' },
  { type: 'bash_20250124', name: 'bash' },
  { type: 'text_editor_20241022', name: 'str_replace_editor' },
  { type: 'text_editor_20250124', name: 'str_replace_editor' },
  { type: 'text_editor_20250429', name: 'str_replace_based_edit_tool' },
  { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool', max_characters: 1000 },
  { type: 'memory_20250818', name: 'memory' },
  { type: 'computer_20241022', ...SCREEN },
  { type: 'computer_20250124', ...SCREEN },
  { type: 'computer_20251124', ...SCREEN, enable_zoom: true },
];

function asked(tools: JsonObject[], more: JsonObject = {}) {
  const turns = [{ role: 'user', content: 'Hi' }];
  return messages.decodeRequest({ model: 'm', max_tokens: 100, messages: turns, tools, ...more }, {});
}

type FunctionTool = Extract<Tool, { type: 'function' }>;

function functionFor(tool: JsonObject): FunctionTool {
  const [made] = withClientFunctions(asked([tool])).tools;
  assert.ok(made?.type === 'function');
  return made;
}

const paramsOf = ({ schema }: FunctionTool): string[] => {
  assert.ok(schema && isObject(schema['properties']));
  return Object.keys(schema['properties']);
};
const wordsOf = ({ schema }: FunctionTool, param: string): unknown =>
  schema && isObject(schema['properties']) && isObject(schema['properties'][param])
    ? schema['properties'][param]['enum']
    : undefined;

describe('a tool of Anthropic’s own that its caller runs', () => {
  for (const tool of TOOLS) {
    test(`is a function elsewhere, by its name: ${tool['type']}`, () => {
      const made = functionFor(tool);
      assert.equal(made.name, tool['name']);
      assert.ok(made.description);
      assert.equal(made.schema && findSchemaProblem({ properties: {}, ...made.schema }, false), undefined);
      const { dropped } = chat.encodeRequest(asked([tool]), 'gpt-4.1', 'vendor');
      assert.deepEqual(dropped, 'max_characters' in tool ? ['tools[0].max_characters'] : []);
    });
  }

  test('has the commands and actions of its version', () => {
    const [, , early, , , late, memory, computer, , zooming] = TOOLS.map((tool) => functionFor(tool));
    assert.ok(early && late && memory && computer && zooming);
    assert.deepEqual(wordsOf(early, 'command'), ['view', 'create', 'str_replace', 'insert', 'undo_edit']);
    assert.deepEqual(wordsOf(late, 'command'), ['view', 'create', 'str_replace', 'insert']);
    assert.deepEqual(
      [early, late].map(paramsOf).map((names) => names.includes('insert_text')),
      [false, true],
    );
    assert.deepEqual(
      [wordsOf(memory, 'command'), paramsOf(memory).slice(-2)],
      [
        ['view', 'create', 'str_replace', 'insert', 'delete', 'rename'],
        ['old_path', 'new_path'],
      ],
    );
    assert.deepEqual(paramsOf(computer), ['action', 'coordinate', 'text']);
    assert.ok(
      (wordsOf(zooming, 'action') as string[]).includes('zoom') && paramsOf(zooming).includes('region'),
    );
    assert.match(zooming.description ?? '', /1024 by 768 pixels/);
  });

  test('can be demanded, and what is left out is what only Anthropic knows', () => {
    const tools = [
      { type: 'bash_20250124', name: 'bash', defer_loading: true },
      { type: 'web_search_20250305', name: 'web_search' },
    ];
    const conversation = asked(tools, { tool_choice: { type: 'tool', name: 'bash' } });
    for (const [dialect, model] of [
      [chat, 'gpt-4.1'],
      [responses, 'gpt-5-codex'],
      [gemini, 'gemini-2.5-flash'],
      [converse, 'amazon.nova-pro-v1:0'],
    ] as const) {
      const { body, dropped } = dialect.encodeRequest(conversation, model, 'vendor');
      assert.match(JSON.stringify(body), /"name":"bash"/, model);
      assert.deepEqual(dropped.filter((name) => name !== 'tool_choice').toSorted(), [
        'tools[0].defer_loading',
        'tools[1]',
      ]);
    }
  });

  test('is what it is to Anthropic, and to Claude at Bedrock', () => {
    const conversation = asked(TOOLS.slice(1, 2));
    const { body } = messages.encodeRequest(conversation, 'claude-sonnet-4-5', 'vendor');
    assert.deepEqual(body['tools'], TOOLS.slice(1, 2));
    const bedrock = converse.encodeRequest(
      conversation,
      'anthropic.claude-sonnet-4-5-20250929-v1:0',
      'vendor',
    );
    assert.deepEqual(bedrock.body['additionalModelRequestFields'], { tools: TOOLS.slice(1, 2) });
    assert.equal(
      isClientTool({
        type: 'opaque',
        dialect: 'messages',
        value: { type: 'web_search_20250305', name: 'w' },
      }),
      false,
    );
  });
});
