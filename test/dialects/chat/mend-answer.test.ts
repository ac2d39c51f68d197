import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passThrough } from '../../../src/dialects/chat/pass-through.ts';

const HEAD = '"id":"c","object":"chat.completion.chunk","created":1,"model":"m"';
const event = (choices: string, rest = '') => `data: {${HEAD},"choices":${choices}${rest}}\n\n`;
const chunk = (delta: string, finish = 'null') =>
  event(`[{"index":0,"delta":${delta},"finish_reason":${finish}}]`);
const TEXT = chunk('{"content":"Hi"}');
const STOP = chunk('{}', '"stop"');
const DONE = 'data: [DONE]\n\n';
const call = (fields: string) => chunk(`{"tool_calls":[{${fields}}]}`);
const BEGIN = '"id":"call_1","type":"function","function":{"name":"f","arguments":""}';
const MORE = '"function":{"arguments":"{}"}';

/** What clients get of a stream whose events come one by one, and all at once. */
function relay(events: readonly string[]): string {
  const [slow, fast] = [[...events], [events.join('')]].map((packets) => {
    const scanner = passThrough.streamScanner({ hideUsage: false });
    const relayed = packets.map((packet) => scanner.scan(Buffer.from(packet)).toString()).join('');
    assert.equal(scanner.failure, undefined);
    assert.equal(scanner.finished, true);
    return relayed;
  });
  assert.equal(slow, fast);
  return slow ?? '';
}

const STREAMS: { what: string; sent: string[]; relayed: string[] }[] = [
  {
    what: 'choices that are null become an empty list: clients walk through them',
    sent: [TEXT, event('null', ',"usage":{"prompt_tokens":1}'), STOP, DONE],
    relayed: [TEXT, event('[]', ',"usage":{"prompt_tokens":1}'), STOP, DONE],
  },
  {
    what: 'a chunk without choices gets an empty list, and keeps all else byte for byte',
    sent: [
      TEXT,
      'event: x\r\ndata:{"usage": {"prompt_tokens": 1},\r\ndata: "n":12345678901234567890}\r\n\r\n',
      STOP,
      DONE,
    ],
    relayed: [
      TEXT,
      'event: x\ndata: {"choices":[],"usage": {"prompt_tokens": 1},\ndata:  "n":12345678901234567890}\n\n',
      STOP,
      DONE,
    ],
  },
  {
    what: 'a chunk that says nothing has a choice all the same: clients look at the first',
    sent: [`data: {${HEAD}}\n\n`, TEXT, STOP, DONE],
    relayed: [
      `data: {"choices":[{"index":0,"delta":{},"finish_reason":null}],${HEAD}}\n\n`,
      TEXT,
      STOP,
      DONE,
    ],
  },
  {
    what: 'an event that is no chunk is passed on as it is',
    sent: [
      'event: weird\nid: 4\ndata: {"x":1.0}\n\n',
      TEXT,
      'data: {"type":"new", "id":"n"}\n\n',
      STOP,
      DONE,
    ],
    relayed: [
      'event: weird\nid: 4\ndata: {"x":1.0}\n\n',
      TEXT,
      'data: {"type":"new", "id":"n"}\n\n',
      STOP,
      DONE,
    ],
  },
  {
    what: 'an answer whose end is told by [DONE] alone gets its reason',
    sent: [TEXT, DONE],
    relayed: [TEXT, chunk('{}', '"stop"').replace('"created":1', '"created":1'), DONE],
  },
  {
    what: 'tool calls whose end is told by [DONE] alone are there to be called',
    sent: [call(`"index":0,${BEGIN}`), call(`"index":0,${MORE}`), DONE],
    relayed: [call(`"index":0,${BEGIN}`), call(`"index":0,${MORE}`), chunk('{}', '"tool_calls"'), DONE],
  },
  {
    what: 'every choice without a reason gets one',
    sent: [
      event(
        '[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]',
      ),
      DONE,
    ],
    relayed: [
      event(
        '[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"},"finish_reason":"length"}]',
      ),
      chunk('{}', '"stop"'),
      DONE,
    ],
  },
  {
    what: 'a tool call without index is numbered, and what goes on with it',
    sent: [
      TEXT,
      call(BEGIN),
      call(MORE),
      call(BEGIN.replace('call_1', 'call_2')),
      call(MORE),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
    relayed: [
      TEXT,
      call(`"index":0,${BEGIN}`),
      call(`"index":0,${MORE}`),
      call(`"index":1,${BEGIN.replace('call_1', 'call_2')}`),
      call(`"index":1,${MORE}`),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
  },
  {
    what: 'calls that all have the number 0 are told apart, and what goes on with each',
    sent: [
      call(`"index":0,${BEGIN}`),
      call(`"index":0,${MORE}`),
      call(`"index":0,${BEGIN.replace('call_1', 'call_2')}`),
      call(`"index":0,${MORE}`),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
    relayed: [
      call(`"index":0,${BEGIN}`),
      call(`"index":0,${MORE}`),
      call(`"index":1,${BEGIN.replace('call_1', 'call_2')}`),
      call(`"index":1,${MORE}`),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
  },
  {
    what: 'so are those that come at once, and none gets a number twice',
    sent: [
      chunk(
        `{"tool_calls":[{"index":0,${BEGIN}},{"index":0,${BEGIN.replace('call_1', 'call_2')}},{"index":1,${BEGIN.replace('call_1', 'call_3')}}]}`,
      ),
      call('"index":1,"function":{"arguments":"{}"}'),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
    relayed: [
      chunk(
        `{"tool_calls":[{"index":0,${BEGIN}},{"index":1,${BEGIN.replace('call_1', 'call_2')}},{"index":2,${BEGIN.replace('call_1', 'call_3')}}]}`,
      ),
      call('"index":2,"function":{"arguments":"{}"}'),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
  },
  {
    what: 'an id that comes again, or in pieces, begins no other call',
    sent: [
      call(`"index":0,${BEGIN.replace('call_1', 'call')}`),
      call(`"index":0,${BEGIN.replace('call_1', 'call_1')}`),
      call(`"index":0,"id":"call_1",${MORE}`),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
    relayed: [
      call(`"index":0,${BEGIN.replace('call_1', 'call')}`),
      call(`"index":0,${BEGIN.replace('call_1', 'call_1')}`),
      call(`"index":0,"id":"call_1",${MORE}`),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
  },
  {
    what: 'arguments that are an object become the text of it, with its own digits',
    sent: [
      call(`"index":0,${BEGIN}`),
      call('"index":0,"function":{"arguments":{"n": 12345678901234567890}}'),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
    relayed: [
      call(`"index":0,${BEGIN}`),
      call('"index":0,"function":{"arguments":"{\\"n\\": 12345678901234567890}"}'),
      chunk('{}', '"tool_calls"'),
      DONE,
    ],
  },
  {
    what: 'whole calls without index or id in one delta are told apart',
    sent: [
      chunk(
        '{"tool_calls":[{"function":{"name":"f","arguments":"{}"}},{"index":null,"function":{"name":"f","arguments":"{}"}}]}',
        '"tool_calls"',
      ),
      DONE,
    ],
    relayed: [
      chunk(
        '{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"{}"}},{"index":1,"function":{"name":"f","arguments":"{}"}}]}',
        '"tool_calls"',
      ),
      DONE,
    ],
  },
  {
    what: 'a stop beside tool calls says that they are to be called',
    sent: [TEXT, call(`"index":0,${BEGIN}`), call(`"index":0,${MORE}`), STOP, DONE],
    relayed: [TEXT, call(`"index":0,${BEGIN}`), call(`"index":0,${MORE}`), chunk('{}', '"tool_calls"'), DONE],
  },
  {
    what: 'a length beside tool calls stays: the last of them is cut off',
    sent: [call(`"index":0,${BEGIN}`), chunk('{}', '"length"'), DONE],
    relayed: [call(`"index":0,${BEGIN}`), chunk('{}', '"length"'), DONE],
  },
  {
    what: 'a choice without index gets its place, in every event',
    sent: [
      event('[{"delta":{"content":"a"}}]'),
      event('[{"delta":{"content":"b"}}]'),
      event('[{"finish_reason":"stop"}]'),
      DONE,
    ],
    relayed: [
      event('[{"index":0,"delta":{"content":"a"}}]'),
      event('[{"index":0,"delta":{"content":"b"}}]'),
      event('[{"index":0,"delta":{},"finish_reason":"stop"}]'),
      DONE,
    ],
  },
  {
    what: 'a choice without delta gets an empty one, wherever it comes: clients look into it (Azure’s content filter)',
    sent: [
      TEXT,
      event('[{"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset": 44}}]'),
      TEXT,
      chunk('null', '"stop"'),
      DONE,
    ],
    relayed: [
      TEXT,
      event('[{"delta":{},"index":0,"finish_reason":null,"content_filter_offsets":{"check_offset": 44}}]'),
      TEXT,
      chunk('{}', '"stop"'),
      DONE,
    ],
  },
  {
    what: 'a chunk that has no choice and is no usage has one that says nothing: clients look at the first',
    sent: [event('[]', ',"prompt_filter_results":[{"prompt_index": 0}]'), TEXT, STOP, DONE],
    relayed: [
      event(
        '[{"index":0,"delta":{},"finish_reason":null}]',
        ',"prompt_filter_results":[{"prompt_index": 0}]',
      ),
      TEXT,
      STOP,
      DONE,
    ],
  },
  {
    what: 'what is mended in one event is mended in the order of its bytes',
    sent: [event('[{"delta":null,"finish_reason":"stop","index":null}]'), DONE],
    relayed: [event('[{"delta":{},"finish_reason":"stop","index":0}]'), DONE],
  },
  {
    what: 'empty lists of calls and texts that speak of calls change nothing',
    sent: [
      TEXT,
      chunk('{"content":"\\"tool_calls\\":[{","tool_calls":[]}'),
      chunk('{"tool_calls":null}'),
      STOP,
      DONE,
    ],
    relayed: [
      TEXT,
      chunk('{"content":"\\"tool_calls\\":[{","tool_calls":[]}'),
      chunk('{"tool_calls":null}'),
      STOP,
      DONE,
    ],
  },
];

for (const { what, sent, relayed } of STREAMS) {
  test(what, () => {
    assert.equal(relay(sent), relayed.join(''));
  });
}

test('what is only usage is still hidden where its choices are null', () => {
  const scanner = passThrough.streamScanner({ hideUsage: true });
  scanner.scan(Buffer.from(TEXT));
  assert.equal(scanner.scan(Buffer.from(event('null', ',"usage":{"prompt_tokens":1}'))).length, 0);
  assert.equal(scanner.usage?.input, 1);
});

const whole = (choices: string) => Buffer.from(`{ "seed": 12345678901234567890, "choices": ${choices} }`);
const CALLS = '"message": {"tool_calls": [ {"id": "a"}]}';

test('a whole answer that calls tools does not end with stop; all else of it stays byte for byte', () => {
  for (const [sent, mended] of [
    [`[{${CALLS}, "finish_reason" : "stop"}]`, `[{${CALLS}, "finish_reason" : "tool_calls"}]`],
    [
      `[{"finish_reason":"stop","message":{}},{"finish_reason":"stop",${CALLS}},{"finish_reason":"length",${CALLS}}]`,
      `[{"finish_reason":"stop","message":{}},{"finish_reason":"tool_calls",${CALLS}},{"finish_reason":"length",${CALLS}}]`,
    ],
    [
      `[{"message":{"tool_calls":[]},"finish_reason":"stop"}]`,
      `[{"message":{"tool_calls":[]},"finish_reason":"stop"}]`,
    ],
  ] as const) {
    assert.equal(passThrough.mendAnswer?.(whole(sent)).toString(), whole(mended).toString());
  }
});

test('arguments of a whole answer that are an object become the text of it', () => {
  const answer = (given: string, finish: string) =>
    whole(
      `[{"message": {"tool_calls": [ {"function":{"arguments": ${given}}}]}, "finish_reason" : "${finish}"}]`,
    );
  const text = '"{\\"n\\": 12345678901234567890}"';
  for (const finish of ['stop', 'tool_calls']) {
    const mended = passThrough.mendAnswer?.(answer('{"n": 12345678901234567890}', finish));
    assert.equal(mended?.toString(), answer(text, 'tool_calls').toString());
  }
});

test('a whole answer without choices is none', () => {
  for (const choices of ['null', '[]', '"x"', '[null]']) {
    const failure = passThrough.readFailure(whole(choices));
    assert.equal(failure?.kind, 'upstream_unavailable', choices);
    assert.match(failure?.message ?? '', /no chat completion/);
  }
  assert.equal(passThrough.readFailure(whole('[ {"message":{"content":"Hi"}}]')), undefined);
});

test('usage beside what was said is read, and not shown to who did not ask for it', () => {
  const event = (usage: string) =>
    `data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}],"usage":${usage},"x":1}\n\n`;
  const told = event('{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}');
  for (const [hideUsage, relayed] of [
    [true, event('null')],
    [false, told],
  ] as const) {
    const scanner = passThrough.streamScanner({ hideUsage });
    for (let count = 0; count < 3; count++) assert.equal(scanner.scan(Buffer.from(told)).toString(), relayed);
    assert.equal(scanner.usage?.output, 2);
  }
});
