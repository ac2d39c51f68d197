import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../src/conversation/collect.ts';
import type { JsonValue } from '../../src/conversation/json.ts';
import type { Dialect } from '../../src/dialects/dialect.ts';
import { gemini } from '../../src/dialects/gemini/index.ts';
import { arrayPassThrough } from '../../src/dialects/gemini/json-array.ts';
import { passThrough as geminiPassThrough } from '../../src/dialects/gemini/pass-through.ts';
import { messages } from '../../src/dialects/messages/index.ts';
import { passThrough as messagesPassThrough } from '../../src/dialects/messages/pass-through.ts';
import type { PassThrough } from '../../src/dialects/pass-through.ts';
import { EventReader } from '../../src/upstream/event-reader.ts';
import { readExchanges, readRecordings, skipWithoutWire } from '../support/wire.ts';

/** What a relay must see of recorded traffic: the same as whoever decodes it. */
interface Recorded {
  dialect: Dialect;
  passThrough: PassThrough;
  wholes: JsonValue[];
  /** As server-sent events. */
  streams: string[];
}

function recorded(
  dialect: Dialect,
  passThrough: PassThrough,
  exchanges: string,
  recordings: string,
  isAnswer: (url: string) => boolean,
): Recorded {
  const answers = readExchanges(exchanges).filter(({ url, response }) => {
    return response.status === 200 && isAnswer(url);
  });
  const bodies = answers.map(({ response }) => response.body);
  // Newer interfaces of the same makers are recorded beside.
  const main = readRecordings(recordings).filter(({ api }) => api === 'main');
  return {
    dialect,
    passThrough,
    wholes: [
      ...bodies.filter((body) => typeof body !== 'string'),
      ...main.flatMap(({ body }) => (body ? [body] : [])),
    ],
    streams: [
      ...bodies.filter((body) => typeof body === 'string' && /^(data|event):/.test(body)).map(String),
      ...main.flatMap(({ chunks }) => (chunks ? [chunks.map((data) => `data: ${data}\n\n`).join('')] : [])),
    ],
  };
}

const RECORDED = [
  recorded(messages, messagesPassThrough, 'anthropic-messages', 'anthropic', (url) =>
    /\/messages$/.test(url),
  ),
  recorded(gemini, geminiPassThrough, 'gemini', 'google', (url) => /:(stream)?generateContent/i.test(url)),
];

for (const { dialect, passThrough, wholes, streams } of RECORDED) {
  test(`${dialect.name}: recorded answers have the usage that decoding finds`, {
    skip: skipWithoutWire,
  }, () => {
    assert.ok(wholes.length > 10);
    for (const answer of wholes) {
      for (const text of [JSON.stringify(answer), JSON.stringify(answer, null, 2)]) {
        const body = Buffer.from(text);
        assert.equal(passThrough.readFailure(body), undefined);
        assert.deepEqual(passThrough.readUsage(body), dialect.decodeResponse(answer).usage);
      }
    }
  });

  test(`${dialect.name}: a scanner sees of recorded streams what a decoder sees`, {
    skip: skipWithoutWire,
  }, () => {
    assert.ok(streams.length > 5);
    for (const stream of streams) {
      const bytes = Buffer.from(stream);
      const reader = new EventReader();
      const decoder = dialect.streamDecoder();
      const read = [...reader.push(bytes), ...reader.end()].flatMap((message) => decoder.push(message));
      const { completion, ended, error } = collectEvents([...read, ...decoder.end()]);
      const scanner = passThrough.streamScanner({ hideUsage: true });
      assert.equal(scanner.scan(bytes), bytes);
      assert.equal(scanner.failure?.message, error?.message);
      assert.equal(scanner.finished, ended);
      assert.deepEqual(scanner.usage, completion.usage);
      assert.equal(scanner.hasOutput, completion.choices.length > 0);
    }
  });
}

test('gemini: recorded streams are JSON texts as arrays', { skip: skipWithoutWire }, () => {
  for (const stream of RECORDED.find(({ dialect }) => dialect === gemini)?.streams ?? []) {
    const scanner = arrayPassThrough.streamScanner({ hideUsage: true });
    const array = JSON.parse(scanner.scan(Buffer.from(stream)).toString() + scanner.closing()) as JsonValue[];
    const events = stream.split(/\r?\n\r?\n/).filter((event) => event.startsWith('data:'));
    assert.deepEqual(
      array,
      events.map((event) => JSON.parse(event.slice('data:'.length)) as JsonValue),
    );
  }
});
