import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CliIo } from '../../src/cli/command.ts';
import { promptsCommand } from '../../src/cli/prompts.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { ADMIN_KEY, startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

const TENANTS = { acme: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] } };

/** A folder of prompts and a model that says back what the prompt said. */
async function prepare(context: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
  const upstream = await startRawUpstream((response, body) => {
    const { messages } = JSON.parse(body) as { messages: { content: string }[] };
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer(messages.at(-1)?.content ?? ''));
  });
  context.after(async () => {
    await upstream.close();
    await rm(folder, { recursive: true, force: true });
  });
  const write = (name: string, text: string) =>
    writeFile(
      join(folder, `${name}.prompt`),
      `---\nmodel: up/m\ninput: { schema: { name: string } }\n---\n${text} {{name}}\n`,
    );
  const start = async (more: object = {}, options = {}) => {
    const gateway = await startGateway(
      {
        providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
        ...{ prompts: { directory: folder }, tenants: TENANTS },
        ...more,
      },
      undefined,
      options,
    );
    context.after(gateway.stop);
    return gateway;
  };
  return { folder, write, start };
}

async function say(gateway: TestGateway, reference: string): Promise<string> {
  const answer = await gateway.post(`/v1/prompts/${reference}`, { name: 'Ada' });
  return `${answer.headers.get('x-fairlead-prompt')}: ${await answer.text()}`;
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (await holds()) return;
    await sleep(50);
  }
  assert.fail(`in vain: ${what}`);
}

function cliOf(gateway: TestGateway, key = ADMIN_KEY) {
  return async (...args: string[]) => {
    let [stdout, stderr] = ['', ''];
    const io: CliIo = {
      stdout: { write: (text) => (stdout += text) },
      stderr: { write: (text) => (stderr += text) },
      env: { FAIRLEAD_URL: gateway.url, FAIRLEAD_ADMIN_KEY: key },
      cwd: '.',
    };
    return { exitCode: await promptsCommand([]).run(args, io), stdout, stderr };
  };
}

test('versions and labels are called by name, and moved from the command line', async (context) => {
  const { write, start } = await prepare(context);
  await write('hello', 'Hello');
  const gateway = await start();
  const run = cliOf(gateway);
  assert.equal(await say(gateway, 'hello'), 'hello@1: Hello Ada');
  await write('hello', 'Good day');
  await until('the second version', async () => (await say(gateway, 'hello')) === 'hello@2: Good day Ada');
  assert.equal(await say(gateway, 'hello@1'), 'hello@1: Hello Ada');

  assert.match((await run('promote', 'hello@1', '--label', 'staging')).stdout, /1 .*published +staging/);
  assert.equal(await say(gateway, 'hello@staging'), 'hello@1: Hello Ada');
  assert.match((await run('promote', 'hello@1', 'canary')).stdout, /1 .*published +.*canary/);
  assert.equal((await run('unlabel', 'hello', 'canary')).exitCode, 0);
  const diff = await run('diff', 'hello', 'staging', 'production');
  assert.match(
    diff.stdout,
    /^--- hello@1\n\+\+\+ hello@2\n@@ [^\n]*\n(?: [^\n]*\n)*-Hello \{\{name\}\}\n\+Good day/,
  );
  await run('promote', 'hello@1');
  assert.equal(await say(gateway, 'hello'), 'hello@1: Hello Ada');
  assert.match((await run('list')).stdout, /hello +1 +published +production=1 staging=1 +2/);

  const refused = await run('retire', 'hello@1');
  assert.equal(refused.exitCode, 1);
  assert.match(refused.stderr, /'hello@1' is what 'production', 'staging' points at: promote another one/);
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  await run('retire', 'hello@2', '--on', tomorrow);
  const ending = await gateway.post('/v1/prompts/hello@2', { name: 'Ada' });
  assert.match(ending.headers.get('deprecation') ?? '', /^@\d+$/);
  assert.equal(ending.headers.get('sunset'), new Date(tomorrow).toUTCString());
  assert.equal(ending.headers.get('link'), '</v1/prompts/hello>; rel="successor-version"');
  assert.equal((await gateway.post('/v1/prompts/hello@1', { name: 'Ada' })).headers.get('sunset'), null);
  assert.match((await run('retire', 'hello@2')).stdout, /2 .*retired/);
  const gone = await gateway.post('/v1/prompts/hello@2', { name: 'Ada' });
  assert.equal(gone.status, 410);
  const { error } = (await gone.json()) as { error: JsonObject };
  assert.equal(error['code'], 'prompt_retired');
  assert.match(String(error['message']), /'hello@2' was retired on .* Call 'hello' instead\./);

  assert.match((await run('unlabel', 'hello', 'production')).stdout, /1 .*published +staging/);
  const nowhere = await gateway.post('/v1/prompts/hello', { name: 'Ada' });
  assert.equal(nowhere.status, 404);
  assert.match(
    await nowhere.text(),
    /'hello' has no version in production: name one\. There is hello@staging, hello@1\./,
  );
  assert.equal(await say(gateway, 'hello@1'), 'hello@1: Hello Ada');
  assert.doesNotMatch(await (await gateway.get('/v1/prompts')).text(), /hello/);
  await run('promote', 'hello@1');
  assert.equal(await say(gateway, 'hello'), 'hello@1: Hello Ada');

  // Its labels are where they were, and lead to nothing that could be called.
  await run('retire', 'hello');
  const unknown = await gateway.post('/v1/prompts/hello@7', { name: 'Ada' });
  assert.match(await unknown.text(), /has no version or label '7'\.(?! There is)/);
  await run('publish', 'hello@1');

  for (const [args, exitCode] of [
    [['publish', 'nobody'], 1],
    [['unlabel', 'hello'], 2],
    [['unlabel', 'hello', 'none'], 1],
    [['promote', 'hello'], 2],
    [['promote', 'hello@9'], 1],
    [['promote', 'hello@1', 'one', '--label', 'other'], 2],
    [['publish', 'hello@1', 'staging'], 2],
    [['diff'], 2],
    [['list', '--label', 'x'], 2],
    [['begin'], 2],
  ] as const)
    assert.equal((await run(...args)).exitCode, exitCode, args.join(' '));

  const { body } = await adminClient(gateway.url).must('GET', '/events?limit=100');
  const kinds = (body['data'] as { kind: string }[]).map(({ kind }) => kind);
  const kindsOfAll = ['prompt_published', 'prompt_label_moved', 'prompt_deprecated', 'prompt_retired'];
  for (const kind of [...kindsOfAll, 'prompt_label_removed']) assert.ok(kinds.includes(kind), kind);
});

test('a draft is called by those who may call the prompt, until somebody publishes it', async (context) => {
  const { write, start, folder } = await prepare(context);
  await write('hello', 'Hello');
  const gateway = await start({ prompts: { directory: folder, publish: 'manual' } });
  const run = cliOf(gateway);
  assert.equal((await gateway.post('/v1/prompts/hello', { name: 'Ada' })).status, 404);
  assert.equal(await say(gateway, 'hello@draft'), 'hello@1: Hello Ada');
  assert.equal(((await (await gateway.get('/v1/prompts')).json()) as { data: unknown[] }).data.length, 0);
  assert.equal((await run('publish', 'hello')).exitCode, 0);
  assert.equal(await say(gateway, 'hello'), 'hello@1: Hello Ada');
  await write('hello', 'Good day');
  await until('the draft', async () => (await say(gateway, 'hello@draft')) === 'hello@2: Good day Ada');
  assert.equal(await say(gateway, 'hello'), 'hello@1: Hello Ada');
  assert.match((await run('diff', 'hello')).stdout, /^--- hello@1\n\+\+\+ hello@2\n/);
});

test('what there is of a prompt is told to its callers, its text is not', async (context) => {
  const { write, start } = await prepare(context);
  await write('hello', 'Secret');
  const gateway = await start();
  const answer = await gateway.get('/v1/prompts/hello');
  const text = await answer.text();
  assert.doesNotMatch(text, /Secret/);
  const { hash, versions, ...told } = JSON.parse(text) as JsonObject;
  assert.match(String(hash), /^[0-9a-f]{64}$/);
  const { createdAt, ...version } = (versions as JsonObject[])[0] ?? {};
  assert.ok(Date.parse(String(createdAt)) > 0);
  assert.deepEqual(version, { version: 1, hash, state: 'published' });
  assert.deepEqual(told, {
    ...{ object: 'prompt', name: 'hello', description: null, version: 1, state: 'published' },
    input: {
      type: 'object',
      properties: { name: { type: 'string' } },
      ...{ required: ['name'], additionalProperties: false },
    },
    output: { format: 'text', schema: null },
    labels: { production: 1 },
    ...{ history: false, tools: false, overrides: [], files: [], example: { name: 'text' } },
  });
  assert.equal((await gateway.post('/v1/prompts/hello', told['example'])).status, 200);
  const unknown = await gateway.post('/v1/prompts/hello@7', { name: 'Ada' });
  assert.equal(unknown.status, 404);
  assert.match(await unknown.text(), /has no version or label '7'/);
});

test('viewers see what there is, and only operators read and change it', async (context) => {
  const { write, start } = await prepare(context);
  await write('hello', 'Secret');
  const viewer = 'sk-fl-admin-key-of-viewer-00000000';
  const gateway = await start({ adminKeys: { eve: { role: 'viewer', secret: viewer } } });
  const asViewer = adminClient(gateway.url, viewer);
  const { body } = await asViewer.must('GET', '/prompts/hello');
  assert.doesNotMatch(JSON.stringify(body), /Secret/);
  assert.equal((await asViewer.ask('GET', '/prompts/hello/versions/1')).status, 403);
  assert.equal((await asViewer.ask('GET', '/prompts/hello/diff')).status, 403);
  assert.equal((await asViewer.ask('POST', '/prompts/hello/retire', {})).status, 403);
  const asOwner = adminClient(gateway.url);
  const version = await asOwner.must('GET', '/prompts/hello/versions/production');
  assert.match(String(version.body['source']), /Secret/);
  assert.equal((await asOwner.ask('POST', '/prompts/hello/promote', { version: 'x', more: 1 })).status, 400);
  assert.equal((await asOwner.ask('POST', '/prompts/nobody/publish', {})).status, 404);
});

test('a prompt in a folder is reached by its whole name', async (context) => {
  const { write, start, folder } = await prepare(context);
  await write('_unused', 'x');
  await mkdir(join(folder, 'support'));
  await write('support/triage', 'Sort');
  const gateway = await start();
  assert.equal(await say(gateway, 'support/triage@production'), 'support/triage@1: Sort Ada');
  const run = cliOf(gateway);
  assert.match((await run('list', 'support/triage')).stdout, /1 .*published +production/);
  await run('promote', 'support/triage@1', 'staging');
  assert.equal(await say(gateway, 'support/triage@staging'), 'support/triage@1: Sort Ada');
});

test('a start without the files serves what was published', async (context) => {
  const { write, start, folder } = await prepare(context);
  await write('hello', 'Hello');
  const data = await mkdtemp(join(tmpdir(), 'fairlead-data-'));
  context.after(() => rm(data, { recursive: true, force: true }));
  const first = await start({}, { folder: data });
  assert.equal(await say(first, 'hello'), 'hello@1: Hello Ada');
  await first.stop();
  await rm(folder, { recursive: true });
  const second = await start({}, { folder: data });
  assert.equal(await say(second, 'hello'), 'hello@1: Hello Ada');
  await until('it is told', async () => second.logs().includes('prompts_unreadable'));
});

test('many prompts at once are one event', async (context) => {
  const { write, start } = await prepare(context);
  for (let number = 0; number < 120; number++) await write(`p${number}`, `Text ${number}`);
  const gateway = await start();
  const { body } = await adminClient(gateway.url).must('GET', '/events?limit=1000');
  const events = (body['data'] as JsonObject[]).filter(({ kind }) => String(kind).startsWith('prompt'));
  assert.deepEqual(
    events.map(({ kind, details }) => [kind, (details as JsonObject)['versions']]),
    [['prompts_changed', 120]],
  );
  assert.equal(await say(gateway, 'p119'), 'p119@1: Text 119 Ada');
});

onEachDatabase((database) => {
  test('instances that share a store make one version of a file, and serve what one of them is told', async (context) => {
    const { write, start } = await prepare(context);
    await write('hello', 'Hello');
    const url = await database.makeUrl(context);
    const gateways = await Promise.all([start({ store: url }), start({ store: url })]);
    await write('hello', 'Good day');
    for (const gateway of gateways)
      await until('the new version', async () => (await say(gateway, 'hello')) === 'hello@2: Good day Ada');
    const [one, other] = gateways;
    const { body } = await adminClient(other.url).must('GET', '/prompts/hello');
    assert.equal((body['versions'] as unknown[]).length, 2);
    assert.equal((await cliOf(one)('promote', 'hello@1')).exitCode, 0);
    assert.equal(await say(one, 'hello'), 'hello@1: Hello Ada');
    await until('the same everywhere', async () => (await say(other, 'hello')) === 'hello@1: Hello Ada');
    const { body: events } = await adminClient(one.url).must('GET', '/events?limit=1000');
    const published = (events['data'] as { kind: string }[]).filter(
      ({ kind }) => kind === 'prompt_published',
    );
    assert.equal(published.length, 2);
    // Both look on: what was moved by hand is not moved back by a file that stands as it stood.
    await sleep(1_500);
    for (const gateway of gateways) assert.equal(await say(gateway, 'hello'), 'hello@1: Hello Ada');
  });
});
