import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CompletionEvent } from '../../src/conversation/completion.ts';
import { ContinuedEvents, givenText } from '../../src/conversation/continued-events.ts';
import { NO_USAGE } from '../../src/conversation/usage.ts';
import { anyText } from '../support/any-text.ts';

const START: CompletionEvent = { type: 'start', id: 'another', model: 'm' };
const TEXT: CompletionEvent = { type: 'part_start', choice: 0, part: 0, value: { type: 'text', text: '' } };
const FINISH: CompletionEvent = { type: 'finish', choice: 0, reason: 'stop' };
const END: CompletionEvent = { type: 'end' };

const deltaOf = (delta: string, part = 0): CompletionEvent => ({
  type: 'part_delta',
  choice: 0,
  part,
  delta,
});
const endOf = (part = 0): CompletionEvent => ({ type: 'part_end', choice: 0, part });

function continued(text: string, repeats: boolean, events: readonly CompletionEvent[]): CompletionEvent[] {
  const spent = { ...NO_USAGE, input: 10, output: 3 };
  const joint = new ContinuedEvents({ text, repeats, spent: () => spent });
  return events.flatMap((event) => joint.push(event));
}

const textOf = (events: readonly CompletionEvent[]): string =>
  events.map((event) => (event.type === 'part_delta' && event.part === 0 ? event.delta : '')).join('');

/** Cut at these places. */
function pieces(text: string, cuts: readonly number[]): string[] {
  const at = [...new Set(cuts.map((cut) => cut % (text.length + 1)))].toSorted((a, b) => a - b);
  return [0, ...at].map((from, nth) => text.slice(from, at[nth]));
}

const anyWords = fc.array(fc.oneof(fc.constantFrom(' ', '\n', 'a', 'ab', '\n\n', '\t', 'é', '👍'), anyText));
const anyCuts = fc.array(fc.nat(200), { maxLength: 6 });

test('wherever an answer broke off, and however the rest is cut, the client has the whole of it once', () => {
  fc.assert(
    fc.property(anyWords, fc.nat(200), anyCuts, fc.boolean(), (words, place, cuts, repeats) => {
      const whole = words.join('');
      const begun = whole.slice(0, place % (whole.length + 1));
      fc.pre(givenText(begun) !== '');
      // What a provider generates behind what it was given, which had no white space at its end.
      const rest = whole.slice(givenText(begun).length);
      const said = pieces(repeats ? whole : rest, cuts).map((piece) => deltaOf(piece));
      const events = continued(begun, repeats, [START, TEXT, ...said, endOf(), FINISH, END]);
      assert.equal(begun + textOf(events), whole);
      assert.deepEqual(events.slice(-3), [endOf(), FINISH, END]);
      assert.ok(events.every(({ type }) => type !== 'start' && type !== 'part_start'));
    }),
  );
});

test('a provider that does not repeat after all is believed, and one that goes on otherwise keeps its words', () => {
  assert.equal(textOf(continued('Hello', true, [TEXT, deltaOf('He'), deltaOf('y'), endOf()])), 'Hey');
  assert.equal(textOf(continued('Hello \n', false, [TEXT, deltaOf(' there'), endOf()])), 'there');
  assert.equal(textOf(continued('Hello\n', false, [TEXT, deltaOf(' there'), endOf()])), ' there');
  assert.equal(textOf(continued('Hello', false, [TEXT, deltaOf('Hello'), endOf()])), 'Hello');
});

test('white space is not said twice where a text goes on with the last of what the client has', () => {
  const joined = (text: string, ...said: string[]) =>
    text + textOf(continued(text, false, [TEXT, ...said.map((delta) => deltaOf(delta)), FINISH]));
  assert.equal(joined('Hello \n\n', '\n\nworld'), 'Hello \n\nworld');
  assert.equal(joined('Hello \n\n', ' ', '\n', '\nworld'), 'Hello \n\nworld');
  assert.equal(joined('Hello \n', '\n', '\nworld'), 'Hello \n\nworld');
  assert.equal(joined('Hello \n', ' world'), 'Hello \nworld');
  assert.equal(joined('Hello\n', '\t'), 'Hello\n\t', 'white space may be all that comes');
  assert.equal(joined('Hello ', 'world'), 'Hello world');
});

test('what is thought meanwhile is passed over, and other parts follow the text', () => {
  const reasoning: CompletionEvent = {
    ...{ type: 'part_start', choice: 0, part: 0 },
    value: { type: 'reasoning', text: '' },
  };
  const call: CompletionEvent = {
    ...{ type: 'part_start', choice: 0, part: 2 },
    value: { type: 'tool_call', id: 'c', name: 'f', kind: 'function', arguments: '' },
  };
  const text: CompletionEvent = { ...TEXT, part: 1 };
  const said = [reasoning, deltaOf('Hm'), endOf(), text, deltaOf(' you', 1), endOf(1)];
  const events = continued('Hi', false, [START, ...said, call, deltaOf('{}', 2), endOf(2), FINISH]);
  const shown = [deltaOf(' you'), endOf(), { ...call, part: 1 }, deltaOf('{}', 1), endOf(1), FINISH];
  assert.deepEqual(events, shown);
});

test('a part that is open is ended before whatever else comes', () => {
  assert.deepEqual(continued('Hi', false, [START, FINISH, END]), [endOf(), FINISH, END]);
});

test('the usage that the client is told is that of all attempts', () => {
  const usage = { ...NO_USAGE, input: 20, output: 5, tier: 'flex' };
  assert.deepEqual(continued('Hi', false, [{ type: 'usage', usage }]), [
    { type: 'usage', usage: { ...NO_USAGE, input: 30, output: 8, tier: 'flex' } },
  ]);
});

test('citations stand where they do in the whole text', () => {
  const end: CompletionEvent = { ...endOf(), citations: [{ url: 'u', start: 1, end: 3 }] } as CompletionEvent;
  const placed = (repeats: boolean, delta: string, begun = 'Hello') => {
    const [, last] = continued(begun, repeats, [TEXT, deltaOf(delta), end]);
    return last?.type === 'part_end' ? last.citations : undefined;
  };
  assert.deepEqual(placed(false, ' you'), [{ url: 'u', start: 6, end: 8 }]);
  assert.deepEqual(placed(true, 'Hello you'), [{ url: 'u', start: 1, end: 3 }]);
  assert.deepEqual(placed(false, '\nyou', 'Hello \n'), [{ url: 'u', start: 7, end: 9 }]);
});
