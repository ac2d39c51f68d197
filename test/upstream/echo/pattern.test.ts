import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readPattern } from '../../../src/upstream/echo/pattern.ts';
import { proposeMatches } from '../../../src/upstream/echo/pattern-instance.ts';
import { SchemaScope } from '../../../src/upstream/echo/schema-scope.ts';
import { scale } from '../../support/scale.ts';

function matchesOf(pattern: string, shortest = 0): string[] {
  return [...proposeMatches(pattern, shortest, 0, new SchemaScope(true, 'schema'))];
}

/** Sources of regular expressions out of everything that is read. */
const { pattern: patterns } = fc.letrec<{ pattern: string; sequence: string; item: string; atom: string }>(
  (tie) => ({
    pattern: fc
      .array(fc.tuple(fc.constantFrom('^', ''), tie('sequence'), fc.constantFrom('$', '')), {
        minLength: 1,
        maxLength: 3,
      })
      .map((branches) => branches.map((branch) => branch.join('')).join('|')),
    sequence: fc.array(tie('item'), { maxLength: 4 }).map((items) => items.join('')),
    item: fc
      .tuple(tie('atom'), fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,}', '{0,2}', '+?'))
      .map((item) => item.join('')),
    atom: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom('a', 'é', '😀', '.', '\\d', '\\w', '\\s', '\\D', '\\W', '\\S', '\\.', '\\/'),
      fc.constantFrom('\\x41', '\\u00e9', '\\u{1F600}', '\\n', ' '),
      fc.constantFrom(
        '[abc]',
        '[a-f0-9]',
        '[^a-z]',
        '[^\\w\\s-]',
        '[\\s\\S]',
        '[.+*?-]',
        '[-x]',
        '[\\-x]',
        '[\\]^]',
      ),
      tie('sequence').map((inner) => `(${inner})`),
      fc.tuple(tie('sequence'), tie('sequence')).map(([a, b]) => `(?:${a}|${b})`),
      tie('sequence').map((inner) => `(?<name>${inner})`),
    ),
  }),
);

test('what is written for a pattern matches it', () => {
  fc.assert(
    // A group name may stand only once.
    fc.property(
      patterns.filter((source) => source.split('<name>').length < 3),
      fc.nat(3),
      (source, shortest) => {
        // Node's engine backtracks: on long texts it takes for ever to agree.
        const short = matchesOf(source, shortest).filter((text) => text.length < 16);
        for (const text of short) assert.match(text, new RegExp(source, 'u'));
      },
    ),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

test('every pattern of the supported kind gets a match', () => {
  fc.assert(
    fc.property(patterns, (source) => {
      // `[^…]` and the like always leave a character, so nothing here is without a match.
      assert.ok(matchesOf(source).length > 0, source);
    }),
    { numRuns: scale({ sample: 80, heavy: 300 }) },
  );
});

test('a match is made longer where that is asked for', () => {
  for (const source of ['^[a-z]+$', '^\\d{2,}$', 'q', '^ab*']) {
    const long = matchesOf(source, 9).filter(
      (text) => text.length >= 9 && new RegExp(source, 'u').test(text),
    );
    assert.ok(long.length > 0, source);
  }
});

test('what cannot be written down at once is not read', () => {
  const sources = [
    '(?=a)b',
    '(?<!a)b',
    '(a)\\1',
    '\\bword',
    '\\p{L}',
    'a^b',
    '(a$)',
    'a{2,1}',
    '[z-a]',
    '(',
    '*',
    '\\u{110000}',
  ];
  for (const source of sources) {
    assert.equal(readPattern(source, new SchemaScope(true, 'schema')), undefined, source);
  }
});

test('a pattern that would keep a backtracking engine busy is not run', () => {
  assert.deepEqual(matchesOf('^(a+)+$')[0], 'a');
});

test('a pattern that demands a very long text, or nests without end, is refused', () => {
  for (const source of ['a{1000000000}', '((a{1000}){1000}){1000}', '('.repeat(5000)]) {
    assert.throws(
      () => matchesOf(source),
      { name: 'GatewayError', kind: 'invalid_request' },
      source.slice(0, 30),
    );
  }
});
