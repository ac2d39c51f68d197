import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type JunitCase, writeJunit } from '../../src/cli/junit.ts';

interface Element {
  name: string;
  attributes: Record<string, string>;
  children: Element[];
  text: string;
}

const TOKEN =
  /<\?xml [^>]*\?>|<(\/?)([a-z][a-z-]*)((?: [a-z]+="[^"<]*")*)(\/?)>|([^<&]+)|&(#\d+|lt|gt|amp|quot);/gy;
const NAMED: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"' };

/** Strict: what is not well-formed, by as much of XML as is needed here, is an error. */
function readXml(xml: string): Element {
  const root: Element = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < xml.length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(xml);
    assert.ok(found, `at ${at}: ${xml.slice(at, at + 40)}`);
    const [, end, name, written = '', empty, text, entity] = found;
    const inner = open.at(-1);
    assert.ok(inner);
    if (text !== undefined) inner.text += text;
    else if (entity !== undefined) inner.text += decode(entity);
    else if (end) assert.equal(open.pop()?.name, name);
    else if (name !== undefined) {
      const attributes = [...written.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key = '', value = '']) => [
        key,
        value.replace(/&(#\d+|\w+);/g, (_, entity: string) => decode(entity)),
      ]);
      const element = { name, attributes: Object.fromEntries(attributes), children: [], text: '' };
      assert.equal(Object.keys(element.attributes).length, attributes.length, 'no attribute stands twice');
      inner.children.push(element);
      if (!empty) open.push(element);
    }
  }
  assert.equal(open.length, 1);
  return root;
}

function decode(entity: string): string {
  const decoded = entity.startsWith('#') ? String.fromCodePoint(Number(entity.slice(1))) : NAMED[entity];
  assert.ok(decoded);
  return decoded;
}

/** By Ant's schema, which is the stricter one; Jenkins' allows all that it does. */
const RULES: Record<string, { attributes: string[]; children: RegExp }> = {
  testsuites: { attributes: [], children: /^(testsuite )*$/ },
  testsuite: {
    attributes: [
      ...['name', 'package', 'id', 'timestamp', 'hostname', 'tests', 'failures', 'errors', 'skipped', 'time'],
    ],
    children: /^properties (testcase )*system-out system-err $/,
  },
  testcase: { attributes: ['classname', 'name', 'time'], children: /^(failure |error )?$/ },
  failure: { attributes: ['message', 'type'], children: /^$/ },
  error: { attributes: ['message', 'type'], children: /^$/ },
};

function checkRules({ name, attributes, children }: Element): void {
  const { attributes: wanted, children: inner } = RULES[name] ?? { attributes: [], children: /^$/ };
  assert.deepEqual(Object.keys(attributes), wanted, name);
  assert.match(children.map((child) => `${child.name} `).join(''), inner);
  for (const number of ['tests', 'failures', 'errors', 'skipped', 'id'])
    if (attributes[number] !== undefined) assert.match(attributes[number], /^\d+$/);
  if (attributes['time'] !== undefined) assert.match(attributes['time'], /^\d{1,3}\.\d{3}$/);
  if (attributes['timestamp'] !== undefined)
    assert.match(attributes['timestamp'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/);
  for (const child of children) checkRules(child);
}

/** As XML 1.0 can hold it. */
function held(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\uFFFD');
}

test('a JUnit file is what the schemas of Ant and Jenkins allow, whatever texts it holds', () => {
  const text = fc.string({ unit: 'binary' });
  const problem = fc.record({
    kind: fc.constantFrom<'failure' | 'error'>('failure', 'error'),
    ...{ message: text, text },
  });
  const one: fc.Arbitrary<JunitCase> = fc.record(
    { name: text, seconds: fc.double({ min: 0, max: 100, noNaN: true }), problem },
    { requiredKeys: ['name', 'seconds'] },
  );
  const suites = fc.array(fc.record({ name: text, cases: fc.array(one, { maxLength: 4 }) }), {
    maxLength: 3,
  });
  fc.assert(
    fc.property(suites, (given) => {
      const [root, ...others] = readXml(writeJunit(given, Date.UTC(2027, 0, 31))).children;
      assert.ok(root && others.length === 0);
      checkRules(root);
      for (const [index, { name, cases }] of given.entries()) {
        const { attributes, children }: Element = root.children[index] ?? root;
        const kinds = cases.map((each) => each.problem?.kind);
        assert.equal(attributes['name'], held(name));
        assert.equal(attributes['id'], String(index));
        assert.equal(attributes['tests'], String(cases.length));
        for (const kind of ['failure', 'error'])
          assert.equal(attributes[`${kind}s`], String(kinds.filter((each) => each === kind).length));
        const written = children.filter((child) => child.name === 'testcase');
        for (const [at, each] of cases.entries()) {
          assert.equal(written[at]?.attributes['name'], held(each.name));
          assert.equal(written[at]?.children[0]?.text, each.problem && held(each.problem.text));
          assert.equal(
            written[at]?.children[0]?.attributes['message'],
            each.problem && held(each.problem.message),
          );
        }
      }
    }),
    { numRuns: 50 },
  );
});
