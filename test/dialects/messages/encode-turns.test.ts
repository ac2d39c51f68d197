import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Message, Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { assistant, call, conversation, encode, LOOK, message, result, text, user } from './conversations.ts';

function turns(messages: Message[], model?: string): unknown {
  return encode({ messages }, model).body['messages'];
}

test('system and developer messages go into the one system prompt, in their order, wherever they stand', () => {
  const { body } = encode({
    messages: [message('system', 'A'), user('Hello'), message('developer', 'B'), message('system', '', 'C')],
  });
  assert.deepEqual(body['system'], [text('A'), text('B'), text('C')]);
  assert.deepEqual(body['messages'], [{ role: 'user', content: [text('Hello')] }]);
});

test('neighbours of one role become one message', () => {
  assert.deepEqual(turns([user('a'), user('b'), assistant('c'), assistant('d'), user('e')]), [
    { role: 'user', content: [text('a'), text('b')] },
    { role: 'assistant', content: [text('c'), text('d')] },
    { role: 'user', content: [text('e')] },
  ]);
});

test('the results of a turn stand first in one user message, before its text', () => {
  const sent = turns([
    user('go'),
    assistant(call('a'), call('b')),
    user('and?'),
    result('b', '2'),
    result('a', '1'),
  ]);
  const use = (id: string) => ({ type: 'tool_use', id, name: 'look', input: {} });
  const answer = (id: string, words: string) => ({
    type: 'tool_result',
    tool_use_id: id,
    content: [text(words)],
  });
  assert.deepEqual(sent, [
    { role: 'user', content: [text('go')] },
    { role: 'assistant', content: [use('a'), use('b')] },
    { role: 'user', content: [answer('b', '2'), answer('a', '1'), text('and?')] },
  ]);
});

test('empty texts and messages are left out, and their neighbours join', () => {
  assert.deepEqual(turns([user('a'), assistant(' \n'), user('b', '')]), [
    { role: 'user', content: [text('a'), text('b')] },
  ]);
});

test('white space at the end of a prefilled answer is trimmed', () => {
  assert.deepEqual(turns([user('a'), assistant('It is \n')]), [
    { role: 'user', content: [text('a')] },
    { role: 'assistant', content: [text('It is')] },
  ]);
});

test('a conversation that begins with the assistant, or has no words of the user, gets an opening turn', () => {
  const opening = { role: 'user', content: [text('Begin.')] };
  assert.deepEqual(turns([assistant('Hi'), user('Hello')]), [
    opening,
    { role: 'assistant', content: [text('Hi')] },
    { role: 'user', content: [text('Hello')] },
  ]);
  assert.deepEqual(turns([message('system', 'Write a poem.')]), [opening]);
});

test('a model that cannot go on from the assistant’s words is asked to continue', () => {
  assert.deepEqual(turns([user('a'), assistant('b')], 'claude-opus-4-6'), [
    { role: 'user', content: [text('a')] },
    { role: 'assistant', content: [text('b')] },
    { role: 'user', content: [text('Continue.')] },
  ]);
});

test('thinking with Anthropic’s own proof is sent back verbatim and in place, all other reasoning is not', () => {
  const own = { dialect: 'messages', value: 'SIG' } as const;
  const parts: Part[] = [
    { type: 'reasoning', text: 'hm', signature: own },
    { type: 'reasoning', text: '', encrypted: { dialect: 'messages', value: 'DATA' } },
    { type: 'reasoning', text: 'unsigned' },
    { type: 'reasoning', text: 'foreign', signature: { dialect: 'gemini', value: 'G' } },
    call('a'),
  ];
  assert.deepEqual(turns([user('go'), assistant(...parts), result('a')]), [
    { role: 'user', content: [text('go')] },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'hm', signature: 'SIG' },
        { type: 'redacted_thinking', data: 'DATA' },
        { type: 'tool_use', id: 'a', name: 'look', input: {} },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a', content: [text('seen')] }] },
  ]);
});

test('a message that held nothing but reasoning disappears with it', () => {
  const foreign: Part = { type: 'reasoning', text: 'hm', signature: { dialect: 'gemini', value: 'G' } };
  const own: Part = { type: 'reasoning', text: 'hm', signature: { dialect: 'messages', value: 'S' } };
  for (const part of [foreign, own]) {
    assert.deepEqual(turns([user('a'), assistant(part), user('b')]), [
      { role: 'user', content: [text('a'), text('b')] },
    ]);
  }
});

const ARGUMENTS: [written: string, input: unknown][] = [
  ['{"a":1}', { a: 1 }],
  ['', {}],
  ['  ', {}],
  ['{"a":', { INVALID_JSON: '{"a":' }],
  ['[1]', { INVALID_JSON: '[1]' }],
  ['"x"', { INVALID_JSON: '"x"' }],
  ['null', { INVALID_JSON: 'null' }],
];
for (const [written, input] of ARGUMENTS) {
  test(`tool arguments ${JSON.stringify(written)} of a history become ${JSON.stringify(input)}`, () => {
    const sent = turns([user('go'), assistant(call('a', written)), result('a')]) as { content: unknown[] }[];
    assert.deepEqual(sent[1]?.content, [{ type: 'tool_use', id: 'a', name: 'look', input }]);
  });
}

test('a `__proto__` in tool arguments stays data', () => {
  const sent = turns([user('go'), assistant(call('a', '{"__proto__":{"x":1}}')), result('a')]);
  assert.match(JSON.stringify(sent), /"input":\{"__proto__":\{"x":1\}\}/);
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('illegal ids are mapped the same way in call and result, and stay apart', () => {
  const sent = JSON.stringify(
    turns([user('go'), assistant(call('call:1'), call('call.1')), result('call:1'), result('call.1')]),
  );
  const ids = [...sent.matchAll(/"(?:id|tool_use_id)":"([^"]*)"/g)].map((match) => match[1] ?? '');
  assert.equal(ids.length, 4);
  assert.equal(new Set(ids).size, 2);
  for (const id of ids) assert.match(id, /^[a-zA-Z0-9_-]+$/);
  assert.deepEqual(ids.slice(0, 2), ids.slice(2));
});

test('an id that a later turn uses again is made unique, with its result', () => {
  const sent = JSON.stringify(
    turns([user('go'), assistant(call('a')), result('a'), assistant(call('a')), result('a')]),
  );
  assert.deepEqual(
    [...sent.matchAll(/"(?:id|tool_use_id)":"([^"]*)"/g)].map((match) => match[1]),
    ['a', 'a', 'a_2', 'a_2'],
  );
});

test('a tool name that a model made up is made legal in the history', () => {
  const sent = JSON.stringify(turns([user('go'), assistant(call('a', '{}', 'no such tool!')), result('a')]));
  assert.match(sent, /"name":"no_such_tool_"/);
});

const UNPAIRED: [name: string, messages: Message[], param: string, words: RegExp][] = [
  ['a result without its call', [user('a'), result('x')], 'messages[1].tool_call_id', /'x'/],
  [
    'a call without its result',
    [user('a'), assistant(call('x')), user('b')],
    'messages[1].tool_calls[0].id',
    /'x'/,
  ],
  ['a call at the end', [user('a'), assistant(call('x'))], 'messages[1].tool_calls[0].id', /'x'/],
  [
    'one of two calls without its result',
    [user('a'), assistant(call('x'), call('y')), result('x'), assistant('b'), user('c')],
    'messages[1].tool_calls[1].id',
    /'y'/,
  ],
  [
    'a result given twice',
    [user('a'), assistant(call('x')), result('x'), result('x')],
    'messages[3].tool_call_id',
    /second time/,
  ],
];
for (const [name, messages, param, words] of UNPAIRED) {
  test(`${name} is refused with its path and id`, () => {
    assert.throws(
      () => encode({ messages }),
      (error) =>
        error instanceof GatewayError &&
        error.kind === 'invalid_request' &&
        error.param === param &&
        words.test(error.message),
    );
  });
}

test('a tool result keeps its images and its failure', () => {
  const image: Part = { type: 'image', source: { kind: 'url', url: 'https://x.test/a.png' } };
  const answer: Message = {
    role: 'tool',
    parts: [
      {
        type: 'tool_result',
        callId: 'a',
        isError: true,
        parts: [{ type: 'text', text: 'no' }, image as never],
      },
    ],
  };
  const sent = turns([user('go'), assistant(call('a')), answer]) as { content: unknown }[];
  assert.deepEqual(sent[2]?.content, [
    {
      type: 'tool_result',
      tool_use_id: 'a',
      content: [text('no'), { type: 'image', source: { type: 'url', url: 'https://x.test/a.png' } }],
      is_error: true,
    },
  ]);
});

test('cache hints become cache_control on texts, tools and results', () => {
  const hinted: Part = { type: 'text', text: 'long', cacheHint: { ttl: '1h' } };
  const { body } = encode({
    messages: [message('system', hinted), user('a')],
    tools: [{ ...LOOK, cacheHint: {} }],
  });
  assert.deepEqual(body['system'], [{ ...text('long'), cache_control: { type: 'ephemeral', ttl: '1h' } }]);
  assert.deepEqual((body['tools'] as object[])[0], {
    name: 'look',
    input_schema: LOOK.schema,
    cache_control: { type: 'ephemeral' },
  });
});

test('participants’ names, foreign fields of messages and of the request are named as dropped', () => {
  const { dropped } = encode({
    messages: [
      { ...user('a'), name: 'ann' },
      { ...assistant('b'), extra: { dialect: 'chat', fields: { audio: { id: '1' } } } },
      user('c'),
    ],
    extra: { dialect: 'chat', fields: { store: true, metadata: { a: 'b' } } },
  });
  assert.deepEqual(dropped, ['messages[1].audio', 'messages[0].name', 'store', 'metadata']);
});

test('a block that only another dialect knows is left out and named', () => {
  const foreign: Part = { type: 'opaque', dialect: 'responses', value: { type: 'computer_call' } };
  const said: Part = { type: 'text', text: 'b' };
  const { body, dropped } = encode({
    messages: [user('a'), { role: 'assistant', parts: [said, foreign] }, user('c')],
  });
  assert.deepEqual(body['messages'], [
    { role: 'user', content: [text('a')] },
    { role: 'assistant', content: [text('b')] },
    { role: 'user', content: [text('c')] },
  ]);
  assert.deepEqual(dropped, ['messages[1].content[1]']);
});

test('a caller of this dialect keeps system messages between turns', () => {
  const { body } = encode({
    dialect: 'messages',
    messages: [message('system', 'A'), user('a'), message('system', 'B')],
  });
  assert.deepEqual(body['system'], [text('A')]);
  assert.deepEqual(body['messages'], [
    { role: 'user', content: [text('a')] },
    { role: 'system', content: [text('B')] },
  ]);
});

test('the conversation that is encoded is left as it was', () => {
  const given = conversation({
    messages: [user('go'), assistant(call('a')), result('a'), assistant('done  ')],
  });
  const before = structuredClone(given);
  encode(given);
  assert.deepEqual(given, before);
});
