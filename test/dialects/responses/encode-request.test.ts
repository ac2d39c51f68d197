import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Conversation,
  DialectName,
  Message,
  Parameters,
  ReasoningRequest,
} from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import type { EncodedRequest } from '../../../src/dialects/dialect.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { messages as anthropic } from '../../../src/dialects/messages/index.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

const HI: Message = { role: 'user', parts: [{ type: 'text', text: 'Hi' }] };

function encode(more: Partial<Conversation> = {}, model = 'gpt-4.1'): EncodedRequest {
  const dialect: DialectName = more.dialect ?? 'chat';
  return responses.encodeRequest(
    { model: 'smart', stream: false, messages: [HI], tools: [], parameters: {}, ...more, dialect },
    model,
  );
}

function inputOf(messages: Message[]): unknown {
  return encode({ messages }).body['input'];
}

test('nothing of a caller of another dialect is left with the provider', () => {
  assert.deepEqual(encode(), {
    body: { model: 'gpt-4.1', input: [{ role: 'user', content: 'Hi' }], store: false },
    dropped: [],
  });
});

test('a caller of another dialect gets the encrypted reasoning of models that reason', () => {
  assert.deepEqual(encode({}, 'gpt-5').body['include'], ['reasoning.encrypted_content']);
});

test('a history with tools', () => {
  assert.deepEqual(
    inputOf([
      { role: 'system', parts: [{ type: 'text', text: 'Be brief.' }] },
      HI,
      {
        role: 'assistant',
        parts: [
          { type: 'text', text: 'Let me see.' },
          { type: 'tool_call', id: 'c1', kind: 'function', name: 'f', arguments: '' },
          { type: 'tool_call', id: 'c2', kind: 'custom', name: 'sh', arguments: 'ls' },
        ],
      },
      { role: 'tool', parts: [{ type: 'tool_result', callId: 'c1', parts: [{ type: 'text', text: '1' }] }] },
      {
        role: 'tool',
        parts: [
          {
            type: 'tool_result',
            callId: 'c2',
            parts: [
              { type: 'text', text: '2' },
              { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'AAAA' } },
            ],
          },
        ],
      },
    ]),
    [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: 'Let me see.' },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
      { type: 'custom_tool_call', call_id: 'c2', name: 'sh', input: 'ls' },
      { type: 'function_call_output', call_id: 'c1', output: '1' },
      {
        type: 'custom_tool_call_output',
        call_id: 'c2',
        output: [
          { type: 'input_text', text: '2' },
          { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
        ],
      },
    ],
  );
});

const CLOSED = { type: 'object', properties: {}, additionalProperties: false };

test('functions of other dialects are not strict unless they say so', () => {
  const { body } = encode({
    tools: [
      { type: 'function', name: 'f' },
      { type: 'function', name: 'g', schema: CLOSED, strict: true },
      {
        type: 'custom',
        name: 'h',
        format: { type: 'grammar', grammar: { syntax: 'regex', definition: 'a' } },
      },
    ],
    toolChoice: { type: 'allowed', mode: 'required', names: ['f', 'h'] },
  });
  assert.deepEqual(body['tools'], [
    { type: 'function', name: 'f', parameters: { type: 'object', properties: {} }, strict: false },
    { type: 'function', name: 'g', parameters: CLOSED, strict: true },
    { type: 'custom', name: 'h', format: { type: 'grammar', syntax: 'regex', definition: 'a' } },
  ]);
  assert.deepEqual(body['tool_choice'], {
    type: 'allowed_tools',
    mode: 'required',
    tools: [
      { type: 'function', name: 'f' },
      { type: 'custom', name: 'h' },
    ],
  });
});

const PARAMETERS: [Parameters, JsonObject, string[]][] = [
  [
    { maxOutputTokens: 99, temperature: 1, topP: 0.5 },
    { max_output_tokens: 99, temperature: 1, top_p: 0.5 },
    [],
  ],
  [{ logprobs: true, topLogprobs: 2 }, { top_logprobs: 2, include: ['message.output_text.logprobs'] }, []],
  [{ verbosity: 'low', endUser: 'u' }, { user: 'u', text: { verbosity: 'low' } }, []],
  [{ topK: 3, seed: 1, frequencyPenalty: 1 }, {}, ['top_k', 'seed', 'frequency_penalty']],
  [{ n: 1 }, {}, []],
];

for (const [parameters, fields, dropped] of PARAMETERS) {
  test(`parameters ${Object.keys(parameters).join(', ')}`, () => {
    const { input: _, model: __, store: ___, ...rest } = encode({ parameters }).body;
    assert.deepEqual(rest, fields);
    assert.deepEqual(encode({ parameters }).dropped, dropped);
  });
}

test('a limit below the least that the API takes is that least, and told so in the caller’s word', () => {
  const parameters = { maxOutputTokens: 10 };
  const words = { chat: 'max_completion_tokens', messages: 'max_tokens' } as const;
  for (const [dialect, word] of Object.entries(words) as [keyof typeof words, string][]) {
    const { body, dropped } = encode({ parameters, dialect });
    assert.equal(body['max_output_tokens'], 16);
    assert.deepEqual(dropped, [`${word}=16`]);
  }
  const spelling = { maxOutputTokens: 'max_tokens' };
  assert.deepEqual(encode({ parameters, spelling }).dropped, ['max_tokens=16']);
  assert.deepEqual(encode({ parameters: { maxOutputTokens: 16 } }).dropped, []);
  const own = encode({ parameters, dialect: 'responses' });
  assert.equal(own.body['max_output_tokens'], 10);
  assert.deepEqual(own.dropped, []);
});

test('several answers are refused: the answer would be another one', () => {
  assert.throws(() => encode({ parameters: { n: 2 } }), { kind: 'invalid_request', param: 'n' });
});

test('sampling parameters that a reasoning model refuses are left out, whatever the caller speaks', () => {
  const parameters = { temperature: 0.3 };
  for (const dialect of ['chat', 'responses'] as const) {
    const { body, dropped } = encode({ parameters, dialect }, 'o3');
    assert.deepEqual([body['temperature'], dropped], [undefined, ['temperature']]);
  }
});

test('computer-use-preview is a reasoning model of OpenAI’s, of the time of the o-series', () => {
  for (const model of ['computer-use-preview', 'computer-use-preview-2025-03-11']) {
    const { body, dropped } = encode(
      { parameters: { temperature: 0.3, endUser: 'me' }, reasoning: { effort: 'max' } },
      model,
    );
    assert.deepEqual(body['reasoning'], { effort: 'high' });
    assert.deepEqual(body['include'], ['reasoning.encrypted_content']);
    assert.deepEqual(dropped, ['reasoning_effort=high', 'temperature']);
  }
});

test('reasoning: effort, budgets, and text where it is wanted', () => {
  const reasoning = (request: Conversation['reasoning'], model: string) => {
    const { body, dropped } = encode({ ...(request && { reasoning: request }) }, model);
    return [body['reasoning'], dropped];
  };
  assert.deepEqual(reasoning({ effort: 'high', includeText: true }, 'gpt-5'), [
    { effort: 'high', summary: 'auto' },
    [],
  ]);
  assert.deepEqual(reasoning({ budgetTokens: 8000 }, 'o3'), [{ effort: 'medium' }, []]);
  assert.deepEqual(reasoning({ effort: 'high' }, 'gpt-4.1'), [undefined, ['reasoning_effort']]);
  assert.deepEqual(reasoning({ effort: 'max' }, 'gpt-5-codex'), [
    { effort: 'high' },
    ['reasoning_effort=high'],
  ]);
  assert.deepEqual(reasoning({ budgetTokens: 2000 }, 'gpt-5-pro'), [
    { effort: 'high' },
    ['thinking.budget_tokens=high'],
  ]);
});

test('a summary is asked for where the caller is shown thoughts unless it says otherwise', () => {
  const summary = (dialect: DialectName, reasoning: ReasoningRequest) =>
    encode({ dialect, reasoning }, 'gpt-5').body['reasoning'];
  assert.deepEqual(summary('messages', { budgetTokens: 2000 }), { effort: 'low', summary: 'auto' });
  assert.deepEqual(summary('messages', { budgetTokens: -1 }), { summary: 'auto' });
  assert.deepEqual(summary('messages', { budgetTokens: 2000, includeText: false }), { effort: 'low' });
  assert.deepEqual(summary('messages', { effort: 'low' }), { effort: 'low' });
  assert.deepEqual(summary('messages', { effort: 'none' }), { effort: 'minimal' });
  assert.deepEqual(summary('chat', { effort: 'low' }), { effort: 'low' });
  assert.deepEqual(summary('gemini', { budgetTokens: 2000 }), { effort: 'low' });
});

test('only reasoning that OpenAI knows again goes back to it', () => {
  const parts: Message['parts'] = [
    { type: 'reasoning', text: 'mine', encrypted: { dialect: 'responses', value: 'gA' } },
    { type: 'reasoning', text: 'theirs', signature: { dialect: 'messages', value: 's' } },
    { type: 'reasoning', text: 'nobody’s' },
    { type: 'text', text: 'So.' },
  ];
  const { body, dropped } = encode({ messages: [HI, { role: 'assistant', parts }] }, 'gpt-5');
  assert.deepEqual(body['input'], [
    { role: 'user', content: 'Hi' },
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'mine' }], encrypted_content: 'gA' },
    { role: 'assistant', content: 'So.' },
  ]);
  assert.deepEqual(dropped, ['messages[1].reasoning_details', 'messages[1].reasoning_content']);
  assert.doesNotMatch(JSON.stringify(body), /theirs/);
});

test("OpenAI's encrypted reasoning goes to nobody else", () => {
  const input = [
    { role: 'user', content: 'Hi' },
    { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAAsecret' },
    { role: 'assistant', content: 'Yes.' },
    { role: 'user', content: 'And?' },
  ];
  for (const [dialect, model] of [
    [chat, 'deepseek-chat'],
    [anthropic, 'claude-sonnet-4-5'],
    [gemini, 'gemini-2.5-pro'],
  ] as const) {
    const conversation = responses.decodeRequest({ model: 'm', input }, {});
    assert.doesNotMatch(JSON.stringify(dialect.encodeRequest(conversation, model).body), /secret|rs_1/);
  }
});

/** Fields of this dialect at a provider of another. */
const FOREIGN: [JsonObject, 'refused' | string[]][] = [
  [{ previous_response_id: 'resp_1' }, 'refused'],
  [{ conversation: 'conv_1' }, 'refused'],
  [{ prompt: { id: 'p' } }, 'refused'],
  [{ background: true }, 'refused'],
  [{ background: false, store: true, metadata: { a: 'b' }, truncation: 'disabled' }, []],
  [{ include: ['reasoning.encrypted_content'], stream_options: { include_obfuscation: false } }, []],
  [{ include: ['web_search_call.results'] }, ['include']],
  [{ truncation: 'auto', max_tool_calls: 3 }, ['truncation', 'max_tool_calls']],
];

for (const [fields, expected] of FOREIGN) {
  test(`${JSON.stringify(fields)} at a provider of another dialect`, () => {
    for (const [dialect, model] of [
      [chat, 'llama-3'],
      [anthropic, 'claude-sonnet-4-5'],
      [gemini, 'gemini-2.5-pro'],
    ] as const) {
      const conversation = responses.decodeRequest({ model: 'm', input: 'Hi', ...fields }, {});
      if (expected === 'refused') {
        const param = Object.keys(fields)[0];
        assert.throws(() => dialect.encodeRequest(conversation, model), { kind: 'invalid_request', param });
      } else {
        assert.deepEqual(dialect.encodeRequest(conversation, model).dropped, expected);
      }
    }
    const own = responses.decodeRequest({ model: 'm', input: 'Hi', ...fields }, {});
    const { body, dropped } = responses.encodeRequest(own, 'gpt-5');
    for (const [key, value] of Object.entries(fields)) assert.deepEqual(body[key], value);
    assert.deepEqual(dropped, []);
  });
}

test('parts of the assistant that only a user may send are refused, not dropped', () => {
  const image = { type: 'image', source: { kind: 'url', url: 'https://a.example' } } as const;
  assert.throws(() => encode({ messages: [HI, { role: 'assistant', parts: [image] }] }), {
    kind: 'invalid_request',
  });
});

test('what stands in for earlier turns is refused by providers that cannot read it', () => {
  const input = [
    { type: 'compaction', id: 'cmp_1', encrypted_content: 'gA' },
    { role: 'user', content: 'And?' },
  ];
  const conversation = responses.decodeRequest({ model: 'm', input }, {});
  for (const dialect of [chat, anthropic, gemini]) {
    assert.throws(() => dialect.encodeRequest(conversation, 'any'), {
      kind: 'invalid_request',
      param: 'input[0]',
    });
  }
  assert.deepEqual(responses.encodeRequest(conversation, 'gpt-5').body['input'], input);
});

test('items of built-in tools are named where they are left out', () => {
  const call = { type: 'web_search_call', id: 'ws_1', status: 'completed' };
  const input = [{ role: 'user', content: 'Hi' }, call, { role: 'user', content: 'And?' }];
  const conversation = responses.decodeRequest({ model: 'm', input }, {});
  assert.deepEqual(chat.encodeRequest(conversation, 'llama-3').dropped, ['input[1]']);
  assert.deepEqual(anthropic.encodeRequest(conversation, 'claude-sonnet-4-5').dropped, ['input[1]']);
  assert.deepEqual(gemini.encodeRequest(conversation, 'gemini-2.5-pro').dropped, ['input[1]']);
});

test('a missing call is not what is wrong with a request that goes on from a response', () => {
  const body = {
    model: 'm',
    previous_response_id: 'resp_1',
    input: [{ type: 'function_call_output', call_id: 'c', output: 'x' }],
  };
  for (const dialect of [chat, anthropic, gemini]) {
    const conversation = responses.decodeRequest(body, {});
    assert.throws(() => dialect.encodeRequest(conversation, 'any'), { param: 'previous_response_id' });
  }
});
