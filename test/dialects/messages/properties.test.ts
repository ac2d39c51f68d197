import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent, FinishReason } from '../../../src/conversation/completion.ts';
import type { Message, Part } from '../../../src/conversation/conversation.ts';
import { parseExactly } from '../../../src/conversation/exact-numbers.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { anyWords } from '../../support/any-text.ts';
import { scale } from '../../support/scale.ts';
import { canonicalRequest } from './canonical.ts';
import { conversation } from './conversations.ts';
import { decodeEvents, decodeStream, encodeEvents, framesOf, restream } from './streams.ts';

const RUNS = { numRuns: scale({ sample: 60, heavy: 150 }) };

/** Text with something in it that the API accepts, of any characters. */
const words = anyWords({ minLength: 1, maxLength: 12 }).map((text) => `${text}.`);
const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,12}$/);
const input = fc
  .dictionary(fc.string({ maxLength: 5 }), fc.jsonValue({ maxDepth: 2 }), {
    maxKeys: 3,
    noNullPrototype: true,
  })
  // As it is read from JSON, which does not know -0, and of which long numbers are kept as text.
  .map((value) => parseExactly(JSON.stringify(value)) as JsonObject);
const args = input.map((value) => JSON.stringify(value));
const ours = <T extends string>(value: T) => ({ dialect: 'messages' as const, value });

const textPart = words.map((text): Part => ({ type: 'text', text }));
const thinking = fc
  .tuple(words, id)
  .map(([text, value]): Part => ({ type: 'reasoning', text, signature: ours(value) }));
const redacted = id.map((value): Part => ({ type: 'reasoning', text: '', encrypted: ours(value) }));
const toolCall = fc.tuple(id, id, args).map(
  ([callId, name, text]): Part => ({
    type: 'tool_call',
    id: callId,
    name,
    kind: 'function',
    arguments: text,
  }),
);
const serverTool = fc.tuple(id, input).map(
  ([toolId, value]): Part => ({
    type: 'opaque',
    dialect: 'messages',
    value: { type: 'server_tool_use', id: toolId, name: 'web_search', input: value as JsonObject },
  }),
);
const answerPart = fc.oneof(textPart, thinking, redacted, toolCall, serverTool);

const count = fc.nat(1_000_000);
const usage = fc.record(
  {
    input: count,
    inputAudio: fc.constant(0),
    cacheRead: count,
    cacheWrite: count,
    cacheWrite1h: count,
    output: count,
    outputAudio: fc.constant(0),
    reasoning: count,
  },
  { noNullPrototype: true },
);

/** An answer as this dialect can say it: why it ended agrees with what it holds. */
const completion: fc.Arbitrary<Completion> = fc
  .record({
    id,
    model: id,
    parts: fc.array(answerPart, { maxLength: 6 }),
    finish: fc.constantFrom<FinishReason>('stop', 'length', 'pause', 'context_length'),
    usage,
  })
  .map(({ parts, finish, ...rest }) => {
    const called = parts.some(({ type }) => type === 'tool_call');
    return {
      ...rest,
      choices: [{ index: 0, parts, finish: called && finish === 'stop' ? 'tool_calls' : finish }],
    };
  });

test('decode of encode is the same answer', () => {
  fc.assert(
    fc.property(completion, (given) => {
      assert.deepEqual(messages.decodeResponse(messages.encodeResponse(given)), given);
    }),
    RUNS,
  );
});

test('an answer written as a stream and read again is the same answer', () => {
  fc.assert(
    fc.property(completion, (given) => {
      const collected = collectEvents(restream(given));
      assert.equal(collected.error, undefined);
      assert.deepEqual(collected.completion, given);
    }),
    RUNS,
  );
});

/** Cuts every delta of a stream at random places. */
function cutDeltas(events: readonly CompletionEvent[], cuts: readonly number[]): CompletionEvent[] {
  let next = 0;
  return events.flatMap((event): CompletionEvent[] => {
    if (event.type !== 'part_delta') return [event];
    const cut = (cuts[next++ % cuts.length] ?? 0) % (event.delta.length + 1);
    return [event.delta.slice(0, cut), event.delta.slice(cut)].map((delta) => ({ ...event, delta }));
  });
}

test('any split of the deltas gives the same answer', () => {
  fc.assert(
    fc.property(completion, fc.array(fc.nat(50), { minLength: 1 }), (given, cuts) => {
      const bytes = encodeEvents(cutDeltas([...completionEvents(given)], cuts));
      const chunks = framesOf(bytes).map(([, data]) => data);
      assert.deepEqual(decodeStream(chunks).completion, given);
    }),
    RUNS,
  );
});

test('a stream cut off anywhere before its stop reason ends with an error, and never throws', () => {
  fc.assert(
    fc.property(completion, fc.nat(), (given, at) => {
      const chunks = framesOf(encodeEvents(completionEvents(given))).map(([, data]) => data);
      const kept = chunks.slice(0, at % (chunks.length - 1));
      assert.equal(decodeEvents(kept).at(-1)?.type, 'error');
    }),
    RUNS,
  );
});

test('no sequence of JSON values makes the stream decoder throw', () => {
  const type = fc.constantFrom(
    'message_start',
    'content_block_start',
    'content_block_delta',
    'content_block_stop',
    'message_delta',
    'message_stop',
    'error',
    'ping',
    'constructor',
  );
  const event = fc
    .record({
      type,
      rest: fc.dictionary(
        fc.constantFrom('index', 'delta', 'content_block', 'message', 'usage', 'error'),
        fc.jsonValue(),
      ),
    })
    .map(({ type: name, rest }) => ({ ...rest, type: name }) as JsonObject);
  fc.assert(
    fc.property(fc.array(event, { maxLength: 8 }), (events) => {
      const decoded = decodeEvents(events);
      assert.ok(decoded.length > 0);
    }),
    RUNS,
  );
});

/** A conversation in which every call has its result, as a client of this dialect writes it. */
const exchange = fc
  .tuple(
    words,
    fc.array(fc.oneof(textPart, thinking), { maxLength: 2 }),
    fc.uniqueArray(id, { maxLength: 3 }),
    words,
  )
  .map(([question, before, ids, answer]): Message[] => {
    const calls = ids.map(
      (callId): Part => ({ type: 'tool_call', id: callId, name: 'look', kind: 'function', arguments: '{}' }),
    );
    const results = ids.map(
      (callId): Part => ({ type: 'tool_result', callId, parts: [{ type: 'text', text: answer }] }),
    );
    return [
      { role: 'user', parts: [{ type: 'text', text: question }] },
      { role: 'assistant', parts: [...before, { type: 'text', text: answer }, ...calls] },
      ...(results.length > 0 ? [{ role: 'tool' as const, parts: results }] : []),
    ];
  });

const MODEL = 'claude-opus-4-6';
const request = fc
  .record({
    system: fc.option(words, { nil: undefined }),
    exchanges: fc.array(exchange, { maxLength: 3 }),
    last: words,
    maxOutputTokens: fc.integer({ min: 1, max: 100_000 }),
    temperature: fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
    effort: fc.option(fc.constantFrom('low', 'medium', 'high'), { nil: undefined }),
    stream: fc.boolean(),
  })
  .map(({ system, exchanges, last, maxOutputTokens, temperature, effort, stream }) =>
    conversation({
      dialect: 'messages',
      model: MODEL,
      stream,
      messages: [
        ...(system === undefined
          ? []
          : [{ role: 'system' as const, parts: [{ type: 'text' as const, text: system }] }]),
        ...uniqueIds(exchanges).flat(),
        { role: 'user', parts: [{ type: 'text', text: last }] },
      ],
      parameters: { maxOutputTokens, ...(temperature === undefined ? {} : { temperature }) },
      ...(effort === undefined ? {} : { reasoning: { effort } }),
    }),
  );

function uniqueIds(exchanges: Message[][]): Message[][] {
  return exchanges.map((exchanged, turn) =>
    exchanged.map((message) => ({
      ...message,
      parts: message.parts.map((part) => {
        if (part.type === 'tool_call') return { ...part, id: `${turn}-${part.id}` };
        return part.type === 'tool_result' ? { ...part, callId: `${turn}-${part.callId}` } : part;
      }),
    })),
  );
}

test('decode of encode is the same request', () => {
  fc.assert(
    fc.property(request, (given) => {
      const { body, dropped } = messages.encodeRequest(given, MODEL);
      assert.deepEqual(dropped, []);
      const again = messages.encodeRequest(messages.decodeRequest(body, {}), MODEL);
      assert.deepEqual(canonicalRequest(again.body), canonicalRequest(body));
      assert.deepEqual(joinTurns(messages.decodeRequest(body, {}).messages), joinTurns(given.messages));
    }),
    RUNS,
  );
});

/** Neighbours of one role say the same as one message of both. */
function joinTurns(list: readonly Message[]): Message[] {
  const joined: Message[] = [];
  for (const message of list) {
    const last = joined.at(-1);
    if (last?.role === message.role) last.parts.push(...message.parts);
    else joined.push({ ...message, parts: [...message.parts] });
  }
  return joined;
}
