import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { exampleInput } from '../../src/prompts/example-input.ts';
import { makeChatRequest } from '../../src/prompts/prompt-call.ts';
import { ValueCheck } from '../../src/prompts/values.ts';
import { anyWords } from '../support/any-text.ts';

const NO_MEDIA: ReadonlySet<string> = new Set();

const described = fc.record({ description: anyWords({ maxLength: 20 }) }, { requiredKeys: [] });

const text = fc.tuple(described, fc.nat({ max: 40 }), fc.nat({ max: 40 })).map(([base, least, more]) => ({
  ...{ ...base, type: 'string', minLength: least },
  maxLength: least + more,
}));
const whole = fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.nat({ max: 50 })).map(([minimum, more]) => ({
  ...{ type: 'integer', minimum },
  maximum: minimum + more,
}));
const number = fc
  .tuple(fc.double({ min: -1e6, max: 1e6, noNaN: true }), fc.double({ min: 1, max: 100, noNaN: true }))
  .map(([exclusiveMinimum, more]) => ({
    ...{ type: 'number', exclusiveMinimum },
    exclusiveMaximum: exclusiveMinimum + more,
  }));
const plain = fc.oneof(
  ...[text, whole, number],
  fc.constantFrom<JsonObject>(
    { type: 'boolean' },
    { enum: ['a', 'b'] },
    { const: 3 },
    { type: ['string', 'null'] },
    { type: 'string', format: 'email' },
    { type: 'string', format: 'date-time' },
    { type: 'string', pattern: '^x+$', examples: ['xx'] },
    { anyOf: [{ type: 'number' }, { type: 'string' }] },
    { $ref: '#/$defs/name' },
  ),
);

const { schema } = fc.letrec<{ schema: JsonObject; object: JsonObject; list: JsonObject }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    plain as fc.Arbitrary<JsonObject>,
    tie('object'),
    tie('list'),
  ),
  list: fc
    .tuple(tie('schema'), fc.nat({ max: 4 }))
    .map(([items, minItems]) => ({ type: 'array', items, minItems })),
  object: objectOf(tie('schema')),
}));

function objectOf(property: fc.Arbitrary<JsonObject>): fc.Arbitrary<JsonObject> {
  const properties = fc.dictionary(fc.stringMatching(/^[a-z]\w{0,5}$/), property, { maxKeys: 4 });
  return fc.tuple(properties, fc.boolean()).map(([properties, all]) => ({
    ...{ type: 'object', properties, additionalProperties: false },
    required: all ? Object.keys(properties) : Object.keys(properties).slice(1),
  }));
}

test('an example is one that its schema takes', () => {
  fc.assert(
    fc.property(objectOf(schema), (input) => {
      const whole = { ...input, $defs: { name: { type: 'string', minLength: 2 } } };
      const example = exampleInput(whole, {}, NO_MEDIA);
      assert.ok(example);
      assert.deepEqual(new ValueCheck(whole).faultsOf(example), []);
    }),
  );
});

test('defaults are in it; where none is found there is none', () => {
  const tone: JsonObject = { type: 'object', properties: { tone: { type: 'string' } } };
  assert.deepEqual(exampleInput(tone, { tone: 'calm' }, NO_MEDIA), { tone: 'calm' });
  assert.deepEqual(exampleInput(undefined, {}, NO_MEDIA), {});
  const odd: JsonObject = { type: 'object', properties: { code: { type: 'string', pattern: '^\\d{9}$' } } };
  assert.equal(exampleInput(odd, {}, NO_MEDIA), undefined);
});

test('what a prompt has as a medium is an address in its example, which a call takes', async () => {
  const source = `---
model: m
input:
  schema:
    cover: string, the cover
    pictures(array): string
    back?: string
    about: string
---
{{about}}{{media url=cover}}{{#if back}}{{media url=back}}{{/if}}{{#each pictures}}{{media url=this}}{{/each}}
`;
  const prompt = await compilePrompt({ name: 'album', source, partials: {} });
  const { input, inputDefaults, mediaInputs } = prompt;
  const image = 'https://example.com/image.png';
  const example = exampleInput(input?.schema, inputDefaults, mediaInputs);
  assert.deepEqual(example, { cover: image, pictures: [image], back: image, about: 'text' });
  await makeChatRequest(prompt, { input: example ?? {}, overrides: {}, stream: false }, undefined);
  const own: JsonObject = {
    type: 'object',
    properties: {
      logo: { type: 'string', examples: ['https://example.com/logo.png'] },
      flag: { type: 'string', enum: ['https://example.com/at.png'] },
    },
  };
  assert.deepEqual(exampleInput(own, {}, new Set(['logo', 'flag'])), {
    logo: 'https://example.com/logo.png',
    flag: 'https://example.com/at.png',
  });
});
