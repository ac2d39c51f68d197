import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { isObject } from '../../../src/conversation/json.ts';
import { gemini } from '../../../src/dialects/gemini/index.ts';
import { geminiCompletion, geminiConversation } from './generators.ts';

const MODEL = 'gemini-3-flash-preview';

test('a request is the same after encoding and decoding', () => {
  fc.assert(
    fc.property(geminiConversation, (conversation) => {
      const { body, dropped } = gemini.encodeRequest(conversation, MODEL);
      assert.deepEqual(dropped, []);
      const { model, stream } = conversation;
      assert.deepEqual(
        gemini.decodeRequest(JSON.parse(JSON.stringify(body)), { model, stream }),
        conversation,
      );
    }),
  );
});

test('contents alternate between user and model, beginning with the user', () => {
  fc.assert(
    fc.property(geminiConversation, fc.array(fc.nat()), (conversation, order) => {
      const messages = conversation.messages.filter(({ role }) => role !== 'tool');
      const shuffled = order.flatMap((at) => messages[at % messages.length] ?? []);
      const { body } = gemini.encodeRequest({ ...conversation, messages: shuffled }, MODEL);
      const roles = (body['contents'] as { role: string }[]).map(({ role }) => role);
      assert.deepEqual(
        roles,
        roles.map((_, index) => (index % 2 === 0 ? 'user' : 'model')),
      );
    }),
  );
});

test('an answer is the same after encoding and decoding', () => {
  fc.assert(
    fc.property(geminiCompletion, (completion) => {
      const body = JSON.parse(JSON.stringify(gemini.encodeResponse(completion)));
      assert.deepEqual(gemini.decodeResponse(body), completion);
    }),
  );
});

/** The events written as a stream and read again. */
function relay(events: Iterable<CompletionEvent>): Completion {
  const encoder = gemini.streamEncoder({ includeUsage: true });
  const decoder = gemini.streamDecoder();
  const text = [...events].map((event) => encoder.push(event)).join('');
  const payloads = text
    .split('\r\n\r\n')
    .flatMap((event) => (event === '' ? [] : [event.slice('data: '.length)]));
  const read = [...payloads.flatMap((data) => decoder.push({ data })), ...decoder.end()];
  assertWellFormed(read);
  const { completion, error, ended } = collectEvents(read);
  assert.equal(error, undefined);
  assert.ok(ended);
  return completion;
}

/** One start first, parts in order and ended before their choice, `end` last. */
function assertWellFormed(events: readonly CompletionEvent[]): void {
  const open = new Set<string>();
  assert.equal(events[0]?.type, 'start');
  assert.equal(events.at(-1)?.type, 'end');
  for (const event of events) {
    if (event.type === 'finish') assert.ok(![...open].some((key) => key.startsWith(`${event.choice}/`)));
    if (event.type !== 'part_start' && event.type !== 'part_delta' && event.type !== 'part_end') continue;
    const key = `${event.choice}/${event.part}`;
    assert.equal(open.has(key), event.type !== 'part_start');
    if (event.type === 'part_start') open.add(key);
    if (event.type === 'part_end') open.delete(key);
  }
  assert.equal(open.size, 0);
}

test('an answer is the same after being written as a stream and read again', () => {
  fc.assert(
    fc.property(geminiCompletion, (completion) => {
      assert.deepEqual(relay(completionEvents(completion)), completion);
    }),
  );
});

test('however the deltas of a stream are cut, they add up to the same answer', () => {
  fc.assert(
    fc.property(geminiCompletion, fc.infiniteStream(fc.integer({ min: 1, max: 4 })), (completion, sizes) => {
      const cut = [...completionEvents(completion)].flatMap((event) =>
        event.type === 'part_delta' ? cutDelta(event, sizes) : [event],
      );
      assert.deepEqual(relay(cut), completion);
    }),
  );
});

function cutDelta(
  event: CompletionEvent & { type: 'part_delta' },
  sizes: Iterator<number>,
): CompletionEvent[] {
  const pieces: CompletionEvent[] = [];
  let at = 0;
  while (at < event.delta.length) {
    const size = Number(sizes.next().value);
    pieces.push({ ...event, delta: event.delta.slice(at, at + size) });
    at += size;
  }
  return pieces;
}

/** Messages that look like the dialect's, with anything in their fields. */
const anything = fc.jsonValue({ maxDepth: 3 });
const anyMessage = fc.record(
  {
    contents: fc.oneof(
      anything,
      fc.array(fc.record({ role: fc.constantFrom('user', 'model'), parts: anything })),
    ),
    candidates: fc.oneof(
      anything,
      fc.array(
        fc.record({
          index: anything,
          finishReason: anything,
          content: fc.record({ parts: fc.array(anyPart()) }),
        }),
      ),
    ),
    usageMetadata: anything,
    promptFeedback: anything,
    generationConfig: anything,
    tools: anything,
    toolConfig: anything,
    systemInstruction: anything,
    error: anything,
  },
  { requiredKeys: [] },
);

function anyPart() {
  const fields = ['text', 'thought', 'thoughtSignature', 'functionCall', 'inlineData', 'fileData'];
  return fc.dictionary(
    fc.constantFrom(...fields),
    fc.oneof(anything, fc.record({ name: anything, args: anything })),
  );
}

test('whatever a caller sends, it is read or refused', () => {
  fc.assert(
    fc.property(anyMessage, (message) => {
      const body = JSON.parse(JSON.stringify(message));
      try {
        const conversation = gemini.decodeRequest(body, {});
        assert.ok(isObject(gemini.encodeRequest(conversation, MODEL).body));
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.kind === 'invalid_request', String(error));
      }
    }),
  );
});

test('whatever a provider sends, it is read or its error', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(anyMessage, anything), { maxLength: 4 }), (messages) => {
      const decoder = gemini.streamDecoder();
      const events = [
        ...messages.flatMap((message) => decoder.push({ data: JSON.stringify(message) })),
        ...decoder.end(),
      ];
      const { ended, error } = collectEvents(events);
      assert.ok(ended !== (error !== undefined));
      for (const message of messages) {
        try {
          assert.ok(gemini.decodeResponse(JSON.parse(JSON.stringify(message))).choices.length > 0);
        } catch (failure) {
          assert.ok(
            failure instanceof GatewayError && failure.kind === 'upstream_unavailable',
            String(failure),
          );
        }
        assert.equal(typeof gemini.decodeError(500, JSON.parse(JSON.stringify(message))).message, 'string');
      }
    }),
  );
});
