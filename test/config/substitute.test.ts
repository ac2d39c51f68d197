import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { readDocument } from '../../src/config/document.ts';
import { readPlainScalar, substitute } from '../../src/config/substitute.ts';
import { isObject, type JsonValue } from '../../src/conversation/json.ts';
import { anyWords } from '../support/any-text.ts';

const ENV = { NAME: 'value', EMPTY: '', NESTED: `\${NAME}`, DOLLAR: '$' };

const CASES: [string, string][] = [
  [`\${NAME}`, 'value'],
  [`a-\${NAME}-\${NAME}`, 'a-value-value'],
  [`\${EMPTY}`, ''],
  [`\${MISSING:-fallback}`, 'fallback'],
  [`\${MISSING:-}`, ''],
  [`\${MISSING:-a:-b}`, 'a:-b'],
  [`\${EMPTY:-fallback}`, 'fallback'],
  [`\${NAME:-fallback}`, 'value'],
  [`$\${NAME}`, `\${NAME}`],
  [`\${NESTED}`, `\${NAME}`],
  [`\${DOLLAR}{NAME}`, `\${NAME}`],
  ['$NAME costs $5 {NAME}', '$NAME costs $5 {NAME}'],
];

for (const [source, expected] of CASES) {
  test(`${source} becomes ${JSON.stringify(expected)}`, () => {
    const { text, mistakes } = substitute(source, ENV);
    assert.deepEqual({ text, mistakes }, { text: expected, mistakes: [] });
  });
}

for (const source of [`\${}`, `\${1X}`, `\${NAME`, `\${A B}`, `\${NAME:?x}`]) {
  test(`${source} is a malformed placeholder`, () => {
    assert.match(substitute(source, ENV).mistakes.join(), /^malformed placeholder/);
  });
}

test('a variable that is not set and has no default is a mistake that names it', () => {
  assert.match(substitute(`\${NOPE}`, ENV).mistakes.join(), /variable NOPE is not set/);
});

const PLAIN: [string, JsonValue][] = [
  ['8080', 8080],
  ['-1.5e3', -1500],
  ['0x1F', 31],
  ['0o17', 15],
  ['true', true],
  ['False', false],
  ['null', null],
  ['', null],
  ['007', 7],
  ['1_000', '1_000'],
  ['yes', 'yes'],
  ['2027-01-01', '2027-01-01'],
  ['{a: 1}', '{a: 1}'],
  ['1e999', '1e999'],
];

for (const [text, expected] of PLAIN) {
  test(`the plain text ${JSON.stringify(text)} reads as ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(readPlainScalar(text), expected);
  });
}

const HOSTILE = fc.oneof(
  anyWords(),
  fc.constantFrom(
    'a: b',
    '{a: 1}',
    '[1, 2]',
    '- x',
    '# no',
    '"',
    "'",
    '\n  extra: 1',
    '*a',
    '&a',
    '!!map',
    '|',
    `\${X}`,
    '---',
    '<<',
  ),
);

test('property: what is substituted never changes the structure, and reaches quoted text as it is', () => {
  const text = [
    `plain: \${X}`,
    `double: "\${X}"`,
    `single: '\${X}'`,
    'block: |-',
    `  \${X}`,
    `list: [ "\${X}", after ]`,
    `map: { inner: "a\${X}b", after: 1 }`,
    `# \${NOT_SET} in a comment`,
  ].join('\n');
  fc.assert(
    fc.property(HOSTILE, (value) => {
      const document = readDocument(text, { X: value });
      assert.deepEqual([...document.syntax, ...document.findings], []);
      assert.ok(isObject(document.value));
      const { plain, ...rest } = document.value;
      assert.ok(plain === null || typeof plain !== 'object');
      assert.deepEqual(rest, {
        double: value,
        single: value,
        block: value,
        list: [value, 'after'],
        map: { inner: `a${value}b`, after: 1 },
      });
    }),
  );
});
