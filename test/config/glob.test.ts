import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob } from '../../src/config/glob.ts';

const CASES: [glob: string, text: string, matches: boolean][] = [
  ['smart', 'smart', true],
  ['smart', 'smarter', false],
  ['*', '', true],
  ['*', 'openai/gpt-4.1', true],
  ['openai/*', 'openai/gpt-4.1', true],
  ['openai/*', 'openai/', true],
  ['openai/*', 'azure/gpt-4.1', false],
  ['openrouter/*', 'openrouter/openai/gpt-4.1', true],
  ['*-latest', 'gemini-flash-latest', true],
  ['*-latest', 'gemini-latest-flash', false],
  ['a*b*c', 'abc', true],
  ['a*b*c', 'a-b-b-c', true],
  ['a*b*c', 'acb', false],
  ['ab*ba', 'aba', false],
  ['a*b*b', 'ab', false],
  ['a**b', 'ab', true],
  ['a.c', 'abc', false],
  ['[ab]', 'a', false],
];

for (const [glob, text, matches] of CASES) {
  test(`the glob ${glob} ${matches ? 'matches' : 'does not match'} '${text}'`, () => {
    assert.equal(compileGlob(glob)(text), matches);
  });
}

test('a glob means what the regular expression with .* for * means', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
  fc.assert(
    fc.property(letters, text, (glob, candidate) => {
      const expression = new RegExp(`^${glob.replaceAll('*', '.*')}$`);
      assert.equal(compileGlob(glob)(candidate), expression.test(candidate));
    }),
    { numRuns: 500 },
  );
});
