import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { writeCarriedId } from '../../src/conversation/carried-reasoning.ts';
import type { Conversation, DialectName, ReasoningPart } from '../../src/conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { chat } from '../../src/dialects/chat/index.ts';
import { converse } from '../../src/dialects/converse/index.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { responses } from '../../src/dialects/responses/index.ts';

const TARGETS = [
  ['gemini', gemini, 'gemini-3-flash-preview'],
  ['messages', messages, 'claude-sonnet-4-5'],
  ['responses', responses, 'gpt-4.1'],
  ['converse', converse, 'anthropic.claude-sonnet-4-5-20250929-v1:0'],
] as const;

const HI: JsonObject = { role: 'user', content: 'Hi' };
const TOOL: JsonObject = { type: 'function', function: { name: 'look' } };
const CALL: JsonObject = { id: 'a', type: 'function', function: { name: 'look', arguments: '{}' } };
const RESULT: JsonObject = { role: 'tool', tool_call_id: 'a', content: 'seen' };
const PIXEL = 'data:image/png;base64,iVBORw0KGgo=';
const PDF = 'data:application/pdf;base64,JVBERi0=';

function carried(signedBy: DialectName): string {
  const proof = { dialect: signedBy, value: 'c2ln' };
  const thought: ReasoningPart =
    signedBy === 'responses'
      ? { type: 'reasoning', text: '', encrypted: proof }
      : { type: 'reasoning', text: 'Hm', signature: proof };
  return writeCarriedId('a', { reasoning: [thought], signature: { dialect: signedBy, value: 'c2ln' } });
}

function round(id: JsonValue): JsonObject[] {
  return [
    HI,
    { role: 'assistant', content: null, tool_calls: [{ ...CALL, id }] },
    { ...RESULT, tool_call_id: id },
  ];
}

/** A chat request, and what neither of the targets can be told of it. */
const ROWS: [name: string, request: JsonObject, dropped: string[]][] = [
  [
    'fields of a message',
    {
      messages: [
        HI,
        { role: 'assistant', content: 'Yo', weight: 0, audio: { id: 'x' }, annotations: [{}], parsed: {} },
        { ...HI, made: 1 },
      ],
    },
    [
      'messages[1].weight',
      'messages[1].audio',
      'messages[1].annotations',
      'messages[1].parsed',
      'messages[2].made',
    ],
  ],
  ['what is null says nothing', { messages: [HI, { ...HI, audio: null, refusal: null }] }, []],
  [
    'fields of a content part, which is counted as the caller counts',
    {
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi', foo: 1 }] },
        {
          role: 'assistant',
          reasoning_content: 'Hm',
          content: [
            { type: 'text', text: 'a' },
            { type: 'text', text: 'b', bar: 1 },
          ],
        },
        HI,
      ],
    },
    ['messages[0].content[0].foo', 'messages[1].reasoning_content', 'messages[1].content[1].bar'],
  ],
  [
    'fields inside an image, a file and the function of a call',
    {
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image_url', image_url: { url: PIXEL, foo: 1, detail: null } },
            { type: 'file', file: { file_data: PDF, bar: 1 } },
          ],
        },
        { role: 'assistant', tool_calls: [{ ...CALL, function: { name: 'look', arguments: '{}', baz: 1 } }] },
        RESULT,
      ],
    },
    [
      'messages[0].content[0].image_url.foo',
      'messages[0].content[1].file.bar',
      'messages[1].tool_calls[0].function.baz',
    ],
  ],
  [
    'fields of a tool, a tool call and a tool result',
    {
      tools: [TOOL, { ...TOOL, bar: { deep: 1 }, function: { name: 'see', foo: { deep: 1 } } }],
      messages: [
        HI,
        { role: 'assistant', content: 'So', tool_calls: [{ ...CALL, baz: 1 }] },
        { ...RESULT, content: [{ type: 'text', text: 'seen', qux: 1 }], quux: 1 },
      ],
    },
    [
      'messages[1].tool_calls[0].baz',
      'messages[2].quux',
      'messages[2].content[0].qux',
      'tools[1].bar',
      'tools[1].function.foo',
    ],
  ],
  [
    'reasoning in each of its words',
    {
      messages: [
        HI,
        { role: 'assistant', content: 'a', reasoning_content: 'Hm' },
        HI,
        { role: 'assistant', content: 'a', reasoning: 'Hm' },
        HI,
        { role: 'assistant', content: 'a', reasoning_details: [{ type: 'reasoning.text', text: 'Hm' }] },
        HI,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] },
            { type: 'text', text: 'a' },
          ],
        },
        HI,
      ],
    },
    [
      'messages[1].reasoning_content',
      'messages[3].reasoning',
      'messages[5].reasoning_details',
      'messages[7].content[0]',
    ],
  ],
  [
    'what many messages say alike is named once',
    { messages: Array.from({ length: 40 }, () => ({ ...HI, made: 1 })) },
    ['messages[].made'],
  ],
];

function droppedBy(target: (typeof TARGETS)[number], request: JsonObject): string[] {
  const conversation = chat.decodeRequest({ model: 'm', ...request }, {});
  return target[1].encodeRequest(conversation, target[2]).dropped;
}

for (const target of TARGETS) {
  describe(`a chat request at a provider of ${target[0]}: named as dropped are`, () => {
    for (const [name, request, dropped] of ROWS) {
      test(name, () => assert.deepEqual(droppedBy(target, request), dropped));
    }
    test('reasoning that a third provider signed', () => {
      const third = target[0] === 'responses' ? 'gemini' : 'responses';
      assert.deepEqual(droppedBy(target, { messages: round(carried(third)) }), [
        'messages[1].reasoning_details',
      ]);
    });
    test('no reasoning and no signature that the provider made itself', () => {
      assert.deepEqual(droppedBy(target, { messages: round(carried(target[0])) }), []);
    });
  });
}

test('what another chat provider is sent is what the caller said, inside parts and calls too', () => {
  const content = [
    { type: 'image_url', image_url: { url: PIXEL, foo: 1 } },
    { type: 'file', file: { file_data: PDF, bar: { deep: 1 } } },
    { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav', qux: 1 } },
    { type: 'video_url', video_url: { url: 'https://a.example/b.mp4', fps: 1 } },
  ];
  const call = { ...CALL, function: { name: 'look', arguments: '{}', baz: 1 } };
  const body = {
    model: 'm',
    messages: [{ role: 'user', content }, { role: 'assistant', content: null, tool_calls: [call] }, RESULT],
  };
  assert.deepEqual(chat.encodeRequest(chat.decodeRequest(body, {}), 'm'), { body, dropped: [] });
});

test('the name of a file, which Gemini does not take', () => {
  const file = { type: 'file', file: { filename: 'a.pdf', file_data: PDF } };
  const request = { messages: [{ role: 'user', content: [{ type: 'text', text: 'Read' }, file] }] };
  assert.deepEqual(droppedBy(TARGETS[0], request), ['messages[0].content[1].file.filename']);
  assert.deepEqual(droppedBy(TARGETS[1], request), []);
});

test('thinking that led to nothing, which Anthropic does not take back', () => {
  const detail = {
    type: 'reasoning.text',
    text: 'Hm',
    signature: 's',
    format: 'anthropic-claude-v1',
    index: 0,
  };
  const request = { messages: [HI, { role: 'assistant', content: '', reasoning_details: [detail] }, HI] };
  assert.deepEqual(droppedBy(TARGETS[1], request), ['messages[].reasoning_details']);
  // Nor does Bedrock.
  assert.deepEqual(droppedBy(TARGETS[3], request), ['messages[].reasoning_details']);
});

test('a caller of Anthropic’s dialect hears of its blocks and tools at a provider of Gemini', () => {
  const conversation = messages.decodeRequest(
    {
      model: 'm',
      max_tokens: 99,
      tools: [{ name: 'look', input_schema: { type: 'object' }, defer_loading: true }],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi', foo: 1 }], bar: 1 },
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm', signature: 's' },
            { type: 'server_tool_use', id: 'x', name: 'web_search', input: {} },
            { type: 'text', text: 'So' },
          ],
        },
        { role: 'user', content: 'Go on' },
      ],
    },
    {},
  );
  assert.deepEqual(gemini.encodeRequest(conversation, 'gemini-3-flash-preview').dropped, [
    'messages[0].bar',
    'messages[0].content[0].foo',
    'messages[1].content[0]',
    'messages[1].content[1]',
    'tools[0].defer_loading',
  ]);
});

test('a caller of Gemini’s dialect hears of its thoughts and signatures at a provider of Anthropic', () => {
  const conversation = gemini.decodeRequest(
    {
      tools: [
        { functionDeclarations: [{ name: 'look', behavior: 'BLOCKING', parameters: { type: 'OBJECT' } }] },
      ],
      contents: [
        { role: 'user', parts: [{ text: 'Hi', videoMetadata: { fps: 1 } }] },
        {
          role: 'model',
          parts: [
            { text: 'Hm', thought: true },
            { functionCall: { name: 'look', args: {}, willContinue: false }, thoughtSignature: 'c2ln' },
          ],
        },
        { role: 'user', parts: [{ functionResponse: { name: 'look', response: { a: 1 } } }] },
      ],
    },
    { model: 'm' },
  );
  assert.deepEqual(messages.encodeRequest(conversation, 'claude-sonnet-4-5').dropped, [
    'contents[0].parts[0].videoMetadata',
    'contents[1].parts[0]',
    'contents[1].parts[1].functionCall.willContinue',
    'contents[1].parts[1].thoughtSignature',
    'tools[0].functionDeclarations[0].behavior',
  ]);
});

test('what an item of the Responses API says of itself is in the conversation already', () => {
  const call = {
    type: 'function_call',
    id: 'fc_1',
    call_id: 'a',
    name: 'look',
    arguments: '{}',
    status: 'completed',
  };
  const said = { type: 'output_text', text: 'Hm', annotations: [] };
  const conversation = responses.decodeRequest(
    {
      model: 'm',
      input: [
        { role: 'user', content: 'Hi' },
        { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [said] },
        { ...call, caller: 'x' },
        { type: 'function_call_output', id: 'fco_1', call_id: 'a', output: 'seen', status: 'completed' },
      ],
    },
    {},
  );
  for (const [name, dialect, model] of TARGETS) {
    if (name === 'responses') continue;
    assert.deepEqual(dialect.encodeRequest(conversation, model).dropped, ['input[].caller']);
  }
});

/** Requests of three other dialects, and what a provider of the chat dialect cannot be told of them. */
const AT_CHAT: [name: string, conversation: Conversation, dropped: string[]][] = [
  [
    'messages',
    messages.decodeRequest(
      {
        model: 'm',
        max_tokens: 99,
        tools: [{ name: 'look', input_schema: { type: 'object' }, defer_loading: true }],
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'Hi', foo: 1 }], bar: 1 },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Hm', signature: 's' },
              { type: 'server_tool_use', id: 'x', name: 'web_search', input: {} },
              { type: 'text', text: 'So' },
            ],
          },
          { role: 'user', content: 'Go on' },
        ],
      },
      {},
    ),
    [
      'messages[0].bar',
      'messages[0].content[0].foo',
      'messages[1].content[0]',
      'messages[1].content[1]',
      'tools[0].defer_loading',
    ],
  ],
  [
    'responses',
    responses.decodeRequest(
      {
        model: 'm',
        input: [
          { role: 'user', content: [{ type: 'input_text', text: 'Hi', foo: 1 }] },
          { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'x' },
          { type: 'web_search_call', id: 'ws_1', status: 'completed' },
          { type: 'function_call', call_id: 'a', name: 'look', arguments: '{}', caller: 'n' },
          { type: 'function_call_output', call_id: 'a', output: 'seen' },
        ],
      },
      {},
    ),
    ['input[0].content[0].foo', 'input[1]', 'input[2]', 'input[].caller'],
  ],
  [
    'gemini',
    gemini.decodeRequest(
      {
        contents: [
          { role: 'user', parts: [{ text: 'Hi', videoMetadata: { fps: 1 } }] },
          {
            role: 'model',
            parts: [
              { text: 'Hm', thought: true },
              { functionCall: { name: 'look', args: {}, willContinue: false }, thoughtSignature: 'c2ln' },
            ],
          },
          { role: 'user', parts: [{ functionResponse: { name: 'look', response: { a: 1 } } }] },
        ],
      },
      { model: 'm' },
    ),
    [
      'contents[0].parts[0].videoMetadata',
      'contents[1].parts[0]',
      'contents[1].parts[1].functionCall.willContinue',
      'contents[1].parts[1].thoughtSignature',
    ],
  ],
];

for (const [name, conversation, dropped] of AT_CHAT) {
  test(`a caller of ${name} hears of its own at a provider of the chat dialect`, () => {
    assert.deepEqual(chat.encodeRequest(conversation, 'gpt-4.1').dropped, dropped);
  });
}

test('what Bedrock takes only so far is named with the value that was sent', () => {
  const conversation = chat.decodeRequest(
    { model: 'm', messages: [HI], temperature: 1.5, stop: ['a', ''] },
    {},
  );
  const { dropped } = converse.encodeRequest(conversation, 'anthropic.claude-sonnet-4-5-20250929-v1:0');
  assert.deepEqual(dropped, ['temperature=1', 'stop[1]']);
});

test('what is no base64 is refused where it stands, before a provider says so of a place of its own', () => {
  const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBOR#w0KGgo=' } };
  const conversation = chat.decodeRequest(
    { model: 'm', messages: [HI, { role: 'user', content: [{ type: 'text', text: 'See' }, image] }] },
    {},
  );
  for (const [dialect, model] of [
    [messages, 'claude-sonnet-4-5'],
    [gemini, 'gemini-2.5-flash'],
    [converse, 'anthropic.claude-sonnet-4-5-20250929-v1:0'],
  ] as const) {
    assert.throws(() => dialect.encodeRequest(conversation, model), {
      kind: 'invalid_request',
      param: 'messages[1].content[1]',
    });
  }
});

test('more output tokens than Gemini takes are as many as it takes, and named so', () => {
  for (const asked of [65_536, 65_537, 1_000_000]) {
    const conversation = chat.decodeRequest({ model: 'm', messages: [HI], max_tokens: asked }, {});
    const { body, dropped } = gemini.encodeRequest(conversation, 'gemini-2.5-flash');
    assert.deepEqual(body['generationConfig'], { maxOutputTokens: 65_536 });
    assert.deepEqual(dropped, asked > 65_536 ? ['max_tokens=65536'] : []);
  }
});

const FORMAT = {
  name: 'a',
  schema: { type: 'object', properties: {}, additionalProperties: false },
  strict: true,
};
const CHAT_WISHES: [name: string, request: JsonObject, dropped: string[]][] = [
  [
    'a choice of a tool',
    { tool_choice: { type: 'function', function: { name: 'look', foo: 1 }, bar: 1 } },
    ['tool_choice.function.foo', 'tool_choice.bar'],
  ],
  [
    'a choice of tools',
    {
      tool_choice: {
        type: 'allowed_tools',
        allowed_tools: { mode: 'auto', tools: [{ type: 'function', function: { name: 'look' } }], foo: 1 },
        bar: null,
      },
    },
    ['tool_choice.allowed_tools.foo'],
  ],
  [
    'the format of a schema',
    { response_format: { type: 'json_schema', json_schema: { ...FORMAT, foo: 1 }, bar: 1 } },
    ['response_format.json_schema.foo', 'response_format.bar'],
  ],
  ['a format without one', { response_format: { type: 'text', foo: 1 } }, ['response_format.foo']],
];

for (const [name, wish, dropped] of CHAT_WISHES) {
  const request = { tools: [TOOL], messages: [HI], ...wish };
  for (const target of TARGETS) {
    test(`unknown fields of ${name} are named at a provider of ${target[0]}`, () => {
      assert.deepEqual(droppedBy(target, request).sort(), dropped.toSorted());
    });
  }
  test(`unknown fields of ${name} go to a provider of the same dialect`, () => {
    const body = { model: 'm', ...request };
    assert.deepEqual(chat.encodeRequest(chat.decodeRequest(body, {}), 'm'), { body, dropped: [] });
  });
}

test('unknown fields of what a caller of responses or messages wishes are named, and go to its own dialect', () => {
  const responsesBody = {
    model: 'm',
    input: [{ role: 'user', content: 'Hi' }],
    tools: [{ type: 'function', name: 'look', parameters: {}, strict: false }],
    tool_choice: { type: 'function', name: 'look', foo: 1 },
    text: { format: { type: 'json_schema', ...FORMAT, foo: 1 } },
  };
  const asked = responses.decodeRequest(responsesBody, {});
  assert.deepEqual(chat.encodeRequest(asked, 'gpt-4.1').dropped, ['tool_choice.foo', 'text.format.foo']);
  assert.deepEqual(responses.encodeRequest(asked, 'm'), { body: responsesBody, dropped: [] });

  const messagesBody = {
    model: 'claude-sonnet-4-5',
    max_tokens: 99,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    tools: [{ name: 'look', input_schema: { type: 'object' } }],
    tool_choice: { type: 'tool', name: 'look', foo: 1 },
    output_config: { format: { type: 'json_schema', schema: FORMAT.schema, foo: 1 } },
    stream: false,
  };
  const wished = messages.decodeRequest(messagesBody, {});
  assert.deepEqual(chat.encodeRequest(wished, 'gpt-4.1').dropped, [
    'tool_choice.foo',
    'output_config.format.foo',
  ]);
  assert.deepEqual(messages.encodeRequest(wished, 'claude-sonnet-4-5'), { body: messagesBody, dropped: [] });
});

test('what a part says beside its content is named at its place, in the words of the caller', () => {
  const cache_control = { type: 'ephemeral' };
  const asked = messages.decodeRequest(
    {
      model: 'm',
      max_tokens: 99,
      system: [{ type: 'text', text: 'Be brief', cache_control }],
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi', cache_control }] },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'look', input: {} }] },
        {
          role: 'user',
          content: [
            { type: 'tool_result', tool_use_id: 'a', is_error: true, content: 'no' },
            { type: 'text', text: 'Go on', cache_control },
          ],
        },
      ],
    },
    {},
  );
  const hints = ['system[0]', 'messages[0].content[0]', 'messages[2].content[1]'];
  const words = [...hints.map((place) => `${place}.cache_control`), 'messages[2].content[0].is_error'];
  assert.deepEqual(chat.encodeRequest(asked, 'llama').dropped.toSorted(), words.toSorted());
  assert.deepEqual(responses.encodeRequest(asked, 'gpt-4.1').dropped.toSorted(), words.toSorted());

  const image = { type: 'image_url', image_url: { url: PIXEL, detail: 'high' } };
  const detailed = { messages: [{ role: 'user', content: [{ type: 'text', text: 'See' }, image] }] };
  for (const target of [TARGETS[0], TARGETS[1], TARGETS[3]])
    assert.deepEqual(droppedBy(target, detailed), ['messages[0].content[1].image_url.detail']);
});

test('of what Gemini’s config holds only that is named which is not sent', () => {
  const asked = gemini.decodeRequest(
    {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      generationConfig: {
        temperature: 0.5,
        seed: 1,
        responseMimeType: 'application/json',
        responseSchema: { type: 'OBJECT', properties: { a: { type: 'STRING' } } },
        mediaResolution: 'MEDIA_RESOLUTION_LOW',
      },
    },
    { model: 'm' },
  );
  assert.deepEqual(chat.encodeRequest(asked, 'llama').dropped, ['generationConfig.mediaResolution']);
});
