import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Conversation } from '../../../src/conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

function decode(body: JsonObject): Conversation {
  return responses.decodeRequest({ model: 'smart', input: 'Hi', ...body }, {});
}

test('a text is what the user says, behind the instructions', () => {
  const { messages } = decode({ instructions: 'Be brief.' });
  assert.deepEqual(
    messages.map(({ role, parts }) => [role, parts.map((part) => part.type === 'text' && part.text)]),
    [
      ['system', ['Be brief.']],
      ['user', ['Hi']],
    ],
  );
});

test('the items of one turn of the assistant are one message; results are messages of their own', () => {
  const { messages } = decode({
    input: [
      { role: 'user', content: 'Go' },
      {
        type: 'reasoning',
        id: 'rs_1',
        summary: [{ type: 'summary_text', text: 'Hm' }],
        encrypted_content: 'gA',
      },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'One' }] },
      { role: 'assistant', content: 'Two' },
      { type: 'function_call', call_id: 'c1', name: 'f', arguments: '{}' },
      { type: 'custom_tool_call', call_id: 'c2', name: 'sh', input: 'ls' },
      { type: 'function_call_output', call_id: 'c1', output: 'done' },
      { type: 'custom_tool_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'a' }] },
      { type: 'web_search_call', id: 'ws_1', status: 'completed' },
      { role: 'developer', content: [{ type: 'input_text', text: 'Stop' }] },
    ],
  });
  assert.deepEqual(
    messages.map(({ role, parts }) => [role, parts.map(({ type }) => type)]),
    [
      ['user', ['text']],
      ['assistant', ['reasoning', 'text', 'text', 'tool_call', 'tool_call']],
      ['tool', ['tool_result']],
      ['tool', ['tool_result']],
      ['assistant', ['opaque']],
      ['developer', ['text']],
    ],
  );
  const [result] = messages[3]?.parts ?? [];
  assert.ok(result?.type === 'tool_result');
  assert.deepEqual([result.callId, result.name], ['c2', 'sh']);
});

test('media by URL, as data and by file id', () => {
  const { messages } = decode({
    input: [
      {
        role: 'user',
        content: [
          { type: 'input_image', image_url: 'https://a.example/b.png', detail: 'low' },
          { type: 'input_image', image_url: 'data:image/png;base64,AAAA' },
          { type: 'input_image', file_id: 'file-1' },
          { type: 'input_file', file_data: 'data:application/pdf;base64,BBBB', filename: 'b.pdf' },
          { type: 'input_file', file_url: 'https://a.example/c.pdf' },
          { type: 'input_file', file_id: 'file-2' },
          { type: 'input_audio', input_audio: { data: 'CCCC', format: 'wav' } },
        ],
      },
    ],
  });
  assert.deepEqual(messages[0]?.parts, [
    { type: 'image', source: { kind: 'url', url: 'https://a.example/b.png' }, detail: 'low' },
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'AAAA' } },
    { type: 'image', source: { kind: 'fileId', fileId: 'file-1', dialect: 'responses' } },
    {
      type: 'file',
      source: { kind: 'data', mediaType: 'application/pdf', base64: 'BBBB' },
      filename: 'b.pdf',
    },
    { type: 'file', source: { kind: 'url', url: 'https://a.example/c.pdf' } },
    { type: 'file', source: { kind: 'fileId', fileId: 'file-2', dialect: 'responses' } },
    { type: 'audio', source: { kind: 'data', mediaType: 'audio/wav', base64: 'CCCC' } },
  ]);
});

test('parameters, format and reasoning', () => {
  const conversation = decode({
    max_output_tokens: 5,
    temperature: 0.5,
    top_p: 0.9,
    top_logprobs: 2,
    include: ['message.output_text.logprobs'],
    safety_identifier: 'u',
    prompt_cache_key: 'k',
    service_tier: 'flex',
    parallel_tool_calls: false,
    text: {
      verbosity: 'low',
      format: { type: 'json_schema', name: 'n', schema: { type: 'object' }, strict: true },
    },
    reasoning: { effort: 'high', summary: 'auto' },
    stream: true,
  });
  assert.deepEqual(conversation.parameters, {
    maxOutputTokens: 5,
    temperature: 0.5,
    topP: 0.9,
    topLogprobs: 2,
    serviceTier: 'flex',
    promptCacheKey: 'k',
    endUser: 'u',
    verbosity: 'low',
    logprobs: true,
  });
  assert.deepEqual(conversation.spelling, { endUser: 'safety_identifier' });
  assert.deepEqual(conversation.responseFormat, {
    type: 'json_schema',
    name: 'n',
    schema: { type: 'object' },
    strict: true,
  });
  assert.equal(conversation.reasoning?.effort, 'high');
  assert.equal(conversation.reasoning?.includeText, true);
  assert.equal(conversation.parallelToolCalls, false);
  assert.equal(conversation.stream, true);
});

test('tools: functions, free text with a grammar, built-in ones', () => {
  const search = { type: 'web_search', search_context_size: 'low' };
  const { tools } = decode({
    tools: [
      { type: 'function', name: 'f', description: 'd', parameters: { type: 'object' }, strict: null },
      { type: 'custom', name: 'g', format: { type: 'grammar', syntax: 'lark', definition: 'start: A' } },
      search,
    ],
  });
  assert.deepEqual(
    tools,
    [
      { type: 'function', name: 'f', description: 'd', schema: { type: 'object' }, extra: undefined },
      {
        type: 'custom',
        name: 'g',
        format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'start: A' } },
      },
      { type: 'opaque', dialect: 'responses', value: search },
    ].map((tool) => JSON.parse(JSON.stringify(tool))),
  );
});

const allowed = (tools: JsonValue[]): JsonObject => ({ type: 'allowed_tools', mode: 'auto', tools });
const CHOICES: [JsonValue, unknown][] = [
  ['auto', { type: 'auto' }],
  ['none', { type: 'none' }],
  ['required', { type: 'required' }],
  [
    { type: 'function', name: 'f' },
    { type: 'tool', name: 'f' },
  ],
  [
    { type: 'custom', name: 'g' },
    { type: 'tool', name: 'g' },
  ],
  [allowed([{ type: 'function', name: 'f' }]), { type: 'allowed', mode: 'auto', names: ['f'] }],
  [
    allowed([{ type: 'mcp', server_label: 's' }]),
    {
      type: 'allowed',
      mode: 'auto',
      names: ['mcp:'],
      extra: { dialect: 'responses', fields: { namespace: [{ type: 'mcp', server_label: 's' }] } },
    },
  ],
  [{ type: 'web_search' }, { type: 'opaque' }],
];

for (const [choice, expected] of CHOICES) {
  test(`tool_choice ${JSON.stringify(choice)}`, () => {
    const { toolChoice } = decode({ tool_choice: choice });
    if (toolChoice?.type !== 'opaque') assert.deepEqual(toolChoice, expected);
    else assert.deepEqual([{ type: toolChoice.type }, toolChoice.value], [expected, choice]);
  });
}

const BROKEN: [string, JsonObject, string][] = [
  ['no model', { model: null }, 'model'],
  ['no input', { input: null }, 'input'],
  ['input of another kind', { input: 7 }, 'input'],
  ['an item that is no object', { input: ['x'] }, 'input[0]'],
  ['an item without type and role', { input: [{}] }, 'input[0].type'],
  ['an unknown role', { input: [{ role: 'robot', content: 'x' }] }, 'input[0].role'],
  ['content of another kind', { input: [{ role: 'user', content: 7 }] }, 'input[0].content'],
  [
    'a text without text',
    { input: [{ role: 'user', content: [{ type: 'input_text' }] }] },
    'input[0].content[0].text',
  ],
  [
    'a broken data URL',
    { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'data:image/png' }] }] },
    'input[0].content[0].image_url',
  ],
  ['a call without id', { input: [{ type: 'function_call', name: 'f' }] }, 'input[0].call_id'],
  ['a result without output', { input: [{ type: 'function_call_output', call_id: 'c' }] }, 'input[0].output'],
  ['a reference', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input[0].id'],
  ['a tool without type', { tools: [{ name: 'f' }] }, 'tools[0].type'],
  ['a function without name', { tools: [{ type: 'function' }] }, 'tools[0].name'],
  ['an unknown word for the choice', { tool_choice: 'sometimes' }, 'tool_choice'],
  ['a format of another type', { text: { format: { type: 'xml' } } }, 'text.format.type'],
  ['a format without schema', { text: { format: { type: 'json_schema', name: 'n' } } }, 'text.format.schema'],
  ['a number as text', { temperature: '1' }, 'temperature'],
  ['an effort that is none', { reasoning: { effort: 1 } }, 'reasoning.effort'],
];

for (const [what, body, param] of BROKEN) {
  test(`${what} is refused by its path`, () => {
    assert.throws(() => decode(body), { kind: 'invalid_request', param });
  });
}

test('a request that goes on from what the provider keeps needs no input', () => {
  assert.deepEqual(decode({ input: null, previous_response_id: 'resp_1' }).messages, []);
});
