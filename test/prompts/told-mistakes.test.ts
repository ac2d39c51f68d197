import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { PromptFileError } from '../../src/prompts/problem.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

async function mistakeOf(source: string, input: JsonObject = {}): Promise<string> {
  try {
    const prompt = await compilePrompt({ name: 'hello', source, partials: {} });
    await makeChatRequest(prompt, { input, overrides: {}, stream: false }, undefined);
  } catch (error) {
    const { message } = error as Error;
    return error instanceof PromptFileError ? `${error.line}: ${message}` : message;
  }
  return assert.fail('there is no mistake');
}

test('mistakes are told in words of who writes prompts, and of who calls them', async () => {
  const head = '---\nmodel: m\n';
  assert.match(
    await mistakeOf(`${head}---\n{{#if text}}\n{{text}}\n`),
    /^5: .*the template is not valid Handlebars: it ends before all that it opens is closed/,
  );
  assert.match(
    await mistakeOf(`${head}---\n{{role "system"}}{{media url=picture}}{{role "user"}}Hi`, {
      picture: 'data:image/png;base64,AAAA',
    }),
    /a medium in what the system says, where only text may stand/,
  );
  assert.match(await mistakeOf('Hello'), /'hello' names no model: its file is to say 'model', or/);
  const tones = `${head}input: { schema: { "tone(enum)": [calm, "big, bold"] } }\n---\n{{tone}}`;
  assert.match(await mistakeOf(tones, { tone: 'x' }), /'tone': expected one of "calm", "big, bold"\.$/);
});

test('a template that names what its input does not have is told where', async () => {
  const source = `---
model: m
input: { schema: { text: string, items(array): string, box: { lid: string } } }
---
{{text}} {{txt}} {{box.lid}} {{json text indent=2}} {{history}}
{{#if tex}}{{text}}{{/if}}
{{#each items}}{{this}} {{whatever}} {{../text}} {{../item}} {{@index}} {{@root.boks}}{{else}}{{nothing}}{{/each}}
{{#with box}}{{lid}}{{/with}}{{^each items}}{{text}}{{/each}}
{{#each items as |item|}}{{item}}{{/each}} {{@auth.user}} {{#ifEquals (lookup bax "lid") text}}{{/ifEquals}}
`;
  const { unknownInputs } = await compilePrompt({ name: 'hello', source, partials: {} });
  assert.deepEqual(
    unknownInputs.map(({ name, line }) => `${name} ${line}`),
    ['txt 5', 'tex 6', 'item 7', 'boks 7', 'nothing 7', 'bax 9'],
  );
  const open = await compilePrompt({ name: 'hello', source: 'Hello {{anybody}}', partials: {} });
  assert.deepEqual(open.unknownInputs, []);
});

test('helpers that are called as they cannot be are told when the file is read', async () => {
  const head = '---\nmodel: m\ninput: { schema: { section?: string, text?: string } }\n---\n';
  for (const [template, expected] of [
    ['\n{{#if}}x{{/if}}', /^6: .*{{#if VALUE}}/],
    ['{{#if a b}}x{{/if}}', /^5: .*{{#if VALUE}}/],
    ['{{#unless}}x{{/unless}}', /^5: .*{{#unless VALUE}}/],
    ['{{#each}}x{{/each}}', /^5: .*{{#each LIST}}/],
    ['{{#with a b}}x{{/with}}', /^5: .*{{#with VALUE}}/],
    ['{{if text}}', /^5: .*{{#if VALUE}}/],
    ['{{each text}}', /^5: .*{{#each LIST}}/],
    ['{{ifEquals text "a"}}', /^5: .*{{#ifEquals ONE OTHER}}/],
    ['{{#ifEquals text}}x{{/ifEquals}}', /^5: .*{{#ifEquals ONE OTHER}}/],
    ['{{text}}{{#if (ifEquals text "a")}}x{{/if}}', /^5: .*{{#ifEquals ONE OTHER}}/],
    ['{{lookup text}}', /^5: .*{{lookup VALUE FIELD}}/],
    ['{{json}}', /^5: .*{{json VALUE}}.*{{this\.json}}/],
    ['{{json text text}}', /^5: .*{{json VALUE}}/],
    ['{{#json text}}x{{/json}}', /^5: .*{{json VALUE}}/],
    ['{{#role "user"}}x{{/role}}', /^5: .*{{role "user"}}/],
    ['{{role}}', /^5: .*{{role "system"}}/],
    ['{{section}}', /^5: .*{{this\.section}}/],
    ['{{media}}', /^5: .*{{media url=VALUE}}/],
    ['{{media text}}', /^5: .*{{media url=VALUE}}/],
    ['{{media src=text}}', /^5: .*{{media url=VALUE}}/],
    ['{{history text}}', /^5: .*{{history}}/],
    ['{{#each text as |json|}}{{json}}{{json text}}{{/each}}', /^5: .*there is no helper 'json'/],
    ['{{> tone text text}}', /^5: .*partial/],
    ['{{> (lookup text "a")}}', /^5: .*written out/],
  ] as const)
    assert.match(await mistakeOf(head + template), expected, template);
});

test('an input that only a helper can be reached by its name is told', async () => {
  const source = (template: string) =>
    `---\nmodel: m\ninput:\n  schema:\n    history: string\n---\n${template}`;
  assert.match(await mistakeOf(source('{{history}}')), /^7: .*'history'.*{{this\.history}}/);
  const prompt = await compilePrompt({ name: 'hello', source: source('{{this.history}}'), partials: {} });
  const { messages } = await makeChatRequest(
    prompt,
    { input: { history: 'long' }, overrides: {}, stream: false },
    undefined,
  );
  assert.deepEqual(messages, [{ role: 'user', content: 'long' }]);
});

test('partials that call each other without an end are told, with the line', async () => {
  const brokenBy = async (source: string, partials: Record<string, string>) => {
    const compiled = compilePrompt({ name: 'hello', source, partials });
    const error: unknown = await compiled.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (error === undefined) return '';
    assert.ok(error instanceof PromptFileError);
    return error.message;
  };
  const cycle = /in the partial 'b', line 1: .* without an end: a → b → a/;
  assert.match(await brokenBy('{{> a}}', { a: 'Hi\n{{> b}}', b: '{{> a}}' }), cycle);
  assert.match(await brokenBy('Hi {{> a}}', { a: '{{#if text}}{{> b}}{{/if}}', b: '{{> a}}' }), cycle);
  assert.match(await brokenBy('\n{{> b}}', { b: '', a: '{{> a}}' }), /^$/);
  assert.match(await brokenBy('{{> a}}', { a: '{{> a}}' }), /'a', line 1: .*: a → a$/);
  // A tree ends with its leaves.
  assert.equal(await brokenBy('{{> a}}', { a: '{{name}}{{#each children}}{{> a}}{{/each}}' }), '');
  assert.equal(await brokenBy('{{> a}}', { a: '{{name}}{{#if next}}{{> a next}}{{/if}}' }), '');
});

test('what is wrong in a partial is told with its file and line', async () => {
  const errorOf = async (source: string, partials: Record<string, string>) => {
    const compiled = compilePrompt({ name: 'support/hello', source, partials });
    const error: unknown = await compiled.then(
      () => undefined,
      (error: unknown) => error,
    );
    assert.ok(error instanceof PromptFileError);
    return { partial: error.partial, line: error.line, message: error.message };
  };
  assert.deepEqual(
    await errorOf('{{> tone}}', { 'support/tone': '---\n# calm\n---\n\nBe\n{{nothing here}}' }),
    {
      ...{ partial: 'support/tone', line: 6 },
      message: "in the partial 'support/tone', line 6: there is no helper 'nothing'",
    },
  );
  assert.deepEqual(await errorOf('{{> tone}}', { tone: '\n{{> inner}}', inner: '{{#if x}}' }), {
    ...{ partial: 'inner', line: 1 },
    message:
      "in the partial 'inner', line 1: the template is not valid Handlebars: it ends before all that it opens is closed",
  });
  assert.deepEqual(await errorOf('{{> tone}}', { tone: '\n{{> inner}}' }), {
    ...{ partial: 'tone', line: 2 },
    message: "in the partial 'tone', line 2: there is no partial 'inner'",
  });
  assert.deepEqual(await errorOf('Hi\n{{> tone}}', {}), {
    ...{ partial: undefined, line: 2 },
    message: "line 2: there is no partial 'tone'",
  });
});

test('a partial is looked for in the folder of the file that calls it, then by its whole name', async () => {
  const partials = {
    tone: 'root',
    inner: 'root inner',
    'a/tone': 'a {{> inner}}',
    'a/inner': 'a inner',
    'b/tone': 'b {{> inner}} {{> tone/deep}}',
    'b/tone/deep': 'deep {{> tone}}',
  };
  const textOf = async (name: string, source: string) => {
    const prompt = await compilePrompt({ name, source, partials });
    const [message] = await prompt.template.render({ input: {} });
    return message?.content[0]?.text;
  };
  assert.equal(await textOf('hello', '{{> tone}}'), 'root');
  assert.equal(await textOf('hello', '{{> a/tone}}'), 'a a inner');
  assert.equal(await textOf('a/hello', '{{> tone}} {{> b/tone}}'), 'a a inner b root inner deep root');
});

test('names of partials are no inputs', async () => {
  const source = '---\nmodel: m\ninput: { schema: { text: string } }\n---\n{{> tone}}{{> tone txt of=tex}}';
  const { unknownInputs } = await compilePrompt({ name: 'hello', source, partials: { tone: 'calm' } });
  assert.deepEqual(
    unknownInputs.map(({ name }) => name),
    ['txt', 'tex'],
  );
});

test('a prompt that goes into service without a model to call is told', async () => {
  const gateway = await startPrompts({
    'typo.prompt': '---\nmodel: smrt\n---\nHi',
    'none.prompt': 'Hi',
    'free.prompt': '---\nfairlead.overrides: [model]\n---\nHi',
    'fine.prompt': '---\nmodel: echo/echo\n---\nHi',
  });
  try {
    const told = gateway
      .logs()
      .split('\n')
      .filter((line) => line.includes('"prompt_slips"'))
      .map((line) => (JSON.parse(line) as { msg: string }).msg);
    assert.deepEqual(told.toSorted(), [
      "The file of the prompt 'none' says no model, and the configuration has no 'prompts.model'.",
      "The file of the prompt 'typo' says the model 'smrt', which there is not.",
    ]);
  } finally {
    await gateway.stop();
  }
});

test('a prompt may name the tools that it describes, and no others', async () => {
  const toolDefs = 'toolDefs: [{ name: look, inputSchema: { type: object } }]';
  const source = (tools: string) => `---\nmodel: m\n${toolDefs}\ntools: ${tools}\n---\nHi`;
  const { tools } = await compilePrompt({ name: 'hello', source: source('[look]'), partials: {} });
  assert.deepEqual(
    tools.map((tool) => (tool['function'] as JsonObject)['name']),
    ['look'],
  );
  assert.equal(
    await mistakeOf(source('[look, listen]')),
    "4: line 4: the tool 'listen' is not known: describe it under 'toolDefs'",
  );
});

test('the schema of an output that is text is told as what nothing reads', async () => {
  const unknownFields = async (output: string) => {
    const source = `---\nmodel: m\noutput:\n${output}\n---\nHi`;
    return (await compilePrompt({ name: 'hello', source, partials: {} })).unknownFields;
  };
  assert.deepEqual(await unknownFields('  format: text\n  schema: { a: string }'), [
    { field: 'output.schema', line: 5 },
  ]);
  assert.deepEqual(await unknownFields('  format: json\n  schema: { a: string }'), []);
  assert.deepEqual(await unknownFields('  schema: { a: string }'), []);
});
