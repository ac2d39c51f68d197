import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { PromptFileError } from '../../src/prompts/problem.ts';

/** What is told of a prompt with this schema, in lines 4 and on; empty where it is one. */
async function faultOf(schema: string, side = 'input'): Promise<string> {
  const lines = schema.split('\n').map((line) => `    ${line}`);
  const source = `---\n${side}:\n  schema:\n${lines.join('\n')}\n---\nHi`;
  try {
    await compilePrompt({ name: 'hello', source, partials: {} });
    return '';
  } catch (error) {
    if (!(error instanceof PromptFileError)) throw error;
    return error.message;
  }
}

const TEXT = 'type: object\nproperties:\n  text:\n';

test('a schema that is none breaks its file, with the line', async () => {
  for (const [schema, expected] of [
    [`${TEXT}    pattern: "[a-"`, /^line 7: 'pattern' is no regular expression: /],
    [`${TEXT}    pattern: "\\\\d{2,1}"`, /^line 7: 'pattern' is no regular expression: /],
    [`${TEXT}    pattern: 5`, /^line 7: 'pattern' must be a regular expression/],
    [`${TEXT}    $ref: "#/$defs/nothing"`, /^line 7: there is nothing at '#\/\$defs\/nothing'/],
    [`${TEXT}    $ref: "https://example.com/other"`, /^line 7: .*'#\/\$defs\/NAME'/],
    [`${TEXT}    $ref: "#/properties/text/title"\n    title: t`, /^line 7: there is nothing at/],
    [
      `${TEXT}    $ref: "#/$defs/a"\n$defs:\n  a: { allOf: [{ $ref: "#/$defs/a" }] }`,
      /'#\/\$defs\/a' .* itself/,
    ],
    [`${TEXT}    type: txt`, /^line 7: there is no type 'txt'/],
    [`${TEXT}    type: [string, null]`, /^line 7: .*write "null" in quotes/],
    [`${TEXT}    enum: red`, /^line 7: 'enum' must be a list/],
    [
      `${TEXT}    items: [{ type: string }]\n    type: array`,
      /^line 7: 'items' must be a schema.*'prefixItems'/,
    ],
    [`${TEXT}    items: { type: string, minLength: -1 }`, /^line 7: 'minLength' must be a whole number/],
    [`${TEXT}    minimum: "5"`, /^line 7: 'minimum' must be a number/],
    [`${TEXT}    anyOf: []`, /^line 7: 'anyOf' must be a list of schemas/],
    [`${TEXT}    required: true`, /^line 7: 'required' must be a list of names/],
    [`${TEXT}    $id: other`, /^line 7: .*'\$id'/],
    ['type: object\nx-one: { id: same }\nx-two: { id: same }', /^line 3: the schema cannot be used: /],
    ['type: object\nproperties: [a]', /^line 5: 'properties' must be a mapping of schemas/],
    ['type: object\npatternProperties: { "(": { type: string } }', /^line 5: .*regular expression/],
    ['type: object\nproperties: { __proto__: { type: string } }', /__proto__/],
  ] as const)
    assert.match(await faultOf(schema), expected, schema);
  assert.match(
    await faultOf('type: array\nitems: { type: strng }', 'output'),
    /^line 5: there is no type 'strng'/,
  );
});

test('so does Picoschema that says nothing, or what it cannot', async () => {
  for (const [schema, expected] of [
    ['other: string\ntext: strng', /^line 5: there is no type 'strng'/],
    ['text:', /^line 4: 'text' says no type/],
    ['kind: [bug, wish]', /^line 4: .*'kind\(enum\)'/],
    ['other: string\nkind(enum): bug', /^line 5: .*list/],
    ['anyOf: [{ type: string }]', /^line 4: /],
    ['list(arry): string', /^line 4: .*'arry'/],
    ['box:\n  lid: 5', /^line 5: /],
    ['"__proto__": string', /__proto__/],
  ] as const)
    assert.match(await faultOf(schema), expected, schema);
});

test('schemas of all kinds are taken', async () => {
  for (const schema of [
    'text: string\nitems?(array, some): { name: string, "(*)": any }\nkind?(enum, which): [a, 1, null]',
    'type: object\nproperties: { a: { $ref: "#/$defs/a~1b" } }\n$defs: { a/b: { type: [string, "null"] } }',
    'type: object\nproperties: { tree: { $ref: "#" } }\nadditionalProperties: false',
    'type: object\nproperties: { a: true, b: { items: { $ref: "#/properties/b" }, x-own: { id: 1 } } }',
    `${TEXT}    pattern: "^\\\\p{L}+$"\n    examples: [{ $ref: 5 }]\n    default: { type: 5 }`,
    '$id: "http://["\ntype: object',
    'constructor: string\ntoString?: string',
  ])
    assert.equal(await faultOf(schema), '', schema);
  const { output } = await compilePrompt({
    name: 'hello',
    source: '---\noutput: { schema: "any, what you like" }\n---\nHi',
    partials: {},
  });
  assert.deepEqual(output.check?.schema, { description: 'what you like' });
  const source = '---\ninput: { schema: { title: t, $id: i, properties: {}, type: object } }\n---\nHi';
  const { input } = await compilePrompt({ name: 'hello', source, partials: {} });
  // Keys stay as they stand there: providers keep prompts by their beginning.
  assert.equal(JSON.stringify(input?.schema), '{"title":"t","properties":{},"type":"object"}');
});

async function toolsOf(toolDefs: string): Promise<JsonObject[] | string> {
  const source = `---\nmodel: m\ntoolDefs:\n${toolDefs}\n---\nHi`;
  try {
    return (await compilePrompt({ name: 'hello', source, partials: {} })).tools;
  } catch (error) {
    if (!(error instanceof PromptFileError)) throw error;
    return error.message;
  }
}

test('tools have their input as JSON Schema, however the file says it', async () => {
  const parameters = {
    type: 'object',
    properties: { place: { type: 'string', description: 'a town' }, days: { type: ['integer', 'null'] } },
    required: ['place'],
    additionalProperties: false,
  };
  const described = { name: 'weather', description: 'Tells it.', parameters };
  assert.deepEqual(
    await toolsOf(
      '- name: weather\n  description: Tells it.\n  inputSchema: { place: "string, a town", days?: integer }',
    ),
    [{ type: 'function', function: described }],
  );
  assert.deepEqual(await toolsOf('- name: now\n  inputSchema: { type: object, properties: {} }'), [
    { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
  ]);
  assert.deepEqual(await toolsOf('- name: now'), [
    { type: 'function', function: { name: 'now', parameters: { type: 'object', properties: {} } } },
  ]);
});

test('tools that are none break their file', async () => {
  for (const [toolDefs, expected] of [
    ['- name: weather\n  inputSchema: { place: strng }', /^line 5: there is no type 'strng'/],
    ['- name: weather\n  inputSchema: string', /^line 5: .*an object/],
    ['- description: What is it?', /^line 4: .*name/],
    ['- name: the weather', /^line 4: .*name/],
    ['- name: a\n- name: a', /^line 5: .*twice/],
    ['- name: a\n  description: 5', /^line 5: .*text/],
    ['- weather', /^line 4: .*mapping/],
    ['  weather: {}', /^line 3: .*list/],
  ] as const)
    assert.match(String(await toolsOf(toolDefs)), expected, toolDefs);
});

test('fields of another kind than they are to be break their file', async () => {
  for (const [field, expected] of [
    ['tools: weather', /^line 2: 'tools' must be a list/],
    ['tools: [weather]', /^line 2: the tool 'weather' is not known/],
    ['input: text', /^line 2: 'input' must be a mapping/],
    ['output: [json]', /^line 2: 'output' must be a mapping/],
    ['input: { default: 5 }', /^line 2: 'input.default' must be a mapping/],
    ['fairlead: { repairs: 5 }', /^line 2: an answer is repaired 0, 1 or 2 times/],
    ['fairlead:\n  overrides: [tone]', /^line 3: 'tone' is no parameter/],
  ] as const) {
    const compiled = compilePrompt({ name: 'hello', source: `---\n${field}\n---\nHi`, partials: {} });
    await assert.rejects(
      compiled,
      (error) => error instanceof PromptFileError && expected.test(error.message),
    );
  }
});
