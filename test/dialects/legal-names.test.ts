import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isObject, type JsonValue } from '../../src/conversation/json.ts';
import { QuirkedChat } from '../../src/dialects/chat/quirked-chat.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import type { UpstreamDialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';
import { assistant, call, conversation, result, user } from './messages/conversations.ts';

const openai = new QuirkedChat({ customTools: true, allowedTools: true }).dialect;
const kin = new QuirkedChat({}).dialect;

const LONG = `mcp__${'server'.repeat(11)}__read`;
/** The first is the one that is called and demanded. */
const NAMES = ['mcp.tool:x', 'look', 'mcp_tool_x', LONG, `${LONG}_all`, '2nd', 'ä b', 'x'.repeat(200)];

/** What each API takes: the references of `FunctionDefinition`, `Tool`, `ToolSpecification`, `FunctionDeclaration`. */
const TARGETS: [title: string, dialect: UpstreamDialect, model: string, taken: RegExp][] = [
  ['OpenAI', openai, 'gpt-4.1', /^[a-zA-Z0-9_-]{1,64}$/],
  ['its kin', kin, 'mistral-medium-latest', /^[a-zA-Z0-9_-]{1,64}$/],
  ['the Responses API', responses, 'gpt-5-codex', /^[a-zA-Z0-9_-]{1,64}$/],
  ['Anthropic', messages, 'claude-sonnet-4-5', /^[a-zA-Z0-9_-]{1,128}$/],
  ['Bedrock', converse, 'amazon.nova-pro-v1:0', /^[a-zA-Z0-9_-]{1,64}$/],
  ['Gemini', gemini, 'gemini-2.5-flash', /^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$/],
];

/** All that stands as a tool's name anywhere in a request, in its order. */
function namesIn(value: JsonValue | undefined): string[] {
  if (Array.isArray(value)) return value.flatMap(namesIn);
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    if (key === 'name' && typeof inner === 'string') return [inner];
    if (key === 'allowedFunctionNames' && Array.isArray(inner)) return inner.map(String);
    return key === 'properties' ? [] : namesIn(inner);
  });
}

function encode(dialect: UpstreamDialect, model: string, names: readonly string[], forced = names[0] ?? '') {
  return dialect.encodeRequest(
    conversation({
      dialect: dialect.name === 'gemini' ? 'responses' : 'gemini',
      tools: names.map((name) => ({ type: 'function', name })),
      toolChoice: { type: 'tool', name: forced },
      messages: [user('Go'), assistant(call('c1', '{}', forced)), result('c1')],
    }),
    model,
    'vendor',
  );
}

describe('a tool’s name that an API does not take', () => {
  for (const [title, dialect, model, taken] of TARGETS) {
    test(`is another one at ${title}, wherever it stands, and can be told apart from all others`, () => {
      const { body, toolNames, dropped } = encode(dialect, model, NAMES);
      const { tools, toolConfig, ...others } = body;
      const offered = namesIn(tools ?? toolConfig).slice(0, NAMES.length);
      assert.equal(new Set(offered).size, NAMES.length);
      for (const name of offered) assert.match(name, taken);
      assert.deepEqual(
        offered.map((name) => toolNames?.get(name) ?? name),
        NAMES,
      );
      // What can be read of it stays, and what is taken is not touched.
      assert.ok(offered.includes('look') && offered.includes('mcp_tool_x'));
      const elsewhere = namesIn([others, tools === undefined ? {} : (toolConfig ?? {})]);
      assert.ok(elsewhere.length > 0);
      for (const name of elsewhere) assert.equal(name, offered[0]);
      assert.deepEqual(dropped, []);
    });

    test(`is the same at ${title} whatever stands beside it`, () => {
      const named = (names: readonly string[]) =>
        [...(encode(dialect, model, names, 'look').toolNames ?? [])].find(
          ([, said]) => said === 'x'.repeat(200),
        );
      assert.deepEqual(named(['look', 'x'.repeat(200)]), named([...NAMES].reverse()));
    });
  }

  test('leaves room for what stands before the name of a custom tool', () => {
    const name = 'a'.repeat(60);
    const asked = conversation({ dialect: 'responses', tools: [{ type: 'custom', name }] });
    assert.equal(openai.encodeRequest(asked, 'gpt-4.1', 'vendor').toolNames, undefined);
    const { body, toolNames } = kin.encodeRequest(asked, 'llama', 'anyone');
    const [sent = ''] = namesIn(body['tools']);
    assert.ok(sent.startsWith('fairlead_custom_aaa') && sent.length <= 64);
    assert.deepEqual([...(toolNames ?? [])], [[sent.replace('fairlead_custom_', ''), name]]);
  });

  test('is for the API to judge where its caller speaks its dialect', () => {
    const asked = conversation({ dialect: 'chat', tools: [{ type: 'function', name: 'a.b' }] });
    const { body, toolNames } = openai.encodeRequest(asked, 'gpt-4.1', 'vendor');
    assert.deepEqual([namesIn(body['tools']), toolNames], [['a.b'], undefined]);
  });
});
