import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDocument } from '../../src/config/document.ts';

function messagesOf(text: string): string[] {
  const { syntax, findings } = readDocument(text, {});
  return [...syntax, ...findings].map((finding) => finding.message);
}

test('an empty file, or one of comments alone, says nothing', () => {
  for (const text of ['', '\n\n', '# nothing\n']) {
    const { value, syntax, findings } = readDocument(text, {});
    assert.deepEqual({ value, syntax, findings }, { value: {}, syntax: [], findings: [] });
  }
});

test('JSON is read as it is, tabs and all', () => {
  const value = {
    server: { port: 1 },
    models: { a: { targets: ['echo/echo'] } },
    ok: [true, null, 1.5, 'x'],
  };
  assert.deepEqual(readDocument(JSON.stringify(value, null, '\t'), {}).value, value);
});

test('plain scalars are typed after substitution, quoted ones stay text', () => {
  const text = `port: \${PORT}\nquoted: "\${PORT}"\nescaped: $\${PORT}\nflag: \${FLAG:-true}\ntagged: !!str \${PORT}\n`;
  assert.deepEqual(readDocument(text, { PORT: '8080' }).value, {
    port: 8080,
    quoted: '8080',
    escaped: `\${PORT}`,
    flag: true,
    tagged: '8080',
  });
});

test('state: memory: may be written without quotes, with a comment or without', () => {
  for (const end of ['', '\n', '   # counters\n', '\r\nlogging: {}\r\n']) {
    const { value, syntax } = readDocument(`state: memory:${end}`, {});
    assert.deepEqual(syntax, []);
    assert.equal((value as { state: string }).state, 'memory:');
  }
});

test('an alias is its anchor, a later anchor of the same name replaces an earlier one', () => {
  const text = 'a: &x { v: 1 }\nb: *x\nc: &x 2\nd: [*x, *x]\n';
  assert.deepEqual(readDocument(text, {}).value, { a: { v: 1 }, b: { v: 1 }, c: 2, d: [2, 2] });
});

test('<< merges mappings: what is written goes before what is merged, the first merge before the second', () => {
  const text = 'a: &a { x: 1, y: 1 }\nb: &b { y: 2, z: 2 }\nc: { <<: [*a, *b], x: 0 }\nd: { "<<": kept }\n';
  assert.deepEqual(readDocument(text, {}).value, {
    a: { x: 1, y: 1 },
    b: { y: 2, z: 2 },
    c: { x: 0, y: 1, z: 2 },
    d: { '<<': 'kept' },
  });
});

test('an alias bomb is refused before it is expanded', () => {
  const lines = ['l0: &l0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let level = 1; level < 40; level++) {
    const alias = `*l${level - 1}`;
    lines.push(`l${level}: &l${level} [${Array(10).fill(alias).join(', ')}]`);
  }
  const document = readDocument(lines.join('\n'), {});
  assert.equal(document.value, undefined);
  assert.deepEqual(
    document.findings.map((finding) => finding.message),
    ['aliases add more than 100000 values to the file'],
  );
});

const MISTAKES: [string, string, RegExp][] = [
  ['a key that is written twice', 'a: 1\nb: 2\na: 3\n', /^the same key stands above already$/],
  ['an alias inside of its own anchor', 'a: &x [*x]\n', /^an alias .* without its anchor/],
  ['an alias without anchor', 'a: *sk-live-123\n', /^an alias .* without its anchor/],
  ['a merge of something else', 'a: { <<: 1 }\n', /^<< takes the alias of a mapping/],
  ['a variable in a key', `"\${A}": 1\n`, /^variables are not put into keys$/],
  ['__proto__ as a key', '{ "__proto__": { "polluted": true } }', /^__proto__ is no name/],
  ['an infinite number', 'a: .inf\n', /^expected a finite number$/],
  ['a second document', 'a: 1\n---\nb: 2\n', /a config is one document$/],
  ['a tab as indentation', 'a:\n\tb: 1\n', /a tab cannot indent/],
  ['a quote that is not closed', 'a: "b\n', /is missing/],
  ['an unknown tag', 'a: !secret b\n', /a tag that is not known/],
  [
    'a placeholder without quotes in braces',
    `a: { b: \${X} }\n`,
    /inside of \{ \} and \[ \] a placeholder needs quotes/,
  ],
  ['very deep nesting', '['.repeat(20_000), /nested too deeply|is missing/],
];

for (const [name, text, expected] of MISTAKES) {
  test(`${name} is reported in words of ours`, () => {
    assert.ok(
      messagesOf(text).some((message) => expected.test(message)),
      messagesOf(text).join('\n'),
    );
  });
}

test('no syntax error quotes the file', () => {
  const secret = 'sk-live-do-not-show';
  for (const broken of [
    `a: "${secret}`,
    `a: ${secret}: x`,
    `${secret}\nb: 1`,
    `a: *${secret}`,
    `a: !${secret} b`,
    `- a\n${secret}`,
  ]) {
    const messages = messagesOf(broken);
    assert.notEqual(messages.length, 0, broken);
    assert.ok(!messages.join().includes(secret), messages.join());
  }
});

test('places: values, keys, merged values, and the parent of what is missing', () => {
  const text = 'models:\n  a: &a\n    targets:\n      - one\n      - target: two\n  b:\n    <<: *a\n';
  const document = readDocument(text, {});
  const at = (path: (string | number)[], key?: 'key') => {
    const { line, column } = document.locate(path, key);
    return `${line}:${column}`;
  };
  assert.equal(at(['models', 'a', 'targets', 0]), '4:9');
  assert.equal(at(['models', 'a', 'targets', 1, 'target']), '5:17');
  assert.equal(at(['models', 'a', 'targets', 1, 'target'], 'key'), '5:9');
  assert.equal(at(['models', 'a', 'strategy']), '2:3');
  assert.equal(at(['models', 'b', 'targets', 0]), '4:9');
  assert.equal(at(['nothing', 'here']), '1:1');
});
