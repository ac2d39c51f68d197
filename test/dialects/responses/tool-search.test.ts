import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Completion } from '../../../src/conversation/completion.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { converse } from '../../../src/dialects/converse/index.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

/** As Codex offers it. */
const SEARCH: JsonObject = {
  type: 'tool_search',
  execution: 'client',
  description: 'Searches the tools of apps.',
  parameters: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] },
};
const RATE: JsonObject = {
  type: 'function',
  name: 'rate',
  description: 'A rate.',
  parameters: { type: 'object', properties: {} },
};
const MAIL: JsonObject = { type: 'namespace', name: 'mcp__mail', description: 'Mail.', tools: [RATE] };
const call = {
  type: 'tool_search_call',
  call_id: 's1',
  execution: 'client',
  status: 'completed',
  arguments: { query: 'rate' },
};
const found = {
  type: 'tool_search_output',
  call_id: 's1',
  execution: 'client',
  status: 'completed',
  tools: [{ ...RATE, defer_loading: true }, MAIL],
};
const ASKED: JsonObject = {
  model: 'm',
  store: false,
  tools: [SEARCH],
  input: [
    { role: 'user', content: 'Go' },
    call,
    found,
    { ...call, call_id: 's2' },
    { ...found, call_id: 's2' },
  ],
};

const TARGETS = [
  [chat, 'gpt-4.1'],
  [messages, 'claude-sonnet-4-5'],
  [gemini, 'gemini-2.5-flash'],
  [converse, 'amazon.nova-pro-v1:0'],
] as const;

describe('a search for tools that the client makes', () => {
  for (const [dialect, model] of TARGETS) {
    test(`is a function in ${dialect.name}, and what it found are tools`, () => {
      const { body, dropped } = dialect.encodeRequest(responses.decodeRequest(ASKED, {}), model, 'vendor');
      const written = JSON.stringify(body);
      for (const name of ['tool_search', 'rate', 'mcp__mail__rate'])
        assert.match(written, new RegExp(`"name":"${name}"`));
      assert.match(written, /"query\\?":\\?"rate/);
      assert.match(written, /These tools can be called now: rate, mcp__mail__rate/);
      assert.deepEqual(dropped, []);
      assert.doesNotMatch(written, /defer_loading/);
    });
  }

  test('is what it is to OpenAI', () => {
    const { body } = responses.encodeRequest(responses.decodeRequest(ASKED, {}), 'gpt-5', 'vendor');
    assert.deepEqual(body['tools'], [SEARCH]);
    assert.deepEqual(body['input'], ASKED['input']);
  });

  test('is called by an item of its own, and tools in namespaces by theirs', () => {
    const completion: Completion = {
      id: 'c1',
      model: 'm',
      choices: [
        {
          index: 0,
          finish: 'tool_calls',
          parts: [
            {
              type: 'tool_call',
              id: 'a',
              kind: 'function',
              name: 'tool_search',
              arguments: '{"query":"mail"}',
            },
            { type: 'tool_call', id: 'b', kind: 'function', name: 'mcp__mail__rate', arguments: '{}' },
          ],
        },
      ],
    };
    const [search, mail] = responses.encodeResponse(completion, ASKED)['output'] as JsonObject[];
    const { id, ...said } = search ?? {};
    assert.match(String(id), /^tsc_/);
    assert.deepEqual(said, { ...call, call_id: 'a', arguments: { query: 'mail' } });
    assert.deepEqual([mail?.['namespace'], mail?.['name']], ['mcp__mail', 'rate']);
    const back = responses.decodeRequest(
      { ...ASKED, input: [search ?? {}, { ...found, call_id: 'a' }, { role: 'user', content: 'So?' }] },
      {},
    );
    assert.doesNotThrow(() => chat.encodeRequest(back, 'gpt-4.1', 'vendor'));
  });

  test('is left out and named where a tool of the caller’s has its name, or the provider is to make it', () => {
    for (const tools of [
      [SEARCH, { ...RATE, name: 'tool_search' }],
      [{ type: 'tool_search' }, RATE],
    ]) {
      const asked = responses.decodeRequest({ model: 'm', tools, input: 'Hi' }, {});
      assert.deepEqual(chat.encodeRequest(asked, 'gpt-4.1', 'vendor').dropped, ['tools[0]']);
    }
  });

  test('is not mistaken for a tool of its name that it finds: that one is left out and named', () => {
    const namesake = { ...RATE, name: 'tool_search' };
    const cases: [JsonObject[], string][] = [
      [[call, { ...found, tools: [namesake, RATE] }], 'input[2].tools[0]'],
      [
        [{ type: 'additional_tools', role: 'developer', tools: [namesake] }, call, found],
        'input[1].tools[0]',
      ],
    ];
    for (const [items, place] of cases) {
      const input = [{ role: 'user', content: 'Go' }, ...items];
      const asked = responses.decodeRequest({ ...ASKED, input }, {});
      for (const [dialect, model] of TARGETS) {
        const { body, dropped } = dialect.encodeRequest(asked, model, 'vendor');
        assert.deepEqual(dropped, [place], dialect.name);
        const { tools, toolConfig } = body;
        const offered = JSON.stringify(tools ?? toolConfig);
        assert.equal(offered.split('"name":"tool_search"').length - 1, 1, offered);
        assert.match(offered, /"name":"rate"/);
      }
      const { body } = responses.encodeRequest(asked, 'gpt-5', 'vendor');
      assert.deepEqual([body['tools'], body['input']], [[SEARCH], input]);
    }
  });
});
