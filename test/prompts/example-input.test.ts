import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { exampleInput } from '../../src/prompts/example-input.ts';
import { findPromptDirectory } from '../../src/prompts/example-prompts.ts';
import { PromptDirectory } from '../../src/prompts/prompt-directory.ts';

const SCHEMAS: readonly [schema: string, example: unknown][] = [
  ['{ text: "string, the mail", more?: string }', { text: 'the mail' }],
  [
    '{ "kind(enum)": [bug, wish], "items(array)": integer, isUrgent: boolean }',
    { kind: 'bug', items: [1], isUrgent: true },
  ],
  ['{ "who(object)": { name: string, "ages(array)": number } }', { who: { name: 'text', ages: [1] } }],
  [
    '{ type: object, properties: { at: { type: string, format: date }, n: { type: integer, minimum: 5 } }, required: [at, n] }',
    { at: '2026-01-31', n: 5 },
  ],
  [
    '{ type: object, properties: { tone: { type: string, default: calm }, a: { anyOf: [{ type: "null" }, { type: number }] } }, required: [a] }',
    { tone: 'calm', a: null },
  ],
];

test('the example of an input fits the schema that it is made of', async () => {
  for (const [schema, example] of SCHEMAS) {
    const source = `---\ninput: { schema: ${schema} }\n---\nHi`;
    const { input, inputDefaults } = await compilePrompt({ name: 'p', source, partials: {} });
    const made = exampleInput(input?.schema, inputDefaults);
    assert.deepEqual(made, example, schema);
    assert.deepEqual(input?.faultsOf(made), [], schema);
  }
});

test('the prompts that come with the project have examples that fit', async () => {
  const files = await new PromptDirectory(findPromptDirectory(undefined, null)).read();
  for (const [name, source] of files ?? []) {
    const { input, inputDefaults } = await compilePrompt({ name, source, partials: {} });
    assert.deepEqual(input?.faultsOf(exampleInput(input.schema, inputDefaults)), [], name);
  }
});
