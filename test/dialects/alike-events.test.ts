import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AlikeEvents, textsOf } from '../../src/dialects/alike-events.ts';

const event = (text: string, more = '') => `data: {"index":0,"text":${JSON.stringify(text)}${more}}\n\n`;

function knowing(like: string): AlikeEvents {
  const events = new AlikeEvents(textsOf(['text', 'pad']));
  events.learn(Buffer.from(like));
  return events;
}

const count = (alike: AlikeEvents, ...events: string[]) => alike.count(Buffer.from(events.join('')));

test('events are alike whatever the texts say', () => {
  const alike = knowing(event('Hello'));
  assert.equal(count(alike, event('Hello')), 1);
  assert.equal(count(alike, event('', ''), event('"quoted" \\ {"index":1}\n\n'), event('é 世 😀')), 3);
  const padded = knowing(event('Hello', ',"pad":"xx"'));
  assert.equal(count(padded, event('Good', ',"pad":""'), event('bye', ',"pad":"x,y"')), 2);
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' }), { minLength: 1 }), (texts) => {
      assert.equal(count(knowing(event('Hello')), ...texts.map((text) => event(text))), texts.length);
    }),
  );
});

for (const [what, other] of Object.entries({
  'another field': event('Hi', ',"finish":"stop"'),
  'another value': event('Hi').replace(':0', ':1'),
  'something else than a text': 'data: {"index":0,"text":null}\n\n',
  'a text that is cut off': 'data: {"index":0,"text":"Hi',
  'a text that is cut off behind a backslash': 'data: {"index":0,"text":"Hi\\',
  'a text over two lines': 'data: {"index":0,"text":"H\ni"}\n\n',
  'another line': `id: 1\n${event('Hi')}`,
  'no more than its beginning': event('Hi').slice(0, -1),
  'more than it': `${event('Hi')}data: [DONE]\n\n`,
  'lines that end otherwise': event('Hi').replaceAll('\n', '\r\n'),
})) {
  test(`an event with ${what} is not like the others, wherever it stands`, () => {
    const alike = knowing(event('Hello'));
    for (const events of [[other], [event('a'), other], [event('a'), other, event('b')]])
      assert.equal(count(alike, ...events), 0);
    assert.equal(count(alike, event('a')), 1);
  });
}

test('nothing is like an event that is not known, and of several the first is known', () => {
  const alike = new AlikeEvents(textsOf(['text']));
  assert.equal(count(alike, event('a')), 0);
  assert.equal(count(knowing(event('a') + event('b', ',"x":1')), event('c')), 1);
});

test('a stream whose events are never alike is not compared for long, one that changes now and then is', () => {
  const strange = new AlikeEvents(textsOf(['text']));
  for (let time = 0; time < 100; time += 1) strange.learn(Buffer.from(event('a', `,"created":${time}`)));
  assert.equal(count(strange, event('a', ',"created":99')), 0);
  const changing = new AlikeEvents(textsOf(['text']));
  for (let time = 0; time < 100; time += 1) {
    changing.learn(Buffer.from(event('a', `,"created":${time}`)));
    for (let again = 0; again < 2; again += 1)
      assert.equal(count(changing, event('b', `,"created":${time}`)), 1);
  }
});
