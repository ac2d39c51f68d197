import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CompletionCollector, collectEvents } from '../../../src/conversation/collect.ts';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import type { ErrorKind } from '../../../src/conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import type { StreamMessage } from '../../../src/dialects/dialect.ts';

const DONE: StreamMessage = { data: '[DONE]' };

function chunk(choices: JsonValue, more: JsonObject = {}): StreamMessage {
  return {
    data: JSON.stringify({
      id: 'c-1',
      object: 'chat.completion.chunk',
      created: 1,
      model: 'm',
      choices,
      ...more,
    }),
  };
}

function delta(fields: JsonObject, finish: JsonValue = null): StreamMessage {
  return chunk([{ index: 0, delta: fields, finish_reason: finish }]);
}

function toolDelta(...calls: JsonObject[]): StreamMessage {
  return delta({ tool_calls: calls });
}

function eventsOf(messages: StreamMessage[]): CompletionEvent[] {
  const decoder = chat.streamDecoder();
  return [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
}

/** Reads a stream, and holds the decoder to the order that events must have. */
function read(...messages: StreamMessage[]): CompletionCollector {
  const events = eventsOf(messages);
  assertWellFormed(events);
  return collectEvents(events);
}

function assertWellFormed(events: CompletionEvent[]): void {
  const open = new Set<string>();
  const finished = new Set<number>();
  for (const [at, event] of events.entries()) {
    assert.equal(event.type === 'start', at === 0 && events[0]?.type !== 'error');
    assert.equal(event.type === 'end' || event.type === 'error', at === events.length - 1);
    if (event.type === 'part_start') open.add(`${event.choice} ${event.part}`);
    if (event.type === 'part_delta') assert.ok(open.has(`${event.choice} ${event.part}`));
    if (event.type === 'part_end') assert.ok(open.delete(`${event.choice} ${event.part}`));
    if (event.type === 'finish') {
      assert.ok(![...open].some((key) => key.startsWith(`${event.choice} `)));
      assert.ok(!finished.has(event.choice));
      finished.add(event.choice);
    }
  }
}

function partsOf(...messages: StreamMessage[]): Part[] | undefined {
  const { completion, error } = read(...messages);
  assert.equal(error, undefined);
  return completion.choices[0]?.parts;
}

const call = (id: string, name: string, args: string): Part => {
  return { type: 'tool_call', id, kind: 'function', name, arguments: args };
};

test('a plain stream of OpenAI adds up to its answer', () => {
  const { completion, ended } = read(
    delta({ role: 'assistant', content: '', refusal: null }),
    delta({ content: 'Hel' }),
    delta({ content: 'lo' }),
    delta({}, 'stop'),
    chunk([], { usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } }),
    DONE,
  );
  assert.ok(ended);
  assert.deepEqual(completion, {
    id: 'c-1',
    model: 'm',
    created: 1,
    choices: [{ index: 0, parts: [{ type: 'text', text: 'Hello' }], finish: 'stop' }],
    usage: { ...NO_USAGE, input: 3, output: 2 },
  });
});

test("Azure's first chunk has neither choices nor an id, and later ones no delta", () => {
  const filter = [{ prompt_index: 0, content_filter_results: {} }];
  const { completion, error } = read(
    {
      data: JSON.stringify({
        id: '',
        model: '',
        created: 0,
        object: '',
        choices: [],
        prompt_filter_results: filter,
      }),
    },
    delta({ role: 'assistant', content: 'Hi' }),
    chunk([{ index: 0, finish_reason: null, content_filter_offsets: { check_offset: 4 } }]),
    delta({}, 'stop'),
    DONE,
  );
  assert.equal(error, undefined);
  assert.equal(completion.id, 'c-1');
  assert.equal(completion.created, 1);
  assert.deepEqual(completion.extra?.fields, { prompt_filter_results: filter });
  assert.deepEqual(completion.choices[0]?.extra?.fields, { content_filter_offsets: { check_offset: 4 } });
});

const NO_CHOICES: JsonValue[] = [null, {}, 'x', [null], [1]];

for (const choices of NO_CHOICES) {
  test(`choices that are ${JSON.stringify(choices)} are passed over`, () => {
    assert.deepEqual(
      partsOf(chunk(choices), delta({ content: 'Hi' }), chunk(choices), delta({}, 'stop'), DONE),
      [{ type: 'text', text: 'Hi' }],
    );
  });
}

const SAME_CALLS: [what: string, messages: StreamMessage[]][] = [
  [
    'OpenAI',
    [
      toolDelta({ index: 0, id: 'a', type: 'function', function: { name: 'get', arguments: '' } }),
      toolDelta({ index: 0, function: { arguments: '{"x"' } }),
      toolDelta({ index: 0, function: { arguments: ':1}' } }),
      toolDelta({ index: 1, id: 'b', type: 'function', function: { name: 'set', arguments: '' } }),
      toolDelta({ index: 1, function: { arguments: '{}' } }),
    ],
  ],
  [
    'whole calls in one chunk',
    [
      toolDelta(
        { index: 0, id: 'a', function: { name: 'get', arguments: '{"x":1}' } },
        { index: 1, id: 'b', function: { name: 'set', arguments: '{}' } },
      ),
    ],
  ],
  [
    'without index (Mistral)',
    [
      toolDelta(
        { id: 'a', function: { name: 'get', arguments: '{"x":1}' } },
        { id: 'b', function: { name: 'set', arguments: '{}' } },
      ),
    ],
  ],
  [
    'without index, in pieces',
    [
      toolDelta({ id: 'a', function: { name: 'get', arguments: '{"x"' } }),
      toolDelta({ function: { arguments: ':1}' } }),
      toolDelta({ id: 'b', function: { name: 'set', arguments: '{' } }),
      toolDelta({ id: 'b', function: { arguments: '}' } }),
    ],
  ],
  [
    'every call numbered 0',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x":1}' } }),
      toolDelta({ index: 0, id: 'b', function: { name: 'set', arguments: '{}' } }),
    ],
  ],
  [
    'every call numbered 0, in pieces',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      toolDelta({ index: 0, id: 'b', function: { name: 'set', arguments: '' } }),
      toolDelta({ index: 0, function: { arguments: '{}' } }),
    ],
  ],
  [
    'every call numbered 0, known by their ids',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x"' } }),
      toolDelta({ index: 0, id: 'b', function: { name: 'set', arguments: '{' } }),
      toolDelta({ index: 0, id: 'a', function: { arguments: ':1}' } }),
      toolDelta({ index: 0, id: 'b', function: { arguments: '}' } }),
    ],
  ],
  [
    'every call numbered 0, names behind the ids',
    [
      toolDelta({ index: 0, id: 'a' }),
      toolDelta({ index: 0, function: { name: 'get', arguments: '{"x":1}' } }),
      toolDelta({ index: 0, id: 'b' }),
      toolDelta({ index: 0, function: { name: 'set' } }),
      toolDelta({ index: 0, function: { arguments: '{}' } }),
    ],
  ],
  [
    'new ids that mean nothing behind the end of a call',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x":1}' } }),
      toolDelta({ index: 0, id: 'a2', function: { arguments: '' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{}' } }),
    ],
  ],
  [
    'name and id late',
    [
      toolDelta({ index: 0, function: { name: null, arguments: '{"x"' } }),
      toolDelta({ index: 0, function: { name: 'get', arguments: ':1' } }),
      toolDelta({ index: 0, id: 'a', function: { arguments: '}' } }),
      toolDelta({ index: 1, id: 'b', function: { arguments: '{}' } }),
      toolDelta({ index: 1, function: { name: 'set' } }),
    ],
  ],
  [
    'name and id in pieces',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'g' } }),
      toolDelta({ index: 0, function: { name: 'et' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 's' } }),
      toolDelta({ index: 1, function: { name: 'et', arguments: '{}' } }),
    ],
  ],
  [
    'name and id in every delta',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '' } }),
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x"' } }),
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: ':1}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{}' } }),
      toolDelta({ index: 1, id: '', function: { name: '', arguments: '' } }),
    ],
  ],
  [
    'cumulative arguments',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{' } }),
      toolDelta({ index: 0, function: { arguments: '{"x"' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{}' } }),
    ],
  ],
  [
    'cumulative arguments, cut within words',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"' } }),
      toolDelta({ index: 0, function: { arguments: '{"x' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{}' } }),
    ],
  ],
  [
    'cumulative arguments that could be nested ones',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x":' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{}' } }),
    ],
  ],
  [
    'whole arguments once more at the end',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x":' } }),
      toolDelta({ index: 0, function: { arguments: '1}' } }),
      toolDelta({ index: 0, function: { arguments: '{"x":1}' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{}' } }),
      toolDelta({ index: 1, function: { arguments: '{}' } }),
    ],
  ],
  [
    'arguments as objects',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: { x: 1 } } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: {} } }),
    ],
  ],
  [
    'deltas of parallel calls in between each other',
    [
      toolDelta({ index: 0, id: 'a', function: { name: 'get', arguments: '{"x"' } }),
      toolDelta({ index: 1, id: 'b', function: { name: 'set', arguments: '{' } }),
      toolDelta({ index: 0, function: { arguments: ':1}' } }, { index: 1, function: { arguments: '}' } }),
    ],
  ],
];

for (const [what, messages] of SAME_CALLS) {
  test(`tool calls are put together: ${what}`, () => {
    const { completion } = read(...messages, delta({}, 'tool_calls'), DONE);
    const [choice] = completion.choices;
    assert.deepEqual(choice?.parts, [call('a', 'get', '{"x":1}'), call('b', 'set', '{}')]);
    assert.equal(choice?.finish, 'tool_calls');
  });
}

test('arguments that hold themselves are no repetition', () => {
  const nested = ['{"a":', '{"a":', '{}}}'];
  const quoted = ['{"code":"', '{\\"code\\":\\"x\\"}', '"}'];
  const inString = ['{"', '{"', ':1}'];
  for (const pieces of [nested, quoted, inString]) {
    const messages = pieces.map((piece, at) =>
      toolDelta({ index: 0, ...(at === 0 ? { id: 'a' } : {}), function: { name: 'f', arguments: piece } }),
    );
    assert.deepEqual(partsOf(...messages, delta({}, 'tool_calls')), [call('a', 'f', pieces.join(''))]);
  }
});

test('a call without id gets one, a call without arguments none', () => {
  assert.deepEqual(partsOf(toolDelta({ index: 0, function: { name: 'f' } }), delta({}, 'stop'), DONE), [
    call('call_c-1_0_0', 'f', ''),
  ]);
});

test('calls that are all numbered 0 are kept apart where one id begins like another', () => {
  for (const pieces of [['{"x":1}'], ['', '{"x":1}'], ['', '{"x"', ':1}']]) {
    const messages = ['call_1', 'call_10'].flatMap((id) =>
      pieces.map((piece, at) =>
        toolDelta({
          index: 0,
          ...(at === 0 && { id }),
          function: { ...(at === 0 && { name: 'f' }), arguments: piece },
        }),
      ),
    );
    assert.deepEqual(partsOf(...messages, delta({}, 'tool_calls')), [
      call('call_1', 'f', '{"x":1}'),
      call('call_10', 'f', '{"x":1}'),
    ]);
  }
});

test('calls without ids that are all numbered 0 are kept apart by their names, or by arguments that are whole', () => {
  for (const id of [undefined, '', null]) {
    const parts = partsOf(
      toolDelta({ index: 0, id, function: { name: 'f', arguments: '{"x":1}' } }),
      toolDelta({ index: 0, id, function: { name: 'f', arguments: '{"x":2}' } }),
      toolDelta({ index: 0, id, function: { name: 'g', arguments: '' } }),
      toolDelta({ index: 0, id, function: { arguments: '{}' } }),
      delta({}, 'tool_calls'),
    );
    assert.deepEqual(parts, [
      call('call_c-1_0_0', 'f', '{"x":1}'),
      call('call_c-1_0_1', 'f', '{"x":2}'),
      call('call_c-1_0_2', 'g', '{}'),
    ]);
  }
});

test('calls of one id are kept apart by their numbers', () => {
  const parts = partsOf(
    toolDelta({ index: 0, id: 'a', function: { name: 'f', arguments: '{"x"' } }),
    toolDelta({ index: 1, id: 'a', function: { name: 'f', arguments: '{"y"' } }),
    toolDelta({ index: 0, id: 'a', function: { name: 'f', arguments: ':1}' } }),
    toolDelta({ index: 1, id: 'a', function: { name: 'f', arguments: ':2}' } }),
    delta({}, 'tool_calls'),
  );
  assert.deepEqual(parts, [call('a', 'f', '{"x":1}'), call('a', 'f', '{"y":2}')]);
});

test('a call that says nothing at all is none', () => {
  for (const empty of [
    { tool_calls: [{ index: 0, function: {} }] },
    { tool_calls: [{ index: 0, id: '', type: 'function', function: { name: '', arguments: '' } }] },
    { function_call: { name: '', arguments: '' } },
    { function_call: { name: null, arguments: null } },
  ]) {
    const { completion } = read(delta({ content: 'Hi', ...empty }), delta({}, 'stop'), DONE);
    assert.deepEqual(completion.choices[0]?.parts, [{ type: 'text', text: 'Hi' }]);
    assert.equal(completion.choices[0]?.finish, 'stop');
  }
});

test('free text of a custom tool may repeat itself', () => {
  assert.deepEqual(
    partsOf(
      toolDelta({ index: 0, id: 'a', type: 'custom', custom: { name: 'sh', input: '' } }),
      toolDelta({ index: 0, custom: { input: '{}' } }),
      toolDelta({ index: 0, custom: { input: '{}' } }),
      delta({}, 'tool_calls'),
    ),
    [{ type: 'tool_call', id: 'a', kind: 'custom', name: 'sh', arguments: '{}{}' }],
  );
});

test('a deprecated function call is a tool call', () => {
  const parts = partsOf(
    delta({ role: 'assistant', function_call: { name: 'f', arguments: '' } }),
    delta({ function_call: { arguments: '{}' } }),
    delta({}, 'function_call'),
  );
  assert.deepEqual(parts, [call('call_c-1_0_0', 'f', '{}')]);
});

test('a server that says its call in both forms means one', () => {
  const both = (name: string | undefined, piece: string): JsonObject => {
    const said = { ...(name !== undefined && { name }), arguments: piece };
    const id = name === undefined ? {} : { id: 'a' };
    return { function_call: said, tool_calls: [{ index: 0, ...id, function: said }] };
  };
  assert.deepEqual(
    partsOf(
      delta(both('f', '')),
      delta(both(undefined, '{"x":')),
      delta(both(undefined, '1}')),
      delta({}, 'tool_calls'),
    ),
    [call('a', 'f', '{"x":1}')],
  );
});

const REASONING: [what: string, deltas: JsonObject[]][] = [
  ['reasoning_content', [{ reasoning_content: 'H' }, { reasoning_content: 'm', content: null }]],
  ['reasoning', [{ reasoning: 'H', content: '' }, { reasoning: 'm' }]],
  ['reasoning as an object', [{ reasoning: { content: 'H' } }, { reasoning: { text: 'm' } }]],
  [
    'a thinking chunk',
    [
      { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'H' }] }] },
      { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'm' }, {}] }] },
    ],
  ],
];

for (const [what, deltas] of REASONING) {
  test(`${what} in a stream is reasoning, and ends where the text begins`, () => {
    const messages = [...deltas, { content: 'Yes', reasoning_content: '' }].map((fields) => delta(fields));
    assert.deepEqual(partsOf(...messages, delta({}, 'stop')), [
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Yes' },
    ]);
  });
}

test('reasoning details are joined to what the whole answer would have', () => {
  const piece = (fields: JsonObject): JsonObject => ({ type: 'reasoning.text', index: 0, ...fields });
  const parts = partsOf(
    delta({ reasoning: 'H', reasoning_details: [piece({ text: 'H' })] }),
    delta({ reasoning: 'm', reasoning_details: [piece({ text: 'm' })] }),
    delta({ content: '', reasoning: null, reasoning_details: [piece({ signature: 's', format: 'x' })] }),
    delta({ content: 'Yes', reasoning: null, reasoning_details: [] }),
    delta({}, 'stop'),
  );
  const details = [{ type: 'reasoning.text', index: 0, text: 'Hm', signature: 's', format: 'x' }];
  assert.deepEqual(parts?.[0], {
    type: 'reasoning',
    text: 'Hm',
    extra: { dialect: 'chat', fields: { reasoning_details: details } },
  });
});

test('details that come at the end repeat the reasoning that came before, and add none', () => {
  const detail = { type: 'reasoning.text', index: 0, text: 'Hm', signature: 's', format: 'x' };
  const parts = partsOf(
    delta({ reasoning_content: 'H' }),
    delta({ reasoning_content: 'm' }),
    delta({ reasoning_details: [detail] }),
    delta({ content: 'Yes' }, 'stop'),
  );
  assert.deepEqual(parts?.[0], {
    type: 'reasoning',
    text: 'Hm',
    extra: { dialect: 'chat', fields: { reasoning_details: [detail] } },
  });
});

test('the signature of a text does not end it: citations that come after it are of that text', () => {
  const detail = { type: 'reasoning.text', index: 0, signature: 's', format: 'google-gemini-v1' };
  const parts = partsOf(
    delta({ content: 'Yes' }),
    delta({ reasoning_details: [detail] }),
    delta({
      annotations: [{ type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A' } }],
    }),
    delta({}, 'stop'),
  );
  assert.deepEqual(parts, [
    { type: 'text', text: 'Yes', citations: [{ url: 'https://a.example', title: 'A' }] },
    { type: 'reasoning', text: '', extra: { dialect: 'chat', fields: { reasoning_details: [detail] } } },
  ]);
});

test('refusals, log probabilities, images, citations and audio are read', () => {
  const logprob = (token: string): JsonObject => ({ token, logprob: -1, bytes: null, top_logprobs: [] });
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const { completion } = read(
    chunk([{ index: 0, delta: { content: 'Hi' }, logprobs: { content: [logprob('H')], refusal: null } }]),
    chunk([{ index: 0, delta: {}, logprobs: { content: [logprob('i')] } }]),
    delta({
      annotations: [{ type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A' } }],
    }),
    delta({ annotations: [{ type: 'file', file: { hash: 'h' } }] }),
    delta({ refusal: 'N' }),
    delta({ refusal: 'o' }),
    delta({ images: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } }] }),
    delta({ audio: { id: 'audio_1', transcript: 'Ye' } }),
    delta({ audio: { data: base64('ab') } }),
    delta({ audio: { data: base64('c'), transcript: 's' } }),
    delta({ audio: { expires_at: 9 } }),
    delta({}, 'stop'),
    DONE,
  );
  const [choice] = completion.choices;
  assert.deepEqual(choice?.logprobs, { content: [logprob('H'), logprob('i')], refusal: null });
  assert.deepEqual(choice?.parts, [
    { type: 'text', text: 'Hi' },
    { type: 'refusal', text: 'No' },
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' } },
    {
      type: 'audio',
      source: { kind: 'data', mediaType: 'application/octet-stream', base64: base64('abc') },
      extra: { dialect: 'chat', fields: { id: 'audio_1', expires_at: 9, transcript: 'Yes' } },
    },
  ]);
  const message = choice?.extra?.fields['message'];
  assert.equal(
    isObject(message) && Array.isArray(message['annotations']) && message['annotations'].length,
    2,
  );
});

test('citations of the text that is still open are its own', () => {
  const cited = { start_index: 0, end_index: 2, url: 'https://a.example', title: 'A' };
  const parts = partsOf(
    delta({ content: 'Hi' }),
    delta({ annotations: [{ type: 'url_citation', url_citation: cited }] }),
    delta({}, 'stop'),
  );
  assert.deepEqual(parts, [
    { type: 'text', text: 'Hi', citations: [{ url: 'https://a.example', title: 'A', start: 0, end: 2 }] },
  ]);
});

test('choices in between each other are kept apart', () => {
  const say = (index: number, content: string): JsonObject => ({ index, delta: { content } });
  const { completion } = read(
    chunk([say(1, 'b'), say(0, 'a')]),
    chunk([say(0, 'A'), say(1, 'B')]),
    chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]),
    chunk([say(1, '!'), { index: 1, delta: {}, finish_reason: 'length' }]),
    DONE,
  );
  assert.deepEqual(
    completion.choices.map(({ index, parts, finish }) => [index, parts, finish]),
    [
      [0, [{ type: 'text', text: 'aA' }], 'stop'],
      [1, [{ type: 'text', text: 'bB!' }], 'length'],
    ],
  );
});

test('a finish reason counts though it is repeated, cleared again, or followed by more', () => {
  const { completion, error } = read(
    delta({ role: '', content: 'a' }, ''),
    delta({ content: 'b' }, 'length'),
    delta({ content: 'c' }, 'length'),
    delta({}, null),
  );
  assert.equal(error, undefined);
  assert.deepEqual(completion.choices[0]?.parts, [{ type: 'text', text: 'abc' }]);
  assert.equal(completion.choices[0]?.finish, 'length');
});

test('a stream that never says why it ended is complete with [DONE]', () => {
  const { completion, ended } = read(delta({ content: 'Hi' }, ''), DONE);
  assert.ok(ended);
  assert.equal(completion.choices[0]?.finish, 'stop');
});

test('what comes behind the end is not read', () => {
  assert.deepEqual(partsOf(delta({ content: 'Hi' }, 'stop'), DONE, delta({ content: '!' }), DONE), [
    { type: 'text', text: 'Hi' },
  ]);
});

test('a server that does not stream may answer with one event', () => {
  const message = {
    role: 'assistant',
    content: 'Hi',
    tool_calls: [{ id: 'a', function: { name: 'f', arguments: '{}' } }],
  };
  assert.deepEqual(partsOf(chunk([{ index: 0, message, finish_reason: 'stop' }])), [
    { type: 'text', text: 'Hi' },
    call('a', 'f', '{}'),
  ]);
});

test('usage is read from every place it stands in, and the newest counts', () => {
  const usage = (output: number): JsonObject => ({ prompt_tokens: 1, completion_tokens: output });
  const say = (more: JsonObject, choice: JsonObject = {}): StreamMessage =>
    chunk([{ index: 0, delta: { content: 'x' }, ...choice }], more);
  const ends = [
    [say({ usage: usage(1) }), say({ usage: usage(2) }), say({ usage: null })],
    [say({}), say({}, { usage: usage(2) })],
    [say({}), say({ x_groq: { id: 'r', usage: usage(2) } })],
    [say({}), chunk([], { usage: usage(2) })],
  ];
  for (const messages of ends) {
    const { completion } = read(...messages, delta({}, 'stop'));
    assert.deepEqual(completion.usage, { ...NO_USAGE, input: 1, output: 2 });
  }
});

const BROKEN: [what: string, messages: StreamMessage[]][] = [
  ['nothing at all', []],
  ['no chunk before [DONE]', [DONE]],
  ['text', [delta({ content: 'Hi' })]],
  [
    'one of two choices finished',
    [delta({ content: 'Hi' }, 'stop'), chunk([{ index: 1, delta: { content: 'x' } }])],
  ],
];

for (const [what, messages] of BROKEN) {
  test(`a stream that ends after ${what} broke off`, () => {
    const { error, ended } = read(...messages);
    assert.equal(ended, false);
    assert.equal(error?.kind, 'upstream_unavailable');
    assert.match(String(error?.message), /ended its stream/);
  });
}

const ERRORS: [what: string, message: StreamMessage, kind: ErrorKind, words: string][] = [
  [
    "OpenAI's",
    { data: '{"error":{"message":"Boom","type":"server_error"}}' },
    'upstream_unavailable',
    'Boom',
  ],
  ['a text', { data: '{"error":"Boom"}' }, 'upstream_unavailable', 'Boom'],
  ['a JSON text', { event: 'error', data: '"Boom"' }, 'upstream_unavailable', 'Boom'],
  ['a bare text', { data: 'Boom' }, 'upstream_unavailable', 'Boom'],
  ['a list', { data: '[{"error":{"message":"Boom","code":503}}]' }, 'upstream_unavailable', 'Boom'],
  ['an error event', { event: 'error', data: '{"message":"Boom"}' }, 'upstream_unavailable', 'Boom'],
  ["vLLM's", { data: '{"object":"error","message":"Boom","code":400}' }, 'upstream_rejected', 'Boom'],
  [
    'a message with a code',
    { data: '{"message":"Boom","code":"rate_limit_exceeded"}' },
    'upstream_rate_limited',
    'Boom',
  ],
  ['a numeric code', { data: '{"error":{"message":"Boom","code":429}}' }, 'upstream_rate_limited', 'Boom'],
  [
    'a rejected request',
    { data: '{"error":{"message":"Boom","type":"invalid_request_error"}}' },
    'upstream_rejected',
    'Boom',
  ],
  [
    'a refused credential',
    { data: '{"error":{"message":"Bad key sk-123","code":401}}' },
    'upstream_unavailable',
    "The provider did not accept the gateway's own credentials.",
  ],
  [
    'an error within a choice',
    chunk([{ index: 0, error: { message: 'Boom', code: 504 } }]),
    'upstream_timeout',
    'Boom',
  ],
  [
    'an error beside choices',
    chunk([{ index: 0, delta: { content: '' } }], { error: { message: 'Boom', code: 400 } }),
    'upstream_rejected',
    'Boom',
  ],
];

for (const [what, message, kind, words] of ERRORS) {
  test(`an error in a stream is read first or later, and nothing after it: ${what}`, () => {
    for (const before of [[], [delta({ content: 'Hi' }, 'stop')]]) {
      const events = eventsOf([...before, message, delta({ content: '!' }), DONE]);
      const errors = events.filter((event) => event.type === 'error');
      assert.equal(errors.length, 1);
      const last = events.at(-1);
      assert.ok(last?.type === 'error');
      assert.equal(last.error.kind, kind);
      assert.equal(last.error.message, words);
    }
  });
}

test('what was counted before an error is accounted', () => {
  const usage = { prompt_tokens: 43, completion_tokens: 10 };
  const { completion, error } = read(delta({ content: 'x' }), {
    data: JSON.stringify({ choices: [], error: { message: 'Token limit', code: 400 }, usage }),
  });
  assert.equal(error?.kind, 'upstream_rejected');
  assert.deepEqual(completion.usage, { ...NO_USAGE, input: 43, output: 10 });
});

test('top-level fields are kept, also those that come late; padding is not', () => {
  const { completion } = read(
    chunk([{ index: 0, delta: { content: 'x' } }], {
      service_tier: 'flex',
      obfuscation: 'abc',
      system_fingerprint: null,
    }),
    chunk([{ index: 0, delta: {}, finish_reason: 'stop' }], { x_groq: { id: 'r' }, service_tier: null }),
    DONE,
  );
  assert.deepEqual(completion.extra?.fields, {
    service_tier: 'flex',
    system_fingerprint: null,
    x_groq: { id: 'r' },
  });
});

test('usage that comes before the first choice is kept until the answer begins', () => {
  const decoder = chat.streamDecoder();
  const chunks = [
    '{"id":"a","model":"m","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":0}}',
    '{"id":"a","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}',
    '[DONE]',
  ];
  const events = chunks.flatMap((data) => decoder.push({ data }));
  assert.equal(events[0]?.type, 'start');
  const usages = events.flatMap((event) => (event.type === 'usage' ? [event.usage] : []));
  assert.equal(usages.length, 1);
  assert.equal(usages[0]?.input, 7);
});
