import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { StopReader, StopSearch } from '../../src/conversation/stop-search.ts';
import { scale } from '../support/scale.ts';

interface Stopped {
  text: string;
  sequence: string | undefined;
}

/** What a model does that writes letter by letter and looks behind it after each. */
function stopByHand(text: string, sequences: readonly string[]): Stopped {
  for (let end = 1; end <= text.length; end += 1) {
    const written = text.slice(0, end);
    const met = sequences.filter((sequence) => sequence !== '' && written.endsWith(sequence));
    met.sort((a, b) => b.length - a.length);
    const [sequence] = met;
    if (sequence !== undefined) return { text: written.slice(0, end - sequence.length), sequence };
  }
  return { text, sequence: undefined };
}

function stopInPieces(pieces: readonly string[], sequences: readonly string[]): Stopped {
  const reader = new StopReader(new StopSearch(sequences));
  let before = '';
  for (const piece of pieces) {
    const match = reader.read(piece);
    if (match) {
      const text = before + piece.slice(0, match.end);
      return { text: text.slice(0, text.length - match.sequence.length), sequence: match.sequence };
    }
    before += piece;
    const open = before.slice(before.length - reader.open);
    assert.ok(open === '' || sequences.some((sequence) => sequence.startsWith(open)));
  }
  return { text: before, sequence: undefined };
}

const CASES: [name: string, text: string, sequences: string[], stopped: Stopped][] = [
  ['none is met', 'abc', ['x'], { text: 'abc', sequence: undefined }],
  ['one at the beginning', 'abc', ['a'], { text: '', sequence: 'a' }],
  ['one at the end', 'abc', ['bc'], { text: 'a', sequence: 'bc' }],
  ['the one that is complete first', 'abcd', ['abcd', 'b'], { text: 'a', sequence: 'b' }],
  ['the longest of those that end there', 'abcd', ['c', 'abc', 'bc'], { text: '', sequence: 'abc' }],
  ['one that begins again within itself', 'aabaabaac', ['aabaac'], { text: 'aab', sequence: 'aabaac' }],
  ['one within the beginning of another', 'xyzq', ['xyzw', 'yz'], { text: 'x', sequence: 'yz' }],
  ['an empty one says nothing', 'abc', ['', 'c'], { text: 'ab', sequence: 'c' }],
  ['letters of several units', 'a😀b', ['😀'], { text: 'a', sequence: '😀' }],
  ['their first units alone are not them', 'a😁b😀', ['😀'], { text: 'a😁b', sequence: '😀' }],
];
for (const [name, text, sequences, stopped] of CASES) {
  test(`a text stops: ${name}`, () => {
    assert.deepEqual(stopInPieces([text], sequences), stopped);
    assert.deepEqual(stopInPieces([...text], sequences), stopped);
    assert.deepEqual(stopByHand(text, sequences), stopped);
  });
}

test('a text in pieces stops where one does that is written letter by letter', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n', '😀', 'é'), maxLength: 6 });
  fc.assert(
    fc.property(
      fc.array(letters, { maxLength: 12 }),
      fc.array(letters, { maxLength: 5 }),
      (pieces, stops) => {
        assert.deepEqual(stopInPieces(pieces, stops), stopByHand(pieces.join(''), stops));
      },
    ),
    { numRuns: scale({ sample: 400, heavy: 2_000 }) },
  );
});

test('sequences that are made to begin again and again cost no more than their length', () => {
  const sequence = `${'a'.repeat(10_000)}b`;
  const reader = new StopReader(new StopSearch([sequence]));
  let pieces = 0;
  while (pieces < 200 && !reader.read('a'.repeat(1000))) pieces += 1;
  assert.equal(pieces, 200);
  assert.equal(reader.open, 10_000);
  assert.deepEqual(reader.read('b'), { sequence, end: 1 });
});
