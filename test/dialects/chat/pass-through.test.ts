import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { scanAnswer } from '../../../src/dialects/answer-scan.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { embeddingsPassThrough, passThrough } from '../../../src/dialects/chat/pass-through.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';

function prepare(text: string, options: { stream: boolean }): string {
  const body = Buffer.from(text);
  const spans = findTopLevelFields(body, passThrough.fields);
  return passThrough.prepareRequest(body, spans, { model: 'gpt-x', ...options }).toString();
}

test('only the model changes: unknown fields, numbers, order and spacing stay as they came', () => {
  assert.equal(
    prepare('{ "future":[1e999, 12345678901234567890], "model" : "smart" ,"messages":[]}', { stream: false }),
    '{ "future":[1e999, 12345678901234567890], "model" : "gpt-x" ,"messages":[]}',
  );
});

test('a stream is asked to report its usage, and other stream options are kept', () => {
  assert.equal(
    prepare('{"model":"smart","stream":true}', { stream: true }),
    '{"stream_options":{"include_usage":true},"model":"gpt-x","stream":true}',
  );
  assert.equal(
    prepare('{"stream_options":{"include_obfuscation":false},"model":"smart","stream":true}', {
      stream: true,
    }),
    '{"stream_options":{"include_obfuscation":false,"include_usage":true},"model":"gpt-x","stream":true}',
  );
  assert.equal(
    prepare('{"model":"smart","stream":true,"stream_options":null}', { stream: true }),
    '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true}}',
  );
});

test('the usage of a whole answer is found, also behind tool arguments that speak of "usage"', () => {
  const answer = {
    choices: [{ message: { tool_calls: [{ function: { arguments: '{"usage":{"prompt_tokens":9}}' } }] } }],
    usage: { prompt_tokens: 10, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } },
    system_fingerprint: 'usage',
  };
  for (const space of [0, 2]) {
    assert.deepEqual(passThrough.readUsage(Buffer.from(JSON.stringify(answer, null, space))), {
      ...NO_USAGE,
      input: 6,
      cacheRead: 4,
      output: 3,
    });
  }
  assert.equal(passThrough.readUsage(Buffer.from('{"choices":[],"usage":null}')), undefined);
  assert.equal(passThrough.readUsage(Buffer.from('{"usage":')), undefined);
});

const ROLE =
  'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n';
const TEXT =
  'data: {"choices":[{"index":0,"delta":{"content":"Hi \\"usage\\": {"},"finish_reason":null}],"usage":null}\n\n';
const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n';
const DONE = 'data: [DONE]\n\n';

function scanAll(events: string[], hideUsage: boolean) {
  const scanner = passThrough.streamScanner({ hideUsage });
  const relayed = events.map((event) => scanner.scan(Buffer.from(event)).toString()).join('');
  return { scanner, relayed };
}

test('what stands behind the last blank line is an event only if it is whole', () => {
  const { scanner } = scanAll([ROLE, TEXT], true);
  for (const whole of [FINISH.trimEnd(), DONE.trimEnd(), `event: x\r\n${FINISH.trimEnd()}\r\n`]) {
    assert.equal(scanner.isWholeEvent(Buffer.from(whole)), true, whole);
  }
  for (const cut of ['', 'da', 'data: ', FINISH.slice(0, 30), 'data: [DO', ': a comment']) {
    assert.equal(scanner.isWholeEvent(Buffer.from(cut)), false, cut);
  }
});

test('usage is found in a stream and shown only to clients that asked for it', () => {
  const events = [ROLE, TEXT, FINISH, USAGE, DONE];
  const shown = scanAll(events, false);
  assert.equal(shown.relayed, events.join(''));
  const hidden = scanAll(events, true);
  assert.equal(hidden.relayed, [ROLE, TEXT, FINISH, DONE].join(''));
  for (const { scanner } of [shown, hidden]) {
    assert.deepEqual(scanner.usage, { ...NO_USAGE, input: 5, output: 2 });
    assert.ok(scanner.finished && scanner.terminated && scanner.hasOutput);
    assert.equal(scanner.closing(), '');
  }
});

test('usage that stands elsewhere stands at the end, too, for clients that asked for it', () => {
  const said = '{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}';
  const head = '"id":"c1","object":"chat.completion.chunk","created":1,"model":"kimi"';
  const text = `data: {${head},"choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}\n\n`;
  const places = [
    `data: {${head},"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":${said}}]}\n\n`,
    `data: {${head},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"usage":${said}}}\n\n`,
  ];
  const standard = `data: {${head},"choices":[],"usage":${said}}\n\n`;
  for (const finish of places) {
    assert.equal(scanAll([text, finish, DONE], false).relayed, text + finish + standard + DONE);
    assert.equal(scanAll([text, finish, DONE], true).relayed, text + finish + DONE);
    // [DONE] is ours to say where the server leaves it out.
    const { scanner, relayed } = scanAll([text, finish], false);
    assert.equal(relayed + scanner.closing(), text + finish + standard + DONE);
  }
  // Groq says it in both places where it is asked.
  const both = [text, places[1] ?? '', standard, DONE];
  assert.equal(scanAll(both, false).relayed, both.join(''));
});

test('a burst of all events in one packet is read the same', () => {
  const { scanner, relayed } = scanAll([ROLE + TEXT + FINISH + USAGE + DONE], true);
  assert.equal(relayed, [ROLE, TEXT, FINISH, DONE].join(''));
  assert.deepEqual(scanner.usage, { ...NO_USAGE, input: 5, output: 2 });
});

test('of a chunk with choices only the usage is hidden: the choices stay', () => {
  const both =
    'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n';
  const { scanner, relayed } = scanAll([both], true);
  assert.equal(relayed, both.replace('{"prompt_tokens":5,"completion_tokens":2}', 'null'));
  assert.equal(scanner.usage?.input, 5);
});

test('role chunks and comments are no output; text, reasoning and tool calls are', () => {
  assert.equal(scanAll([ROLE, ': OPENROUTER PROCESSING\n\n'], true).scanner.hasOutput, false);
  for (const delta of [
    '{"content":"x"}',
    '{"reasoning_content":"x"}',
    '{"tool_calls":[{"index":0}]}',
    '{"refusal":"no"}',
  ]) {
    const event = `data: {"choices":[{"index":0,"delta":${delta}}]}\n\n`;
    assert.equal(scanAll([ROLE, event], true).scanner.hasOutput, true, delta);
  }
});

test('a stream that says neither a finish reason nor [DONE] has not finished', () => {
  assert.equal(scanAll([ROLE, TEXT], true).scanner.finished, false);
});

test('a finish reason without [DONE] is completed', () => {
  const { scanner } = scanAll([ROLE, TEXT, FINISH], true);
  assert.ok(scanner.finished && !scanner.terminated);
  assert.equal(scanner.closing(), DONE);
});

test('an error inside the stream is noticed, first or later', () => {
  const error = 'data: {"error":{"message":"overloaded","code":503}}\n\n';
  assert.match(scanAll([error], true).scanner.failure?.message ?? '', /overloaded/);
  assert.match(scanAll([ROLE, TEXT, error], true).scanner.failure?.message ?? '', /overloaded/);
});

/** What a server says after some text of choice 0. */
const LAST_WORDS: [what: string, events: string[], outcome: 'complete' | 'cut off' | RegExp][] = [
  ['a finish reason', [FINISH], 'complete'],
  ['[DONE] alone', [DONE], 'complete'],
  ['[DONE] and a long comment', [`${DONE}: ${'x'.repeat(100)}\n\n`], 'complete'],
  ['[DONE] with spaces around', ['data:  [DONE] \n\n'], 'complete'],
  ['nothing', [], 'cut off'],
  ['an empty finish reason', [TEXT.replace('null', '""')], 'cut off'],
  ['a finish reason that is cleared again', [FINISH, TEXT.replace('null', '""')], 'complete'],
  ['the finish of another choice', [FINISH.replace('"index":0', '"index":1')], 'cut off'],
  ['the finish of one of two choices', [TEXT.replace('"index":0', '"index":1'), FINISH], 'cut off'],
  [
    'the finish of two choices, the other first',
    [FINISH.replace('"index":0', '"index": 1'), TEXT, FINISH],
    'complete',
  ],
  [
    'two choices without index, one finished',
    ['data: {"choices":[{"finish_reason":"stop"},{}]}\n\n'],
    'cut off',
  ],
  ["OpenAI's error", ['data: {"error":{"message":"Boom"}}\n\n'], /^Boom$/],
  ['an error that is a text', ['data: {"error": "Boom"}\n\n'], /^Boom$/],
  ['an error in a list', ['data: [{"error":{"message":"Boom"}}]\n\n'], /^Boom$/],
  ["vLLM's error", ['data: {"object":"error","message":"Boom","code":400}\n\n'], /^Boom$/],
  ['a message with a code', ['data: {"message":"Boom","code":"x"}\n\n'], /^Boom$/],
  ['an error event', ['event: error\ndata: {"message":"Boom"}\n\n'], /^Boom$/],
  ['a bare text', ['data: Boom\n\n'], /^Boom$/],
  [
    "OpenRouter's error beside choices",
    [
      'data: {"id":"x","error":{"code":502,"message":"Boom"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n',
    ],
    /^Boom$/,
  ],
  [
    'an error that is a finish reason alone',
    [ROLE, TEXT, 'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n'],
    /failed before its answer was complete/,
  ],
  [
    'an error within a choice',
    ['data: {"choices":[{"index":0,"error":{"message":"Boom"},"finish_reason":"error"}]}\n\n'],
    /^Boom$/,
  ],
  ['an error and [DONE]', [`data: {"id":"x","error":{"message":"Boom"}}\n\n${DONE}`], /^Boom$/],
  ['a null error', [FINISH.replace('{"choices"', '{"error":null,"choices"')], 'complete'],
  [
    'text that speaks of errors',
    [TEXT.replace('Hi', '\\"error\\":{\\"message\\":\\"Boom\\"} data: [DONE]'), TEXT.replace('Hi', 'error')],
    'cut off',
  ],
  [
    'the word "choices" before an error',
    [`${TEXT.replace(/Hi.*?\{/, 'choices')}data: {"error":"Boom"}\n\n`],
    /^Boom$/,
  ],
];

function decodeAll(events: string[]): CompletionEvent | undefined {
  const decoder = chat.streamDecoder();
  const messages = events
    .join('')
    .split('\n\n')
    .filter((event) => /^data:/m.test(event))
    .map((event) => {
      const name = /^event: (.*)$/m.exec(event)?.[1];
      const data = event.slice(event.indexOf('data:') + 5).trim();
      return name === undefined ? { data } : { event: name, data };
    });
  return [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()].at(-1);
}

for (const [what, last, outcome] of LAST_WORDS) {
  test(`scanner and decoder agree on a stream that ends with ${what}`, () => {
    const events = [ROLE, TEXT, ...last];
    const end = decodeAll(events);
    const error = end?.type === 'error' ? end.error.message : undefined;
    for (const packets of [events, [events.join('')], [ROLE + TEXT, last.join('')]]) {
      const { scanner } = scanAll(packets, true);
      if (outcome instanceof RegExp) {
        assert.match(scanner.failure?.message ?? '', outcome);
        assert.match(error ?? '', outcome);
        continue;
      }
      assert.equal(scanner.failure, undefined);
      assert.equal(scanner.finished, outcome === 'complete');
      assert.equal(end?.type, outcome === 'complete' ? 'end' : 'error');
      if (events.join('').includes(' [DONE] \n') || last.some((event) => event.startsWith(DONE))) {
        assert.equal(scanner.closing(), '');
      }
    }
  });
}

const said = (content: string) => TEXT.replace(/"content":".*?\\{"/, `"content":${JSON.stringify(content)}`);

for (const packet of [1, 3, 100]) {
  test(`in a stream of events that are alike each is counted, and what is another is seen, ${packet} a packet`, () => {
    const events = Array.from({ length: 40 }, (_, index) => said(`word ${index} "finish_reason":"stop"`));
    events.splice(30, 0, TEXT.replace('"usage":null', '"usage":{"prompt_tokens":5,"completion_tokens":1}'));
    const call = { index: 0, id: 'c', type: 'function', function: { name: 'f', arguments: '' } };
    const argument = { index: 0, function: { arguments: '{"usage":' } };
    for (const each of [call, argument, argument])
      events.push(TEXT.replace(/"content":".*?\{"/, `"tool_calls":${JSON.stringify([each])}`));
    const packets = Array.from({ length: Math.ceil(events.length / packet) }, (_, index) =>
      events.slice(index * packet, (index + 1) * packet).join(''),
    );
    const { scanner, relayed } = scanAll([ROLE, ...packets], false);
    assert.equal(relayed, ROLE + events.join(''));
    assert.equal(scanner.outputEvents, 1 + events.length);
    assert.deepEqual([scanner.usage?.input, scanner.finished, scanner.failure], [5, false, undefined]);
    scanner.scan(
      Buffer.from(said('the end') + FINISH.replace('"stop"', 'null').replace('{}', '{"content":"!"}')),
    );
    assert.equal(scanner.finished, false);
    scanner.scan(Buffer.from(said('the end').replace('"finish_reason":null', '"finish_reason":"stop"')));
    assert.equal(scanner.finished, true);
    scanner.scan(
      Buffer.from(said('and') + said('more').replace('"usage":null', '"error":{"message":"Busy"}')),
    );
    assert.equal(scanner.failure?.message, 'Busy');
  });
}

test('of two choices that are told in turns both have to finish', () => {
  const second = (event: string) => event.replace('"index":0', '"index":1');
  const { scanner } = scanAll(
    [ROLE, said('a'), said('b'), second(said('c')), said('d'), second(said('e'))],
    false,
  );
  assert.equal(scanner.outputEvents, 6);
  scanner.scan(Buffer.from(FINISH));
  assert.equal(scanner.finished, false);
  scanner.scan(Buffer.from(second(FINISH)));
  assert.equal(scanner.finished, true);
});

test('[DONE] without any choice is no answer, to scanner and decoder', () => {
  const { scanner } = scanAll([DONE], true);
  const end = decodeAll([DONE]);
  assert.ok(end?.type === 'error' && !scanner.finished);
  assert.equal(scanner.failure?.message, end.error.message);
});

test('an error that came with status 200 is read, in whatever form', () => {
  for (const body of [
    '{"error":{"message":"Boom","code":429}}',
    '{\n  "error" : {\n    "message": "Boom",\n    "metadata": {"data": []}}\n}',
    '{"error":"Boom"}',
    '[{"error":{"message":"Boom"}}]',
    '{"object":"error","message":"Boom","code":400,"data":null}',
    '{"message":"Boom","code":"x"}',
    '{"id":"x","choices":[{"index":0,"error":{"message":"Boom"},"finish_reason":"error"}]}',
    `{"choices":[{"message":{"content":"${'x'.repeat(9000)}"}}],"error":{"message":"Boom"}}`,
  ]) {
    assert.equal(passThrough.readFailure(Buffer.from(body))?.message, 'Boom', body.slice(0, 80));
  }
  assert.equal(
    passThrough.readFailure(Buffer.from('{"error":{"message":"Boom","code":429}}'))?.kind,
    'upstream_rate_limited',
  );
});

test('a choice that failed is found wherever its reason to end stands', () => {
  for (const length of [10, 9000, 60_000]) {
    const long = 'x'.repeat(length);
    const choice = { message: { content: long }, finish_reason: 'error', logprobs: { content: long } };
    const body = Buffer.from(JSON.stringify({ id: 'x', choices: [choice] }));
    const failure = passThrough.readFailure(body, scanAnswer(body));
    assert.match(failure?.message ?? '', /failed before its answer was complete/, String(length));
  }
});

test('a good answer is no error, whatever it speaks of', () => {
  for (const body of [
    '{"choices":[{"message":{"content":"{\\"error\\":{\\"message\\":\\"Boom\\"}}"}}]}',
    '{"error":null,"choices":[{"message":{"content":"error"},"finish_reason":"eos"}]}',
    '{"choices":[{"message":{"tool_calls":[]},"logprobs":{"error":{}}}]}',
    `{"padding":"${'x'.repeat(5000)}","choices":[{}]}`,
  ]) {
    assert.equal(passThrough.readFailure(Buffer.from(body)), undefined, body.slice(0, 80));
  }
  const vectors = Buffer.from('{"object":"list","data":[{"embedding":[0.5]}]}');
  assert.equal(embeddingsPassThrough.readFailure(vectors), undefined);
});
