import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents, completionEvents } from '../../../src/conversation/collect.ts';
import type { Completion, CompletionEvent } from '../../../src/conversation/completion.ts';
import { isObject, type JsonObject, tryParseJson } from '../../../src/conversation/json.ts';
import type { StreamMessage } from '../../../src/dialects/dialect.ts';
import { DIALECTS } from '../../../src/dialects/registry.ts';
import { responses } from '../../../src/dialects/responses/index.ts';
import { readRecordings, skipWithoutWire } from '../../support/wire.ts';
import { WireDiff } from '../../support/wire-diff.ts';
import { answers, exchanges, readEvents, requests, streams } from './recordings.ts';
import { accumulate } from './sdk-oracle.ts';
import { type Scope, WIRE_EXCLUSIONS } from './wire-exclusions.ts';

const skip = { skip: skipWithoutWire };

function exclusionsFor(scope: Scope): WireDiff {
  return new WireDiff(WIRE_EXCLUSIONS.filter((exclusion) => exclusion.scope === scope));
}

function isOver({ status }: JsonObject): boolean {
  return status !== 'queued' && status !== 'in_progress';
}

/** Without the fields that say nothing, as JSON has it. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

function decode(messages: readonly StreamMessage[]): CompletionEvent[] {
  const decoder = responses.streamDecoder();
  return [...messages.flatMap((message) => decoder.push(message)), ...decoder.end()];
}

test('recorded requests say the same after decoding and encoding', skip, () => {
  const diff = exclusionsFor('request');
  for (const { id, body } of requests) {
    const conversation = responses.decodeRequest(body, {});
    const { body: encoded, dropped } = responses.encodeRequest(conversation, String(body['model']));
    assert.deepEqual(diff.compare(body, encoded), [], id);
    assert.deepEqual(dropped, [], id);
    if (typeof body['input'] === 'string') {
      assert.deepEqual(encoded['input'], [{ role: 'user', content: body['input'] }]);
    }
  }
  assert.ok(requests.length > 180);
  assert.deepEqual(diff.unused(), []);
});

test('recorded answers say the same after decoding and encoding', skip, () => {
  const diff = exclusionsFor('answer');
  const whole = answers.filter(({ body }) => isOver(body));
  for (const { id, body } of whole) {
    assert.deepEqual(diff.compare(body, responses.encodeResponse(responses.decodeResponse(body))), [], id);
  }
  assert.ok(whole.length > 170);
  assert.deepEqual(diff.unused(), []);
});

test('a recorded response that is still under way is no answer', skip, () => {
  const underWay = answers.filter(({ body }) => !isOver(body));
  assert.ok(underWay.length > 0);
  for (const { body } of underWay) {
    assert.throws(() => responses.decodeResponse(body), { kind: 'upstream_unavailable' });
  }
});

test('recorded errors keep their message, code and parameter', skip, () => {
  const refused = exchanges.filter(({ response }) => response.status !== 200);
  for (const { id, response } of refused) {
    const failure = responses.decodeError(response.status, response.body);
    if (!isObject(response.body)) continue;
    const { error } = response.body as { error: JsonObject };
    assert.equal(failure.message, error['message'], id);
    assert.equal(failure.code, error['code'] ?? error['type'], id);
    assert.equal(failure.param, error['param'] ?? undefined, id);
  }
  assert.ok(refused.length >= 8);
});

test('a recorded stream gives the completion of the whole response at its end', skip, () => {
  const diff = exclusionsFor('stream');
  for (const { id, messages } of streams) {
    const { completion, error, ended } = collectEvents(decode(messages));
    assert.equal(error, undefined, id);
    assert.ok(ended, id);
    const last = messages.map(({ data }) => tryParseJson(data)).findLast(isObject);
    const { response } = last ?? {};
    assert.ok(isObject(response), id);
    assert.deepEqual(diff.compare(plain(responses.decodeResponse(response)), plain(completion)), [], id);
  }
  assert.ok(streams.length > 40);
  assert.deepEqual(diff.unused(), []);
});

/** A completion by the bytes that a client's stream would have of it. */
function throughStream(events: Iterable<CompletionEvent>): Completion {
  const encoder = responses.streamEncoder({ includeUsage: false });
  let text = '';
  for (const event of events) text += encoder.push(event);
  const { completion, error } = collectEvents(decode(readEvents(text)));
  assert.equal(error, undefined);
  return completion;
}

test('recorded streams and answers pass through encoder and decoder unchanged', skip, () => {
  const whole = answers.filter(({ body }) => isOver(body)).map(({ body }) => responses.decodeResponse(body));
  const streamed = streams.map(({ messages }) => decode(messages));
  for (const events of [...whole.map((completion) => [...completionEvents(completion)]), ...streamed]) {
    const before = collectEvents(events).completion;
    const after = throughStream(events);
    assert.deepEqual(
      [meanings(after), after.choices[0]?.finish, after.usage, after.id],
      [meanings(before), before.choices[0]?.finish, before.usage, before.id],
    );
  }
});

/** The parts without what only tells their form. Items that overlap are written in the order of their ends. */
function meanings({ choices }: Completion): string[] {
  const parts = choices.flatMap((choice) => choice.parts);
  return parts.map((part) => JSON.stringify(sortKeys({ ...part, extra: undefined }))).sort();
}

function sortKeys(value: object): object {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

test("OpenAI's SDK reads what clients get of recorded streams of the other dialects", skip, async () => {
  const sources = [
    [DIALECTS.messages, readRecordings('anthropic')],
    [DIALECTS.gemini, readRecordings('google')],
    [DIALECTS.chat, [...readRecordings('groq'), ...readRecordings('deepseek'), ...readRecordings('mistral')]],
  ] as const;
  let count = 0;
  for (const [dialect, recorded] of sources) {
    for (const { id, chunks } of recorded) {
      if (!chunks) continue;
      const decoder = dialect.streamDecoder();
      const events = [...chunks.flatMap((data) => decoder.push({ data })), ...decoder.end()];
      const { completion, error } = collectEvents(events);
      if (error) continue;
      const encoder = responses.streamEncoder({ includeUsage: false });
      const text = events.map((event) => encoder.push(event)).join('');
      const response = await accumulate(text);
      const words = completion.choices[0]?.parts.flatMap((part) => (part.type === 'text' ? [part.text] : []));
      assert.equal(response.output_text, words?.join(''), id);
      count++;
    }
  }
  assert.ok(count > 20, `${count} streams`);
});
