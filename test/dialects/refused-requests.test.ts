import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Conversation } from '../../src/conversation/conversation.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const CLAUDE_ON_BEDROCK = 'anthropic.claude-sonnet-4-5-20250929-v1:0';

describe('a file of Google’s Files API is for Google alone', () => {
  const uri = 'https://generativelanguage.googleapis.com/v1beta/files/abc';
  const parts = [{ fileData: { fileUri: uri, mimeType: 'image/png' } }];
  const said = gemini.decodeRequest({ contents: [{ role: 'user', parts }] }, { model: 'm' });
  const content = [{ type: 'image_url', image_url: { url: uri } }];
  const linked = chat.decodeRequest({ model: 'm', messages: [{ role: 'user', content }] }, {});

  for (const [name, dialect, model] of [
    ['chat', chat, 'gpt-4.1'],
    ['responses', responses, 'gpt-4.1'],
    ['messages', messages, 'claude-sonnet-4-5'],
    ['converse', converse, CLAUDE_ON_BEDROCK],
  ] as const) {
    test(`it is refused at ${name}`, () => {
      const refusal = { kind: 'invalid_request', code: 'unsupported_file' };
      assert.throws(() => dialect.encodeRequest(said, model), refusal);
      if (name === 'chat') return;
      assert.throws(() => dialect.encodeRequest(linked, model), {
        ...refusal,
        param: 'messages[0].content[0]',
      });
    });
  }

  test('Gemini gets it, whoever names it', () => {
    for (const conversation of [said, linked])
      assert.ok(JSON.stringify(gemini.encodeRequest(conversation, 'gemini-2.5-pro').body).includes(uri));
  });
});

describe('a tool call without its result, or a result without its call, is pointed at', () => {
  const call = { id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } };
  const HI: JsonObject = { role: 'user', content: 'Hi' };
  const ask = (...list: JsonObject[]) => chat.decodeRequest({ model: 'm', messages: [HI, ...list] }, {});
  const unanswered = ask(
    { role: 'assistant', tool_calls: [{ ...call, id: 'b' }, call] },
    { role: 'tool', tool_call_id: 'b', content: 'x' },
    HI,
  );
  const orphan = ask({ role: 'assistant', content: 'Yo' }, { role: 'tool', tool_call_id: 'z', content: 'x' });

  for (const [name, dialect, model] of [
    ['messages', messages, 'claude-sonnet-4-5'],
    ['gemini', gemini, 'gemini-2.5-pro'],
    ['converse', converse, CLAUDE_ON_BEDROCK],
  ] as const) {
    test(`at ${name}`, () => {
      assert.throws(() => dialect.encodeRequest(unanswered, model), {
        code: 'unanswered_tool_call',
        param: 'messages[1].tool_calls[1].id',
      });
      assert.throws(() => dialect.encodeRequest(orphan, model), {
        code: 'unknown_tool_call',
        param: 'messages[2].tool_call_id',
      });
    });
  }
});

describe('a result whose call is of a kind that only OpenAI has', () => {
  const shell = { type: 'local_shell_call', id: 'lsh_1', call_id: 'c1', status: 'completed', action: {} };
  const result = { type: 'function_call_output', call_id: 'c1', output: 'README.md' };
  const input = [{ role: 'user', content: 'Hi' }, shell, result, { role: 'user', content: 'And?' }];
  const conversation = responses.decodeRequest({ model: 'm', input }, {});

  for (const [name, dialect, model] of [
    ['chat', chat, 'gpt-4o'],
    ['messages', messages, 'claude-sonnet-4-5'],
    ['gemini', gemini, 'gemini-2.5-pro'],
    ['converse', converse, CLAUDE_ON_BEDROCK],
  ] as const) {
    test(`is told that the call cannot cross to ${name}`, () => {
      assert.throws(() => dialect.encodeRequest(conversation, model), {
        kind: 'invalid_request',
        code: 'unsupported_content',
        param: 'input[2].call_id',
        message:
          "'input[2]' answers 'input[1]' of the type 'local_shell_call', which only the provider can read that has it. Leave both out, or choose another model.",
      });
    });
  }

  test('goes to servers of its kin, who take results as they come; the call is named', () => {
    const { body, dropped } = chat.encodeRequest(conversation, 'qwen');
    assert.deepEqual(body['messages'], [
      { role: 'user', content: 'Hi' },
      { role: 'tool', tool_call_id: 'c1', content: 'README.md' },
      { role: 'user', content: 'And?' },
    ]);
    assert.deepEqual(dropped, ['input[1]']);
  });

  test('a call that comes only after it is none', () => {
    const late = responses.decodeRequest({ model: 'm', input: [result, shell] }, {});
    assert.throws(() => chat.encodeRequest(late, 'gpt-4o'), { code: 'unknown_tool_call' });
  });
});

describe('a tool’s name that OpenAI does not allow', () => {
  const asked = (name: string) => ({
    model: 'm',
    max_tokens: 99,
    messages: [{ role: 'user', content: 'Hi' }],
    tools: [{ name, input_schema: { type: 'object' } }],
  });
  test('is made legal where it only was called', () => {
    const call = { type: 'tool_use', id: 't1', name: 'ns.tool:a', input: {} };
    const body = {
      ...asked('f'),
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: [call] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't1', content: 'No such tool' }] },
      ],
    };
    const conversation = messages.decodeRequest(body, {});
    for (const dialect of [chat, responses]) {
      const sent = JSON.stringify(dialect.encodeRequest(conversation, 'gpt-5').body);
      assert.match(sent, /"ns_tool_a"/);
      assert.doesNotMatch(sent, /ns\.tool/);
    }
  });
});

describe('what makes the answer another one is refused where nobody else can do it', () => {
  const OTHERS = [
    ['chat', chat, 'gpt-4o'],
    ['an open chat server', chat, 'llama'],
    ['responses', responses, 'gpt-5'],
    ['messages', messages, 'claude-sonnet-4-5'],
    ['gemini', gemini, 'gemini-2.5-pro'],
    ['converse', converse, CLAUDE_ON_BEDROCK],
  ] as const;
  const schema = { type: 'object', properties: {} };
  const format = { type: 'json_schema', name: 's', schema };
  const USER = { role: 'user', content: 'Hi' };

  for (const item of [
    { type: 'compaction_trigger' },
    // Beside a tool of the same name.
    { type: 'additional_tools', role: 'developer', tools: [{ type: 'function', name: 'taken' }] },
    { type: 'agent_message', author: '/root', recipient: '/x', content: [{ type: 'input_text', text: 'x' }] },
    { type: 'configuration_update', text: { format } },
    { type: 'configuration_update', reasoning: { effort: 'low' }, text: { format: { type: 'text' } } },
  ]) {
    test(`the item ${JSON.stringify(item)}`, () => {
      const tools = [{ type: 'function', name: 'taken' }];
      const said = responses.decodeRequest({ model: 'm', tools, input: [USER, item, USER] }, {});
      for (const [name, dialect, model] of OTHERS) {
        if (name === 'responses') continue;
        assert.throws(() => dialect.encodeRequest(said, model), {
          kind: 'invalid_request',
          code: 'unsupported_content',
          param: 'input[1]',
        });
      }
      assert.deepEqual((responses.encodeRequest(said, 'm').body['input'] as JsonObject[])[1], item);
    });
  }

  test('an effort that changes on the way is only named', () => {
    const item = { type: 'configuration_update', reasoning: { effort: 'low' } };
    const said = responses.decodeRequest({ model: 'm', input: [item, USER] }, {});
    assert.deepEqual(chat.encodeRequest(said, 'gpt-4o').dropped, ['input[0]']);
  });

  test('a summary in the place of an answer', () => {
    const body = { model: 'm', max_tokens: 99, messages: [USER], compaction: { type: 'summarize' } };
    for (const [name, dialect, model] of OTHERS) {
      if (name === 'messages') continue;
      const refusal = { code: 'unsupported_parameter', param: 'compaction' };
      assert.throws(() => dialect.encodeRequest(messages.decodeRequest(body, {}), model), refusal);
      const said = messages.decodeRequest({ ...body, compaction: null }, {});
      assert.deepEqual(dialect.encodeRequest(said, model).dropped, []);
    }
  });

  const MODERATED: [string, typeof chat | typeof responses, JsonObject][] = [
    ['chat', chat, { messages: [USER] }],
    ['responses', responses, { input: [USER] }],
  ];
  const moderation = (input: string, output: string) => ({
    model: 'omni-moderation-latest',
    policy: { input: { mode: input }, output: { mode: output } },
  });
  for (const [door, from, fields] of MODERATED) {
    test(`a moderation that may withhold the answer, of ${door}`, () => {
      const ask = (value: JsonObject) => from.decodeRequest({ model: 'm', ...fields, moderation: value }, {});
      for (const [name, dialect, model] of OTHERS) {
        if (dialect === from || (door === 'chat' && name === 'responses')) continue;
        for (const blocks of [moderation('block', 'score'), moderation('score', 'block')]) {
          const refusal = { code: 'unsupported_parameter', param: 'moderation' };
          assert.throws(() => dialect.encodeRequest(ask(blocks), model), refusal);
        }
        for (const scores of [
          moderation('score', 'score'),
          { model: 'omni-moderation-latest', policy: null },
        ])
          assert.deepEqual(dialect.encodeRequest(ask(scores), model).dropped, ['moderation']);
      }
    });
  }

  test('the Responses API can be asked for the moderation that chat has', () => {
    const body = { model: 'm', messages: [USER], moderation: moderation('block', 'block') };
    const { body: sent, dropped } = responses.encodeRequest(chat.decodeRequest(body, {}), 'gpt-5');
    assert.deepEqual(sent['moderation'], body.moderation);
    assert.deepEqual(dropped, []);
  });
});

describe('what cannot be sent is refused where it stands', () => {
  test('a file by its URL to a chat provider', () => {
    const document = { type: 'document', source: { type: 'url', url: 'https://x.test/a.pdf' } };
    const body = { model: 'm', max_tokens: 99, messages: [{ role: 'user', content: [document] }] };
    assert.throws(() => chat.encodeRequest(messages.decodeRequest(body, {}), 'qwen'), {
      code: 'unsupported_content',
      param: 'messages[0].content[0]',
    });
  });

  const TURN = (role: string, ...parts: JsonObject[]) => ({ role, parts });
  const PIXEL = { inlineData: { mimeType: 'image/png', data: 'iVBORw0KGgo=' } };
  const VIDEO = { inlineData: { mimeType: 'video/mp4', data: 'AAAA' } };
  const Q = { text: 'q' };

  test('what a model generated, and a video, where OpenAI has no field for them', () => {
    const asked: [contents: JsonObject[], param: string][] = [
      [[TURN('user', Q), TURN('model', Q, PIXEL), TURN('user', Q)], 'contents[1].parts[1]'],
      [[TURN('user', Q, VIDEO)], 'contents[0].parts[1]'],
    ];
    for (const [contents, param] of asked) {
      const conversation = gemini.decodeRequest({ contents }, { model: 'm' });
      assert.throws(() => chat.encodeRequest(conversation, 'gpt-4o'), { code: 'unsupported_content', param });
      // Servers of its kin have.
      assert.match(JSON.stringify(chat.encodeRequest(conversation, 'qwen').body), /images|video_url/);
    }
  });

  test('a file by its URL in a tool’s result', () => {
    const fileData = { fileUri: 'https://a.test/x.pdf', mimeType: 'application/pdf' };
    const functionResponse = { name: 'f', response: { output: 'x' }, parts: [{ fileData }] };
    const contents = [
      TURN('user', Q),
      TURN('model', { functionCall: { name: 'f', args: {} } }),
      TURN('user', { functionResponse }),
    ];
    assert.throws(() => chat.encodeRequest(gemini.decodeRequest({ contents }, { model: 'm' }), 'gpt-4o'), {
      code: 'unsupported_content',
      param: 'contents[2].parts[0].functionResponse.parts[0]',
    });
  });

  test('a result that answers no call', () => {
    const asked: [Conversation, string][] = [
      [
        gemini.decodeRequest(
          {
            contents: [TURN('user', Q), TURN('function', { functionResponse: { name: 'zz', response: {} } })],
          },
          { model: 'm' },
        ),
        'contents[1].parts[0].functionResponse.id',
      ],
      [
        messages.decodeRequest(
          {
            ...{ model: 'm', max_tokens: 9 },
            messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'x' }] }],
          },
          {},
        ),
        'messages[0].content[0].tool_use_id',
      ],
    ];
    for (const [conversation, param] of asked) {
      assert.throws(() => chat.encodeRequest(conversation, 'gpt-4o'), { code: 'unknown_tool_call', param });
    }
  });

  test('an effort that nobody knows, under the name that it came by', () => {
    const body = {
      ...{ model: 'm', max_tokens: 99, messages: [{ role: 'user', content: 'Hi' }] },
      output_config: { effort: 'ultra' },
    };
    for (const [dialect, model] of [
      [chat, 'qwen'],
      [chat, 'gpt-4.1'],
      [responses, 'gpt-5'],
      [gemini, 'gemini-2.5-flash'],
      [converse, CLAUDE_ON_BEDROCK],
    ] as const) {
      assert.throws(() => dialect.encodeRequest(messages.decodeRequest(body, {}), model), {
        kind: 'invalid_request',
        param: 'output_config.effort',
      });
    }
  });
});
