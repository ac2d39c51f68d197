import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { compilePrompt, type PromptSource } from '../../src/prompts/compile-prompt.ts';

async function render(
  source: string,
  input: JsonObject,
  partials: PromptSource['partials'] = {},
): Promise<string> {
  const prompt = await compilePrompt({ name: 'p', source, partials });
  const [message] = await prompt.template.render({ input });
  return message?.content.map(({ text }) => text).join('') ?? '';
}

const long = 'x'.repeat(3 << 20);
const nested = (depth: number): JsonValue => (depth === 0 ? { a: 1 } : { c: nested(depth - 1) });
const lines = { text: '\n'.repeat(1 << 20), inner: { inner: { inner: { inner: { inner: { x: 1 } } } } } };
const rounds = Array.from({ length: 2000 }, () => 0);

/** Templates that make much of little, with what is too much of them. */
const MUCH: readonly [string, string, JsonObject, RegExp, PromptSource['partials']?][] = [
  ['an input named often', '{{text}}'.repeat(20), { text: long }, /too large/],
  ['an input within blocks', '{{#with text}}{{this}}{{/with}}'.repeat(20), { text: long }, /too large/],
  ['lists as text', '{{list}}'.repeat(20), { list: [long, [long]] }, /too large/],
  ['JSON that is only asked about', '{{#if (json text)}}x{{/if}}'.repeat(20), { text: long }, /too large/],
  ['indented JSON', '{{json deep indent=10}}', { deep: nested(2000) }, /too large/],
  ['media', '{{media url=text}}'.repeat(20), { text: `data:,${long}` }, /too large/],
  [
    ...['texts that are compared', '{{#each rounds}}{{#ifEquals ../a ../b}}x{{/ifEquals}}{{/each}}'],
    ...[{ rounds, a: `${long}a`, b: `${long}b` }, /too large/],
  ] as never,
  [
    ...['partials that call themselves twice', '{{> p}}', { c: nested(30) }, /more than 100000 times/],
    ...[{ p: '{{#with c}}{{> p}}{{> p}}{{/with}}' }],
  ] as never,
  [
    ...[
      'partials with values of their own',
      '{{#each rounds}}{{#with ../text}}{{> p a=1}}{{/with}}{{/each}}',
    ],
    ...[{ rounds, text: Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [i, 0])) }, /too large/],
    ...[{ p: 'x' }],
  ] as never,
  [
    ...['lines that partials indent', '{{> p}}', lines, /too large/],
    ...[{ p: '{{#with inner}}\n        {{> p}}\n{{/with}}\n{{@root.text}}' }],
  ] as never,
];

for (const [what, source, input, message, partials] of MUCH) {
  test(`what an input makes of a template is bounded: ${what}`, async () => {
    await assert.rejects(render(source, input, partials), message);
  });
}

test('an earlier conversation that a template has many times is bounded', async () => {
  const source = '{{#each list}}{{history}}x{{/each}}';
  const prompt = await compilePrompt({ name: 'p', source, partials: {} });
  const messages = [{ role: 'user' as const, content: [{ text: long }] }];
  await assert.rejects(prompt.template.render({ input: { list: rounds }, messages }), /too large/);
});

test('an input of any size may be named once', async () => {
  const text = '<'.repeat(20 << 20);
  assert.equal((await render('{{text}}', { text })).length, text.length);
  const list = new Array<number>(2_400_000).fill(1_234_567);
  assert.equal((await render('{{list}}', { list })).length, list.length * 8 - 1);
});

test('what is compared is not read again for each round', async () => {
  const source = '{{#each tags}}{{#ifEquals this ../chosen}}*{{/ifEquals}}{{/each}}.';
  const input = { chosen: '<'.repeat(100_000), tags: Array.from({ length: 2000 }, () => 'a') };
  const before = process.cpuUsage();
  assert.equal(await render(source, input), '.');
  const { user } = process.cpuUsage(before);
  assert.ok(user < 1_000_000, `${user} µs`);
});

test('a template gives what it says, counted or not', async () => {
  const partials = { p: '{{a}}-{{b}}\n{{this.a}}', list: '{{#each this as |one|}}{{one}};{{/each}}' };
  for (const [source, input, text] of [
    ['{{a}} {{b.c}} {{d}} {{e}} {{f}}|', { a: '<1>', b: { c: 0 }, d: false, e: null }, '<1> 0 false  |'],
    [
      '{{a}} {{b}}',
      { a: [1, [null, '<'], {}], b: { toString: 'x' } },
      '1,,<,[object Object] [object Object]',
    ],
    ['{{#each a}}{{this}}|{{/each}}', { a: [null, 1, '<'] }, '|1|<|'],
    ['{{#each a as |json|}}{{json}}{{/each}}', { a: [1, 2] }, '12'],
    ['x\n  {{> p b="<"}}\ny', { a: 1 }, 'x\n  1-<\n  1y'],
    ['{{> list a}}', { a: ['x', 'y'] }, 'x;y;'],
    ['{{#ifEquals a "<"}}same{{else}}other{{/ifEquals}}', { a: '<' }, 'same'],
    ['{{#unlessEquals a 1}}other{{else if a}}a{{/unlessEquals}}', { a: 1 }, 'a'],
    ['{{json a}} {{json b indent=2}}', { a: { '<': '>' }, b: [1] }, '{"<":">"} [\n  1\n]'],
    ['{{lookup a "<"}}{{#if (lookup a 1)}}yes{{/if}}{{{a.b}}}', { a: { '<': 5, b: '&' } }, '5&'],
  ] as const) {
    assert.equal(await render(source, input as unknown as JsonObject, partials), text, source);
  }
});
