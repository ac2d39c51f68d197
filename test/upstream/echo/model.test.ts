import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents } from '../../../src/conversation/collect.ts';
import type { Choice } from '../../../src/conversation/completion.ts';
import type { Conversation, Message, Part, Tool } from '../../../src/conversation/conversation.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { answerConversation } from '../../../src/upstream/echo/model.ts';
import { streamEvents } from '../../../src/upstream/echo/stream-events.ts';
import { countWords } from '../../../src/upstream/echo/words.ts';
import { anyWords } from '../../support/any-text.ts';

const TRIP_SCHEMA: JsonObject = {
  type: 'object',
  properties: { city: { type: 'string' }, days: { type: 'integer', minimum: 3 } },
  required: ['city', 'days'],
  additionalProperties: false,
};
const GET_WEATHER: Tool = { type: 'function', name: 'get_weather', schema: TRIP_SCHEMA };
const GET_TIME: Tool = { type: 'function', name: 'get_time' };
const TOOLS = [GET_WEATHER, GET_TIME];

function says(role: Message['role'], ...parts: (Part | string)[]): Message {
  return {
    role,
    parts: parts.map((part): Part => (typeof part === 'string' ? { type: 'text', text: part } : part)),
  };
}

function conversation(messages: Message[] | string, rest: Partial<Conversation> = {}): Conversation {
  return {
    dialect: 'chat',
    model: 'echo',
    stream: false,
    messages: typeof messages === 'string' ? [says('user', messages)] : messages,
    tools: [],
    parameters: {},
    ...rest,
  };
}

function answer(messages: Message[] | string, rest: Partial<Conversation> = {}): Choice {
  const [choice] = answerConversation(conversation(messages, rest)).choices;
  assert.ok(choice);
  return choice;
}

function textOf(choice: Choice): string {
  return choice.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function callsOf(choice: Choice): [name: string, args: string][] {
  return choice.parts.flatMap((part) => (part.type === 'tool_call' ? [[part.name, part.arguments]] : []));
}

test('the answer repeats the last words of the user and says that it is an echo', () => {
  const messages = [
    says('system', 'Be brief.'),
    says('user', 'One'),
    says('assistant', 'Two'),
    says('user', 'Three'),
  ];
  const choice = answer(messages);
  assert.deepEqual(choice, { index: 0, parts: [{ type: 'text', text: 'Echo: Three' }], finish: 'stop' });
});

test('media are named, not repeated', () => {
  const message = says(
    'user',
    'See',
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'AAAA' } },
    { type: 'image', source: { kind: 'url', url: 'https://example.com/cat.jpg' } },
    { type: 'audio', source: { kind: 'data', mediaType: 'audio/wav', base64: 'AAAA' } },
    { type: 'file', filename: 'report.pdf', source: { kind: 'fileId', fileId: 'file-1', dialect: 'chat' } },
  );
  assert.equal(
    textOf(answer([message])),
    'Echo: See\n[image image/png]\n[image https://example.com/cat.jpg]\n[audio audio/wav]\n[file report.pdf]',
  );
});

test('a conversation without a user is answered too', () => {
  assert.equal(textOf(answer([says('system', 'Hello')])), 'Echo: ');
});

test('the model in the answer is the one that was asked for', () => {
  assert.equal(answerConversation(conversation('Hi', { model: 'echo-2' })).model, 'echo-2');
});

test('the same conversation gets the same answer, another one another id', () => {
  const first = answerConversation(conversation('Hi', { tools: TOOLS }));
  assert.deepEqual(answerConversation(conversation('Hi', { tools: TOOLS })), first);
  assert.deepEqual(answerConversation(conversation('Hi', { tools: TOOLS, stream: true })), first);
  assert.notEqual(answerConversation(conversation('Hello')).id, first.id);
});

test('a tool whose name the user says is called with arguments that fit its schema', () => {
  const choice = answer('Please use get_weather.', { tools: TOOLS });
  assert.deepEqual(callsOf(choice), [['get_weather', '{"city":"Please use get_weather.","days":3}']]);
  assert.equal(choice.finish, 'tool_calls');
});

test('a name counts only as a word by itself', () => {
  for (const text of ['get_weather_now', 'forget_weather', 'get_weather-2', 'Get_weather', 'éget_weather']) {
    assert.deepEqual(callsOf(answer(text, { tools: TOOLS })), [], text);
  }
  for (const text of ['get_weather', '(get_weather)', 'forget_weather get_weather!', '“get_weather”']) {
    assert.equal(callsOf(answer(text, { tools: TOOLS })).length, 1, text);
  }
});

test('several tools are called in parallel, each call with its own id', () => {
  const { parts } = answer('get_time and get_weather', { tools: TOOLS });
  const calls = parts.filter((part) => part.type === 'tool_call');
  assert.deepEqual(
    calls.map(({ name }) => name),
    ['get_weather', 'get_time'],
  );
  assert.equal(new Set(calls.map(({ id }) => id)).size, 2);
});

test('one tool is called where parallel calls are not wanted', () => {
  const choice = answer('get_time and get_weather', { tools: TOOLS, parallelToolCalls: false });
  assert.deepEqual(
    callsOf(choice).map(([name]) => name),
    ['get_weather'],
  );
});

const CHOICES: [what: string, text: string, toolChoice: Conversation['toolChoice'], called: string[]][] = [
  ['none: no call', 'get_time', { type: 'none' }, []],
  ['required: the first tool', 'Hi', { type: 'required' }, ['get_weather']],
  ['required: rather a tool that is named', 'get_time', { type: 'required' }, ['get_time']],
  ['a tool: that tool', 'get_weather', { type: 'tool', name: 'get_time' }, ['get_time']],
  ['allowed: none of the others', 'get_weather', { type: 'allowed', mode: 'auto', names: ['get_time'] }, []],
  ['allowed and required', 'Hi', { type: 'allowed', mode: 'required', names: ['get_time'] }, ['get_time']],
];

for (const [what, text, toolChoice, called] of CHOICES) {
  test(`tool choice ${what}`, () => {
    const choice = answer(text, { tools: TOOLS, ...(toolChoice ? { toolChoice } : {}) });
    assert.deepEqual(
      callsOf(choice).map(([name]) => name),
      called,
    );
  });
}

test('a demanded tool that is not there is refused', () => {
  const demands: [Tool[], Conversation['toolChoice'] & object][] = [
    [TOOLS, { type: 'tool', name: 'get_news' }],
    [[], { type: 'required' }],
    [[{ type: 'opaque', dialect: 'chat', value: { type: 'web_search' } }], { type: 'required' }],
    [TOOLS, { type: 'allowed', mode: 'auto', names: ['get_news'] }],
    [TOOLS, { type: 'opaque', dialect: 'chat', value: {} }],
  ];
  for (const [tools, toolChoice] of demands) {
    assert.throws(() => answer('Hi', { tools, toolChoice }), {
      kind: 'invalid_request',
      param: 'tool_choice',
    });
  }
});

test('a tool whose schema cannot be filled is refused by its path', () => {
  const tools: Tool[] = [
    GET_TIME,
    { type: 'function', name: 'odd', schema: { type: 'string', pattern: '\\b' } },
  ];
  assert.throws(() => answer('odd', { tools }), { param: 'tools[1].function.parameters' });
  assert.equal(textOf(answer('even', { tools })), 'Echo: even');
});

test('a tool that takes free text gets the text, one that has a grammar is refused', () => {
  assert.deepEqual(callsOf(answer('run ls', { tools: [{ type: 'custom', name: 'run' }] })), [
    ['run', 'run ls'],
  ]);
  const tools: Tool[] = [{ type: 'custom', name: 'run', format: { type: 'grammar', grammar: {} } }];
  assert.throws(() => answer('run ls', { tools }), { param: 'tools[0].custom.format' });
});

const AFTER_TOOLS: Message[] = [
  says('user', 'get_weather and get_time'),
  says(
    'assistant',
    { type: 'tool_call', id: 'call_1', name: 'get_weather', kind: 'function', arguments: '{}' },
    { type: 'tool_call', id: 'call_2', name: 'get_time', kind: 'function', arguments: '{}' },
  ),
  says('tool', { type: 'tool_result', callId: 'call_1', parts: [{ type: 'text', text: '21 °C' }] }),
  says('tool', {
    type: 'tool_result',
    callId: 'call_2',
    parts: [{ type: 'text', text: 'no clock' }],
    isError: true,
  }),
];

test('after tool results the answer is text that says what the tools answered', () => {
  const choice = answer(AFTER_TOOLS, { tools: TOOLS });
  assert.equal(textOf(choice), 'Echo: get_weather answered: 21 °C\nget_time failed with: no clock');
  assert.equal(choice.finish, 'stop');
});

test('what the user adds to tool results is repeated too, and calls nothing', () => {
  const choice = answer([...AFTER_TOOLS, says('user', 'Not get_time again')], { tools: TOOLS });
  assert.match(textOf(choice), /get_time failed with: no clock\nNot get_time again$/);
});

test('a tool that must be called is called after tool results as well, with a new id', () => {
  const choice = answer(AFTER_TOOLS, { tools: TOOLS, toolChoice: { type: 'required' } });
  const [call] = choice.parts;
  assert.ok(call?.type === 'tool_call');
  const [before] = answer(AFTER_TOOLS.slice(0, 1), { tools: TOOLS }).parts;
  assert.ok(before?.type === 'tool_call');
  assert.notEqual(call.id, before.id);
});

test('a JSON schema is filled, with the text where it fits', () => {
  const choice = answer('Paris', {
    responseFormat: { type: 'json_schema', name: 'trip', schema: TRIP_SCHEMA },
  });
  assert.equal(textOf(choice), '{"city":"Paris","days":3}');
});

test('a schema that nothing fits is refused by its path', () => {
  const responseFormat = { type: 'json_schema', name: 'none', schema: { not: {} } } as const;
  assert.throws(() => answer('Hi', { responseFormat }), { param: 'response_format.json_schema.schema' });
});

test('a JSON object without a schema holds the echo', () => {
  assert.equal(
    textOf(answer('Say "hi"', { responseFormat: { type: 'json_object' } })),
    '{"echo":"Say \\"hi\\""}',
  );
});

test('asked to reason, it says first why it does not', () => {
  for (const reasoning of [{ effort: 'low' }, { budgetTokens: 1024 }, { budgetTokens: -1 }]) {
    assert.deepEqual(
      answer('Hi', { reasoning }).parts.map(({ type }) => type),
      ['reasoning', 'text'],
    );
  }
  for (const reasoning of [
    {},
    { effort: 'none' },
    { budgetTokens: 0 },
    { effort: 'high', includeText: false },
  ]) {
    assert.deepEqual(
      answer('Hi', { reasoning }).parts.map(({ type }) => type),
      ['text'],
    );
  }
});

test('the first stop sequence in the text ends it and is named', () => {
  const choice = answer('one two three', { parameters: { stop: ['three', 'two', ''] } });
  assert.equal(textOf(choice), 'Echo: one ');
  assert.equal(choice.finish, 'stop_sequence');
  assert.equal(choice.stopSequence, 'two');
});

test('the output limit cuts after so many words', () => {
  const choice = answer('one two three', { parameters: { maxOutputTokens: 2, stop: ['three'] } });
  assert.equal(textOf(choice), 'Echo: one ');
  assert.equal(choice.finish, 'length');
  assert.equal(choice.stopSequence, undefined);
});

test('reasoning uses up the output limit too', () => {
  const choice = answer('Hi', { parameters: { maxOutputTokens: 3 }, reasoning: { effort: 'high' } });
  assert.deepEqual(choice, { index: 0, parts: [{ type: 'reasoning', text: 'I am an ' }], finish: 'length' });
});

test('an answer that just fits is whole', () => {
  assert.equal(answer('one', { parameters: { maxOutputTokens: 2 } }).finish, 'stop');
});

test('as many choices are given as asked for', () => {
  const { choices, usage } = answerConversation(
    conversation('get_time', { tools: TOOLS, parameters: { n: 3 } }),
  );
  assert.deepEqual(
    choices.map(({ index }) => index),
    [0, 1, 2],
  );
  const ids = choices.flatMap(({ parts }) => parts.map((part) => (part.type === 'tool_call' ? part.id : '')));
  assert.equal(new Set(ids).size, 3);
  assert.equal(usage?.output, 3);
});

test('counts out of range are refused in the words of the caller', () => {
  for (const n of [0, 1.5, 129]) assert.throws(() => answer('Hi', { parameters: { n } }), { param: 'n' });
  for (const maxOutputTokens of [0, -1, 2.5]) {
    const spelling = { maxOutputTokens: 'max_tokens' };
    assert.throws(() => answer('Hi', { parameters: { maxOutputTokens }, spelling }), { param: 'max_tokens' });
    assert.throws(() => answer('Hi', { parameters: { maxOutputTokens } }), {
      param: 'max_completion_tokens',
    });
  }
});

test('usage counts words in and out, each in its bucket', () => {
  const messages = [
    says('system', 'Be very brief.'),
    says('user', 'one two', {
      type: 'audio',
      source: { kind: 'data', mediaType: 'audio/wav', base64: 'AAAA' },
    }),
  ];
  const tools: Tool[] = [{ type: 'function', name: 'a', description: 'does a thing' }];
  const { usage } = answerConversation(conversation(messages, { tools, reasoning: { effort: 'low' } }));
  assert.deepEqual(usage, {
    ...NO_USAGE,
    input: 3 + 2 + 4,
    inputAudio: 1,
    output: countWords('Echo: one two\n[audio audio/wav]'),
    reasoning: countWords('I am an echo. I do not think, I repeat what was said last.'),
  });
});

test('the events of the stream add up to the answer', () => {
  const conversations = fc.record({
    text: fc.oneof(anyWords(), fc.constant('get_time get_weather')),
    n: fc.integer({ min: 1, max: 3 }),
    effort: fc.constantFrom('none', 'low'),
    maxOutputTokens: fc.integer({ min: 1, max: 30 }),
    responseFormat: fc.constantFrom<NonNullable<Conversation['responseFormat']>>(
      { type: 'text' },
      { type: 'json_object' },
      { type: 'json_schema', name: 'trip', schema: TRIP_SCHEMA },
    ),
  });
  fc.assert(
    fc.property(conversations, ({ text, n, effort, maxOutputTokens, responseFormat }) => {
      const completion = answerConversation(
        conversation(text, {
          tools: TOOLS,
          parameters: { n, maxOutputTokens, stop: ['x'] },
          reasoning: { effort },
          responseFormat,
        }),
      );
      const collected = collectEvents(streamEvents(completion));
      assert.ok(collected.ended);
      assert.deepEqual(collected.completion, completion);
    }),
  );
});
