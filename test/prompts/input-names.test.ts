import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { readFormInput } from '../../src/prompts/form-input.ts';
import { REQUEST_FORMS, readModelRequest } from '../../src/prompts/model-request.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';

const compile = (schema: string, template: string) =>
  compilePrompt({ name: 'hello', source: `---\nmodel: m\n${schema}\n---\n${template}`, partials: {} });

async function textOf(schema: string, template: string, input: JsonObject): Promise<unknown> {
  const prompt = await compile(schema, template);
  const { messages } = await makeChatRequest(prompt, { input, overrides: {}, stream: false }, undefined);
  return (messages as { content: string }[])[0]?.content;
}

test('an input may be called as what all objects have', async () => {
  const schema = `input:
  default: { valueOf: v }
  schema:
    type: object
    required: [constructor]
    properties:
      constructor: { type: string }
      toString: { type: string, default: d }
      hasOwnProperty: { type: string }
      valueOf: { type: string }
    additionalProperties: false`;
  const template = '{{constructor}}|{{toString}}|{{hasOwnProperty}}|{{valueOf}}|{{json this}}';
  assert.equal(
    await textOf(schema, template, { constructor: 'c' } as never),
    'c|d||v|{"valueOf":"v","constructor":"c","toString":"d"}',
  );
  await assert.rejects(textOf(schema, template, {}), /'constructor': is missing/);
  await assert.rejects(
    textOf(schema, template, { constructor: 'c', toString: 1 } as never),
    /'toString': expected string, found number/,
  );
  // Where nothing says what it has, a name is as good as any other.
  const open = JSON.parse('{"__proto__":"p","toString":"t"}') as JsonObject;
  assert.equal(await textOf('', '{{__proto__}}|{{toString}}|{{constructor}}|', open), 'p|t||');
  assert.equal(await textOf('', '{{#each this}}{{@key}}={{this}} {{/each}}', open), '__proto__=p toString=t');
});

test('so it may in forms, and as the one text of a request that names the prompt as its model', async () => {
  const prompt = await compile('input: { schema: { constructor: string } }', '{{constructor}}');
  const part = (name: string) => ({ name, content: Buffer.from('x'), isFile: false });
  assert.deepEqual(Object.entries(readFormInput(prompt, [part('constructor'), part('__proto__')] as never)), [
    ['constructor', 'x'],
    ['__proto__', 'x'],
  ]);
  const { input } = readModelRequest(prompt, REQUEST_FORMS.chat, {
    messages: [{ role: 'user', content: 'Hi' }],
  });
  assert.deepEqual(Object.entries(input), [['constructor', 'Hi']]);
});

test('null is a value, which no default stands in for', async () => {
  const schema = 'input: { default: { tone: calm }, schema: { text: string, tone?: string } }';
  const template = '{{text}} {{tone}}|';
  assert.equal(await textOf(schema, template, { text: 'a' }), 'a calm|');
  assert.equal(await textOf(schema, template, { text: 'a', tone: null }), 'a |');
  await assert.rejects(textOf(schema, template, { text: null }), /'text': expected string, found null/);
  const own =
    'input: { schema: { type: object, properties: { tone: { type: [string, "null"], default: calm } } } }';
  assert.equal(await textOf(own, '{{tone}}|', { tone: null }), '|');
  assert.equal(await textOf(own, '{{tone}}|', {}), 'calm|');
});
