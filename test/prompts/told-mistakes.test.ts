import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { PromptFileError } from '../../src/prompts/problem.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';

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
{{#each items as |item|}}{{item}}{{/each}} {{@auth.user}} {{ifEquals (lookup bax "lid") text}}
`;
  const { unknownInputs } = await compilePrompt({ name: 'hello', source, partials: {} });
  assert.deepEqual(
    unknownInputs.map(({ name, line }) => `${name} ${line}`),
    ['txt 5', 'tex 6', 'item 7', 'boks 7', 'nothing 7', 'bax 9'],
  );
  const open = await compilePrompt({ name: 'hello', source: 'Hello {{anybody}}', partials: {} });
  assert.deepEqual(open.unknownInputs, []);
});
