import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';
import { PromptCompiler } from '../../src/prompts/prompt-files.ts';

/** What is told of a prompt's file; empty where nothing is. */
async function faultOf(source: string): Promise<string> {
  const files = new Map(
    Object.entries({
      'hello.prompt': source,
      '_empty.prompt': '{{! nothing }}\n',
      '_calm.prompt': 'Be calm.',
    }),
  );
  const { broken } = await new PromptCompiler(compilePrompt).read(files);
  return broken.map(({ path, error }) => `${path}: ${error.message}`).join();
}

const NOTHING = 'the template says nothing: no call of it would have a message';

test('a file whose template says nothing is broken', async () => {
  for (const [source, line] of [
    ['', 1],
    ['  \n\n', 1],
    ['{{! note }}', 1],
    ['---\nmodel: m\n---', 3],
    ['---\nmodel: m\n---\n\n  \n', 3],
    ['---\r\nmodel: m\r\n---\r\n', 3],
    ['---\nmodel: m\n---\n\n{{role "system"}}\n{{role "user"}}\n', 5],
    ['---\nmodel: m\n---\n{{#if x}} {{else}}{{> empty}}{{/if}}', 4],
  ] as const)
    assert.equal(await faultOf(source), `hello.prompt: line ${line}: ${NOTHING}`, source);
  for (const source of ['.', '{{text}}', '{{history}}', '{{> calm}}', '{{#each xs}}{{this}}{{/each}}'])
    assert.equal(await faultOf(source), '', source);
  assert.equal(await faultOf('{{media url=picture}}'), '');
});

test('a file whose input can be no object is broken', async () => {
  const refused = 'an input is an object: its fields, such as { text: string }, and this schema lets none be';
  for (const schema of [
    'string',
    'string, what it is about',
    '{ type: string }',
    '{ type: array, items: { type: string } }',
    '{ type: object, $ref: "#/$defs/a", $defs: { a: { type: [string, number] } } }',
    '{ type: object, allOf: [{ enum: [1, a] }] }',
    '{ type: object, oneOf: [{ type: string }, { const: 1 }] }',
  ]) {
    const source = `---\ndescription: one\ninput:\n  schema: ${schema}\n---\nHi`;
    assert.equal(await faultOf(source), `hello.prompt: line 4: ${refused}`, schema);
  }
  for (const schema of [
    'any',
    '{}',
    '{ text: string }',
    '{ "(*)": string }',
    '{ type: object, anyOf: [{ type: string }, { required: [a] }] }',
    '{ type: object, enum: [{ a: 1 }] }',
  ])
    assert.equal(await faultOf(`---\ninput:\n  schema: ${schema}\n---\nHi`), '', schema);
});

test('a file whose defaults its own schema does not take is broken', async () => {
  for (const [input, fault] of [
    [
      'default:\n    n: many\n  schema: { n: integer }',
      "line 4: the default of 'n' does not fit the schema of the input: expected integer, found string",
    ],
    [
      'default:\n    tone: calm\n    tones: warm\n  schema: { tone: string }',
      "line 5: the default of 'tones' does not fit the schema of the input: is not known here",
    ],
    [
      'default: { who: { name: Ada } }\n  schema: { who: { name: string, age: integer } }',
      "line 3: the default of 'who' does not fit the schema of the input: 'age' is missing",
    ],
    [
      'schema:\n    type: object\n    properties:\n      n: { type: integer, default: 0, minimum: 1 }',
      "line 6: the default of 'n' does not fit the schema of the input: 0 is less than 1",
    ],
  ] as const)
    assert.equal(await faultOf(`---\ninput:\n  ${input}\n---\nHi`), `hello.prompt: ${fault}`);
  for (const input of [
    'default: { n: 1 }\n  schema: { n: integer, text: string }',
    'default: { n: 1 }',
    'default: { n: null }\n  schema: { n?: integer }',
    'default: { n: 5 }\n  schema: { type: object, anyOf: [{ required: [a] }, { properties: { n: { type: string } } }] }',
    'default: { who: {} }\n  schema: { type: object, properties: { who: { type: object, required: [n], properties: { n: { default: 1 } } } } }',
  ])
    assert.equal(await faultOf(`---\ninput:\n  ${input}\n---\nHi`), '', input);
});

test('what was stored as a version before stays one', async () => {
  const defaults = 'input: { default: { n: many }, schema: { n: integer } }';
  for (const source of ['', '---\ninput: { schema: string }\n---\nHi', `---\n${defaults}\n---\nHi`])
    await compilePrompt({ name: 'hello', source, partials: {} });
});

test('a call whose input makes nothing of a template is refused in words of a prompt', async () => {
  const source = '---\nmodel: m\n---\n{{#if text}}About {{text}}{{/if}}';
  const prompt = await compilePrompt({ name: 'hello', source, partials: {} });
  await assert.rejects(makeChatRequest(prompt, { input: {}, overrides: {}, stream: false }, undefined), {
    kind: 'invalid_request',
    code: 'invalid_input',
    message: 'The prompt says nothing with this input.',
  });
});
