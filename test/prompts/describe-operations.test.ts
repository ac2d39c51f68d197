import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isObject, type JsonObject, type JsonValue } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { describeOperations } from '../../src/prompts/describe-operations.ts';

async function describe(sources: Record<string, string>) {
  const prompts = await Promise.all(
    Object.entries(sources).map(([name, source]) => compilePrompt({ name, source, partials: {} })),
  );
  return describeOperations(prompts, { type: 'object' });
}

const TREE = `---
input:
  schema:
    type: object
    properties: { root: { $ref: '#/$defs/node' } }
    required: [root]
    $defs: { node: { type: object, properties: { next: { $ref: '#/$defs/node' } } } }
output: { schema: { answer: string } }
---
{{history}}{{json root}}
`;

function refsIn(value: JsonValue | undefined): string[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (!isObject(value)) return [];
  const own = typeof value['$ref'] === 'string' ? [value['$ref']] : [];
  return [...own, ...Object.values(value).flatMap(refsIn)];
}

test('what a schema refers to within itself is there in the document', async () => {
  const { paths, schemas } = await describe({ tree: TREE });
  const document: JsonObject = { paths, components: { schemas } };
  const refs = refsIn(document);
  assert.ok(refs.includes('#/components/schemas/tree_input.node'));
  for (const ref of refs) {
    let at: JsonValue | undefined = document;
    for (const step of ref.slice(2).split('/')) at = isObject(at) ? at[step] : undefined;
    assert.ok(at, ref);
  }
});

test('a prompt with a place for it takes earlier messages; what has a default may be left out', async () => {
  const { schemas } = await describe({
    tree: TREE,
    plain: '---\ninput: { default: { tone: calm }, schema: { text: string, tone: string } }\n---\n{{text}}\n',
  });
  const properties = (name: string) => Object.keys((schemas[name]?.['properties'] ?? {}) as JsonObject);
  assert.deepEqual(properties('tree_input'), ['root', 'messages']);
  assert.deepEqual(properties('plain_input'), ['text', 'tone']);
  assert.deepEqual(schemas['plain_input']?.['required'], ['text']);
});

function idsOf(paths: Record<string, JsonObject>): string[] {
  return Object.values(paths).map(({ post }) => String((post as JsonObject)['operationId']));
}

test('names that are the same as identifiers are told apart', async () => {
  const source = '---\nmodel: m\n---\nHello.\n';
  const { paths } = await describe({ 'a/b': source, 'a-b': source, a_b: source });
  assert.deepEqual(idsOf(paths), ['a_b', 'a_b_2', 'a_b_3']);
});

test('a path has what a name holds as a URL does, and no template; an identifier has letters, digits and _', async () => {
  const source = '---\nmodel: m\noutput: { schema: { a: string } }\n---\nHello.\n';
  const names = ['c# and f#', 'c/ and f', 'what?', "it's", '{id}', 'größe/日本', 'a+b=c'];
  const { paths, schemas } = await describe(Object.fromEntries(names.map((name) => [name, source])));
  const found = Object.keys(paths).map((path) => {
    assert.match(path, /^\/v1\/prompts(\/[\w.~%!'()*-]+)+$/);
    assert.equal(new URL(path, 'http://h').pathname, path);
    return decodeURIComponent(path.slice('/v1/prompts/'.length));
  });
  assert.deepEqual(found, names);
  const ids = idsOf(paths);
  assert.deepEqual(
    ids.filter((id) => !/^\w+$/.test(id) || /^_*\d*$/.test(id)),
    [],
  );
  // They are the same whatever other prompts there are.
  assert.deepEqual(idsOf((await describe({ 'a+b=c': source })).paths), ids.slice(-1));
  for (const name of Object.keys(schemas)) assert.match(name, /^\w+$/);
});

test('an operation tells that its answer may be that of a dialect', async () => {
  const { paths } = await describe({
    plain: '---\nmodel: m\n---\nHello.\n',
    tools: '---\nmodel: m\ntoolDefs: [{ name: look, inputSchema: { type: object } }]\n---\nHello.\n',
  });
  const format = (name: string) => {
    const { parameters } = (paths[`/v1/prompts/${name}`]?.['post'] ?? {}) as { parameters: JsonObject[] };
    const { required, schema } = parameters.find((parameter) => parameter['name'] === 'format') ?? {};
    return { required: required ?? false, schema };
  };
  const dialects = ['chat', 'responses', 'messages'];
  assert.deepEqual(format('plain'), {
    required: false,
    schema: { type: 'string', enum: ['output', ...dialects], default: 'output' },
  });
  assert.deepEqual(format('tools'), { required: true, schema: { type: 'string', enum: dialects } });
});

test('a prompt that has media takes forms, in which these are files', async () => {
  const { paths, schemas } = await describe({
    album: `---
input:
  schema: { cover: "string, the cover", pictures(array): string, notes?(array): string, about?: string, count: integer, box: { url: string } }
---
{{history}}{{about}} {{media url=cover}} {{media url=box.url}}
{{#each pictures}}{{media url=this}}{{/each}}{{#with box}}{{media url=url}}{{/with}}
{{#each notes as |note|}}{{note}}{{media url=@root.back}}{{#if note}}{{media url=(lookup ../more 0)}}{{/if}}{{/each}}
`,
    plain: '---\ninput: { schema: { text: string } }\n---\n{{text}}\n',
  });
  const content = (name: string) => {
    const { requestBody } = (paths[`/v1/prompts/${name}`]?.['post'] ?? {}) as {
      requestBody?: { content: JsonObject };
    };
    return Object.keys(requestBody?.content ?? {});
  };
  assert.deepEqual(content('plain'), ['application/json']);
  assert.deepEqual(content('album'), ['application/json', 'multipart/form-data']);
  const file = { type: 'string', format: 'binary', contentMediaType: 'application/octet-stream' };
  const { properties, required } = schemas['album_form'] ?? {};
  assert.deepEqual(properties, {
    ...(schemas['album_input']?.['properties'] as JsonObject),
    cover: { ...file, description: 'the cover' },
    pictures: { type: 'array', items: file },
    back: file,
    more: file,
    messages: {
      ...{ type: 'string', contentMediaType: 'application/json' },
      description: 'Earlier messages, as JSON.',
    },
  });
  assert.deepEqual(required, ['cover', 'pictures', 'count', 'box']);
});
