import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { describeOperations } from '../../src/prompts/describe-operations.ts';
import { generateTypes } from '../generated-client/generate.ts';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';

const NARROW_KEY = 'sk-fl-test-key-of-narrow-0000000000';
const gateway = await startGateway({
  tenants: {
    acme: {
      ...{ models: [], prompts: ['*'] },
      keys: [
        { name: 'app', secret: TEST_KEY },
        { name: 'narrow', secret: NARROW_KEY, prompts: ['summarize'] },
      ],
    },
  },
});
after(gateway.stop);

interface Description {
  paths: Record<string, { post?: { operationId: string } }>;
}

async function describe(key?: string): Promise<Description> {
  const init = key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } };
  return (await (await fetch(`${gateway.url}/openapi.json`, init)).json()) as Description;
}

function promptsIn({ paths }: Description): string[] {
  return Object.keys(paths).filter((path) => path.startsWith('/v1/prompts/'));
}

test('who asks for the description is told of the prompts that its key may call', async () => {
  const all = ['/v1/prompts/describe-image', '/v1/prompts/extract-contact', '/v1/prompts/summarize'];
  assert.deepEqual(promptsIn(await describe(TEST_KEY)), all);
  assert.deepEqual(promptsIn(await describe(ADMIN_KEY)), all);
  assert.deepEqual(promptsIn(await describe(NARROW_KEY)), ['/v1/prompts/summarize']);
  assert.deepEqual(promptsIn(await describe()), []);
  assert.equal((await gateway.get('/openapi.json', 'sk-fl-none')).status, 401);
});

/** What somebody would write who calls the three prompts with a client that was generated for them. */
const CLIENT = `
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { paths } from './paths.js';

const [baseUrl = '', key = ''] = process.argv.slice(2);
// Streams are read by hand: of answers the types are to be those of whole ones.
const client = createClient<paths, 'application/json' | 'text/plain'>({ baseUrl, headers: { authorization: 'Bearer ' + key } });

const contact = await client.POST('/v1/prompts/extract-contact', {
  body: { text: 'Ada Lovelace, ada@example.org' },
});
assert.ok(contact.data, JSON.stringify(contact.error));
const name: string = contact.data.name;
const email: string | null | undefined = contact.data.email;
assert.equal(typeof name, 'string');
assert.notEqual(typeof email, 'object');

const image = await client.POST('/v1/prompts/describe-image', {
  body: { image: 'data:image/png;base64,iVBORw0KGgo=', about: 'a shop' },
});
assert.ok(image.data, JSON.stringify(image.error));
const details: string[] = image.data.details;
assert.ok(Array.isArray(details));

const form = new FormData();
form.append('image', new Blob([new Uint8Array([1, 2, 3])], { type: 'image/png' }), 'shop.png');
const uploaded = await client.POST('/v1/prompts/describe-image', {
  body: { image: 'shop.png' },
  bodySerializer: () => form,
});
assert.ok(Array.isArray(uploaded.data?.details), JSON.stringify(uploaded.error));

const summary = await client.POST('/v1/prompts/summarize', {
  body: { text: 'Much was said.', tone: 'friendly' },
  params: { query: { temperature: 0.5 } },
  parseAs: 'text',
});
assert.equal(typeof summary.data, 'string', JSON.stringify(summary.error));

const refused = await client.POST('/v1/prompts/summarize', {
  // @ts-expect-error: a tone is one of three
  body: { text: 'Much was said.', tone: 'angry' },
  parseAs: 'text',
});
const faults: { path: string; message: string }[] = refused.error?.error?.faults ?? [];
assert.deepEqual(faults.map(({ path }) => path), ['tone']);

// @ts-expect-error: the text is missing
await client.POST('/v1/prompts/extract-contact', { body: {} });
// @ts-expect-error: there is no such prompt
await client.POST('/v1/prompts/none', { body: {} });

for (const [path, body] of [
  ['/v1/prompts/extract-contact', { text: 'Ada Lovelace' }],
  ['/v1/prompts/describe-image', { image: 'data:image/png;base64,iVBORw0KGgo=' }],
  ['/v1/prompts/summarize', { text: 'Much was said.' }],
] as const) {
  const stream = await client.POST(path as '/v1/prompts/summarize', {
    body: body as { text: string },
    params: { query: { stream: true } },
    parseAs: 'stream',
  });
  assert.ok(stream.data, path);
  let text = '';
  for await (const chunk of stream.data.pipeThrough(new TextDecoderStream())) text += chunk;
  assert.match(text, /^event: delta\\n/, path);
  assert.match(text, /event: output\\ndata: {"output":/, path);
}
console.log('all three were called');
`;

/** Compiles what uses the types of a description. Gives the folder of what came of it. */
async function compileClient(description: object, client: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-client-'));
  after(() => rm(folder, { recursive: true }));
  const root = fileURLToPath(new URL('../../', import.meta.url));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'paths.ts'), await generateTypes(description));
  await writeFile(join(folder, 'client.ts'), client);
  const options = [
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2024',
    '--types',
    'node',
    '--skipLibCheck',
  ];
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const compiled = spawnSync(process.execPath, [compiler, ...options, 'client.ts'], { cwd: folder });
  assert.equal(compiled.status, 0, String(compiled.stdout));
  return folder;
}

test('a client that is generated from the description compiles, and calls all three prompts', async () => {
  const folder = await compileClient(await describe(TEST_KEY), CLIENT);
  const output = await new Promise<string>((resolve, reject) => {
    // The gateway is in this process: it must be free to answer.
    execFile(
      process.execPath,
      ['client.js', gateway.url, TEST_KEY],
      { cwd: folder },
      (error, stdout, stderr) => (error ? reject(new Error(stderr)) : resolve(stdout)),
    );
  });
  assert.match(output, /all three were called/);
});

const ODD_PROMPTS = {
  tree: `---
input:
  schema:
    type: object
    properties: { root: { $ref: '#/$defs/node' }, like: { $ref: '#/$defs/node/properties/label' } }
    required: [root]
    $defs: { node: { type: object, properties: { label: { type: string }, next: { $ref: '#/$defs/node' } }, required: [label] } }
output: { schema: { type: object, properties: { n: { $ref: '#/definitions/count' } }, required: [n], definitions: { count: { type: integer } } } }
---
{{json root}}
`,
  filled: `---
input:
  schema:
    type: object
    properties:
      default: { type: string, default: calm, description: the tone }
      size: { type: object, properties: { width: { type: integer, default: 80 }, more: { type: object } }, required: [width] }
    required: [default]
output: { schema: { type: object, properties: { n: { type: integer, default: 1 } } } }
---
{{json this}}
`,
  free: '---\nmodel: m\n---\n{{history}}{{name}}\n',
  tools: '---\nmodel: m\ntoolDefs: [{ name: look, inputSchema: { type: object } }]\n---\nHello.\n',
};

const ODD_CLIENT = `
import type { paths } from './paths.js';

type Body<P extends keyof paths> = paths[P] extends { post: { requestBody: { content: { 'application/json': infer B } } } } ? B : never;
type Answer<P extends keyof paths> =
  paths[P] extends { post: { responses: { 200: { content: { 'application/json': infer A } } } } } ? A : never;

export const tree: Body<'/v1/prompts/tree'> = { root: { label: 'a', next: { label: 'b' } }, like: 'c' };
// @ts-expect-error: a node has a label
export const none: Body<'/v1/prompts/tree'> = { root: { next: { label: 'b' } } };
export const filled: Body<'/v1/prompts/filled'> = {};
export const sized: Body<'/v1/prompts/filled'> = { size: { more: { of: ['anything'] } } };
export const free: Body<'/v1/prompts/free'> = { name: 'Ada', messages: [{ role: 'user', content: 'Hi.' }] };
export const tools: Body<'/v1/prompts/tools'> = { messages: [{ role: 'tool', tool_call_id: 'a', content: 'b' }] };

export const whole = (answer: Answer<'/v1/prompts/tree'>): number => answer.n;
// @ts-expect-error: the model may leave it out, and nothing stands in for it
export const part = (answer: Answer<'/v1/prompts/filled'>): number => answer.n;
export const any = (answer: Answer<'/v1/prompts/tools'>): unknown => answer['choices'];
`;

test('inputs that refer to their parts, that have defaults, that say nothing of what they are are those of a client', async () => {
  const prompts = await Promise.all(
    Object.entries(ODD_PROMPTS).map(([name, source]) => compilePrompt({ name, source, partials: {} })),
  );
  const { paths, schemas } = describeOperations(prompts, { type: 'object' });
  const info = { title: 'odd', version: '1' };
  await compileClient({ openapi: '3.1.1', info, paths, components: { schemas } }, ODD_CLIENT);
});
