import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { CompletionCollector, collectEvents } from '../../../src/conversation/collect.ts';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';

function chunk(parts: JsonObject[], candidate: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return {
    candidates: [{ content: { parts, role: 'model' }, index: 0, ...candidate }],
    modelVersion: 'gemini-x',
    responseId: 'r1',
    ...more,
  };
}

const STOP = chunk([{ text: '' }], { finishReason: 'STOP' });

function eventsOf(...messages: JsonValue[]): CompletionEvent[] {
  const decoder = gemini.streamDecoder();
  return [
    ...messages.flatMap((message) => decoder.push({ data: JSON.stringify(message) })),
    ...decoder.end(),
  ];
}

function partsOf(...messages: JsonValue[]) {
  const collector = collectEvents(eventsOf(...messages));
  assert.equal(collector.error, undefined);
  return collector.completion.choices[0]?.parts;
}

function errorOf(...messages: JsonValue[]): GatewayError {
  const { error } = collectEvents(eventsOf(...messages));
  assert.ok(error instanceof GatewayError);
  return error;
}

describe('text in a stream', () => {
  test('runs on in one part until a signature ends it', () => {
    assert.deepEqual(
      partsOf(
        chunk([{ text: 'hm', thought: true }]),
        chunk([{ text: 'm', thought: true }, { text: 'H' }]),
        chunk([{ text: 'i', thoughtSignature: 's' }]),
        chunk([{ text: 'more' }]),
        chunk([{ text: '', thoughtSignature: 't' }]),
        STOP,
      ),
      [
        { type: 'reasoning', text: 'hmm' },
        { type: 'text', text: 'Hi', signature: { dialect: 'gemini', value: 's' } },
        { type: 'text', text: 'more', signature: { dialect: 'gemini', value: 't' } },
      ],
    );
  });

  test('that is empty and unsigned is none', () => {
    assert.deepEqual(partsOf(chunk([{ functionCall: { id: 'c', name: 'f' } }]), STOP)?.length, 1);
  });

  test('goes out as it comes', () => {
    const decoder = gemini.streamDecoder();
    const events = decoder.push({ data: JSON.stringify(chunk([{ text: 'Hi' }])) });
    assert.deepEqual(events, [
      { type: 'start', id: 'r1', model: 'gemini-x' },
      { type: 'part_start', choice: 0, part: 0, value: { type: 'text', text: '' } },
      { type: 'part_delta', choice: 0, part: 0, delta: 'Hi' },
    ]);
  });
});

describe('function calls in a stream', () => {
  test('are counted across chunks, parallel ones in one chunk or in several', () => {
    const call = { functionCall: { name: 'f', args: {} } };
    const together = partsOf(chunk([call, call]), STOP);
    assert.deepEqual(partsOf(chunk([call]), chunk([call]), STOP), together);
    assert.equal(new Set(together?.map((part) => part.type === 'tool_call' && part.id)).size, 2);
  });

  test('start with their signature', () => {
    const [, start] = eventsOf(
      chunk([{ functionCall: { id: 'c', name: 'f' }, thoughtSignature: 's' }]),
      STOP,
    );
    assert.deepEqual(start?.type === 'part_start' && start.value, {
      type: 'tool_call',
      id: 'c',
      name: 'f',
      kind: 'function',
      arguments: '',
      signature: { dialect: 'gemini', value: 's' },
    });
  });

  test('end a turn that says STOP', () => {
    const finish = eventsOf(chunk([{ functionCall: { name: 'f' } }]), STOP).find(
      ({ type }) => type === 'finish',
    );
    assert.deepEqual(finish, { type: 'finish', choice: 0, reason: 'tool_calls' });
  });

  const piece = (jsonPath: string, value: JsonObject, willContinue = true) =>
    chunk([
      { functionCall: { partialArgs: [{ jsonPath, ...value }], ...(willContinue ? { willContinue } : {}) } },
    ]);
  const open = chunk([{ functionCall: { id: 'c', name: 'f', willContinue: true } }]);
  const close = chunk([{ functionCall: {} }]);
  const argumentsOf = (...messages: JsonValue[]) => {
    const [part] = partsOf(...messages, STOP) ?? [];
    return part?.type === 'tool_call' ? part.arguments : undefined;
  };

  test('in pieces are put together', () => {
    const text = argumentsOf(
      open,
      piece('$.a.list[0].x', { stringValue: 'Bo', willContinue: true }),
      piece('$.a.list[0].x', { stringValue: 'nn' }),
      piece('$.a.list[1].x', { numberValue: 0.5 }),
      piece("$['b c']", { boolValue: false }),
      piece('$.a.list[0].y', { nullValue: 'NULL_VALUE' }),
      piece('$.grid[0][1]', { numberValue: 2 }),
      piece('$.grid[0][0]', { numberValue: 1 }),
      close,
    );
    assert.equal(text, '{"a":{"list":[{"x":"Bonn","y":null},{"x":0.5}]},"b c":false,"grid":[[1,2]]}');
  });

  test('in pieces end with the last piece where no empty one follows', () => {
    assert.equal(
      argumentsOf(open, piece('$.a', { numberValue: 1 }, false), chunk([{ text: 'so' }])),
      '{"a":1}',
    );
  });

  test('in pieces that break off with another part are closed', () => {
    assert.equal(argumentsOf(open, piece('$.a', { numberValue: 1 }), chunk([{ text: 'so' }])), '{"a":1}');
  });

  test('in pieces without any have no arguments', () => {
    assert.equal(argumentsOf(open, close), '{}');
  });

  test('in pieces cannot pollute prototypes nor ask for huge lists', () => {
    const text = argumentsOf(
      open,
      piece('$.__proto__.polluted', { boolValue: true }),
      piece('$.list[999999999]', { numberValue: 1 }),
      close,
    );
    assert.equal(text, '{"__proto__":{"polluted":true},"list":[1]}');
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  test('that go on without having begun are passed over', () => {
    assert.deepEqual(partsOf(close, chunk([{ text: 'Hi' }]), STOP), [{ type: 'text', text: 'Hi' }]);
  });
});

test('usage is the newest that was said, never a sum', () => {
  const events = eventsOf(
    chunk([{ text: 'a' }], {}, { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1 } }),
    chunk([{ text: 'b' }], {}, { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 1 } }),
    chunk(
      [{ text: 'c' }],
      { finishReason: 'STOP' },
      { usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2 } },
    ),
  );
  const usages = events.flatMap((event) => (event.type === 'usage' ? [event.usage] : []));
  assert.deepEqual(
    usages.map(({ input, output }) => [input, output]),
    [
      [3, 1],
      [3, 2],
    ],
  );
});

test('citations of the text come at its end, with the metadata of the last chunk', () => {
  const groundingMetadata = {
    groundingChunks: [{ web: { uri: 'https://a.example' } }],
    groundingSupports: [{ segment: { endIndex: 2, text: 'Hi' }, groundingChunkIndices: [0] }],
  };
  assert.deepEqual(
    partsOf(chunk([{ text: 'H' }]), chunk([{ text: 'i' }], { finishReason: 'STOP', groundingMetadata })),
    [{ type: 'text', text: 'Hi', citations: [{ url: 'https://a.example', start: 0, end: 2 }] }],
  );
});

test('several candidates keep apart', () => {
  const both = (text: string, more: JsonObject) => ({
    ...chunk([]),
    candidates: [0, 1].map((index) => ({ index, content: { parts: [{ text: text + index }] }, ...more })),
  });
  const { completion } = collectEvents(eventsOf(both('a', {}), both('b', { finishReason: 'STOP' })));
  const texts = completion.choices.map(({ index, parts }) => [index, parts]);
  assert.deepEqual(texts, [
    [0, [{ type: 'text', text: 'a0b0' }]],
    [1, [{ type: 'text', text: 'a1b1' }]],
  ]);
});

test('a blocked prompt ends in the content filter', () => {
  const { completion, ended } = collectEvents(
    eventsOf({ promptFeedback: { blockReason: 'SAFETY' }, modelVersion: 'm', responseId: 'r' }),
  );
  assert.ok(ended);
  assert.deepEqual(completion.choices, [{ index: 0, parts: [], finish: 'content_filter' }]);
  assert.deepEqual(completion.extra?.fields, { promptFeedback: { blockReason: 'SAFETY' } });
});

describe('a stream that goes wrong', () => {
  test('breaks off when it ends without a finish reason', () => {
    const error = errorOf(chunk([{ text: 'Hi' }]));
    assert.equal(error.kind, 'upstream_unavailable');
    assert.match(error.message, /broke off/);
    assert.match(errorOf().message, /broke off/);
  });

  test('says its error in an event, alone or in a list', () => {
    const overloaded = { error: { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' } };
    for (const message of [overloaded, [overloaded]]) {
      const error = errorOf(chunk([{ text: 'Hi' }]), message, STOP);
      assert.deepEqual(
        [error.kind, error.message, error.code],
        ['upstream_unavailable', 'The model is overloaded.', 'UNAVAILABLE'],
      );
    }
    const quota = { error: { code: 429, message: 'Slow down.', status: 'RESOURCE_EXHAUSTED' } };
    assert.equal(errorOf(quota).kind, 'upstream_rate_limited');
    const bad = { error: { code: 400, message: 'Bad.', status: 'INVALID_ARGUMENT' } };
    assert.deepEqual([errorOf(bad).kind, errorOf(bad).status], ['upstream_rejected', 400]);
  });

  test('is over after its error', () => {
    const events = eventsOf({ error: { code: 500, message: 'x' } }, chunk([{ text: 'Hi' }]));
    assert.deepEqual(
      events.map(({ type }) => type),
      ['error'],
    );
  });

  test('sends what is not JSON', () => {
    const decoder = gemini.streamDecoder();
    const [event] = decoder.push({ data: '<html>' });
    assert.equal(event?.type === 'error' && event.error.kind, 'upstream_unavailable');
  });
});

test('a stream that is a JSON list, or ends with [DONE], is read too', () => {
  const decoder = gemini.streamDecoder();
  const collector = new CompletionCollector();
  for (const data of [JSON.stringify([chunk([{ text: 'Hi' }]), STOP]), '[DONE]']) {
    for (const event of decoder.push({ data })) collector.push(event);
  }
  for (const event of decoder.end()) collector.push(event);
  assert.deepEqual(collector.completion.choices[0]?.parts, [{ type: 'text', text: 'Hi' }]);
});

test('unknown fields never break a stream', () => {
  assert.deepEqual(
    partsOf(
      chunk([{ text: 'Hi', newThing: { a: 1 } }, { novelty: true }], { more: [null] }, { extra: 'x' }),
      STOP,
    ),
    [
      { type: 'text', text: 'Hi', extra: { dialect: 'gemini', fields: { newThing: { a: 1 } } } },
      { type: 'opaque', dialect: 'gemini', value: { novelty: true } },
    ],
  );
});

describe('a written stream', () => {
  const encode = (...events: CompletionEvent[]) => {
    const encoder = gemini.streamEncoder({ includeUsage: true });
    return events.map((event) => encoder.push(event)).join('');
  };
  const data = (text: string) =>
    text
      .split('\r\n\r\n')
      .flatMap((event) => (event === '' ? [] : [JSON.parse(event.slice('data: '.length)) as JsonObject]));

  test('has CRLF between its events, text as it comes, calls when they are whole, the rest at the end', () => {
    const at = { choice: 0, part: 0 };
    const next = { choice: 0, part: 1 };
    const text = encode(
      { type: 'start', id: 'r1', model: 'm' },
      { type: 'part_start', ...at, value: { type: 'text', text: '' } },
      { type: 'part_delta', ...at, delta: 'Hi' },
      { type: 'part_end', ...at, signature: { dialect: 'gemini', value: 's' } },
      {
        type: 'part_start',
        ...next,
        value: { type: 'tool_call', id: 'c', name: 'f', kind: 'function', arguments: '' },
      },
      { type: 'part_delta', ...next, delta: '{"a"' },
      { type: 'part_delta', ...next, delta: ':1}' },
      { type: 'part_end', ...next },
      { type: 'finish', choice: 0, reason: 'tool_calls' },
      { type: 'end' },
    );
    const head = { modelVersion: 'm', responseId: 'r1' };
    const says = (part: JsonObject) => ({
      candidates: [{ content: { parts: [part], role: 'model' }, index: 0 }],
      ...head,
    });
    assert.deepEqual(data(text), [
      says({ text: 'Hi' }),
      says({ text: '', thoughtSignature: 's' }),
      says({
        functionCall: { id: 'c', name: 'f', args: { a: 1 } },
        // It has an id and no signature of Gemini's: another provider's.
        thoughtSignature: Buffer.from('__fl1__none').toString('base64'),
      }),
      {
        candidates: [{ content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'STOP', index: 0 }],
        ...head,
      },
    ]);
  });

  test('ends with the error that broke it', () => {
    const text = encode({ type: 'error', error: new GatewayError('upstream_timeout', 'Too slow.') });
    assert.deepEqual(data(text), [
      { error: { code: 504, message: 'Too slow.', status: 'DEADLINE_EXCEEDED' } },
    ]);
  });
});
