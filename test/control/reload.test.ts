import assert from 'node:assert/strict';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI from 'openai';
import { adminClient } from '../support/admin.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/** A provider at `/a` and `/b` that answers with where it was called. */
async function startTwin(context: TestContext) {
  const seen: { url: string; socket: number }[] = [];
  const upstream = await startRawUpstream((response, _body, request) => {
    seen.push({ url: request.url ?? '', socket: request.socket.remotePort ?? 0 });
    const which = request.url?.startsWith('/a') ? 'a' : 'b';
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(chatChunk(which));
    setTimeout(() => response.end(`${chatChunk(which, 'stop')}data: [DONE]\n\n`), 5);
  });
  context.after(() => upstream.close());
  return { origin: new URL(upstream.baseUrl).origin, seen };
}

const TENANTS = `tenants: { acme: { models: ["*"], keys: [{ name: app, secret: ${TEST_KEY} }] } }\n`;

function fileFor(origin: string, which: 'a' | 'b', more = ''): string {
  return `server: { port: 0 }
providers: { twin: { adapter: openai-compatible, baseUrl: "${origin}/${which}" } }
models: { m: { targets: [twin/model-${which}] } }
${TENANTS}${more}`;
}

async function readReady(url: string) {
  const response = await fetch(`${url}/readyz`);
  const { revision, troubles } = (await response.json()) as { revision: number; troubles?: string[] };
  return { status: response.status, revision, ...(troubles && { troubles }) };
}

/** In vain after eight seconds: what a machine that is shared may take for what takes a half. */
async function until(what: string, check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 8_000; waited += 50) {
    if (await check()) return;
    await sleep(50);
  }
  assert.fail(`in vain: ${what}`);
}

async function startWatched(
  context: TestContext,
  file: string,
): Promise<{ gateway: TestGateway; path: string }> {
  const folder = makeTempDirectory(context);
  const gateway = await startGateway({}, undefined, { folder, file });
  context.after(() => gateway.stop());
  return { gateway, path: join(folder, 'fairlead.yaml') };
}

test('no call is lost, and none is mixed, while the file changes under load', async (context) => {
  const { origin, seen } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  let goOn = true;
  let calls = 0;
  const answers = new Set<string>();
  const call = async () => {
    while (goOn) {
      const { data, response } = await client.chat.completions
        .create({ model: 'm', stream: true, messages: [{ role: 'user', content: 'Hello' }] })
        .withResponse();
      let text = '';
      for await (const chunk of data) text += chunk.choices[0]?.delta.content ?? '';
      // The target's name and the address it was called at are of one revision.
      const target = response.headers.get('x-fairlead-target');
      assert.ok(text === 'aa' || text === 'bb', text);
      assert.equal(target, `twin/model-${text.charAt(0)}`);
      answers.add(text);
      calls += 1;
    }
  };
  const callers = Array.from({ length: 8 }, call);
  const { revision: first } = await readReady(gateway.url);
  let rounds = 0;
  while (rounds < 6 || calls < 60) {
    rounds += 1;
    await writeFile(path, fileFor(origin, rounds % 2 === 1 ? 'b' : 'a'));
    await gateway.reload();
    await sleep(60);
  }
  goOn = false;
  await Promise.all(callers);
  assert.equal((await readReady(gateway.url)).revision, first + rounds);
  assert.deepEqual([...answers].sort(), ['aa', 'bb']);
  assert.equal(seen.length, calls);
  // Pools outlive revisions: connections that served the one serve the other.
  const socketsOf = (which: string) =>
    new Set(seen.filter(({ url }) => url.startsWith(which)).map(({ socket }) => socket));
  const [ofA, ofB] = [socketsOf('/a'), socketsOf('/b')];
  assert.ok(
    [...ofA].some((socket) => ofB.has(socket)),
    'every revision opened connections of its own',
  );
});

test('the file is watched: written in place, replaced by a rename, deleted', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const target = async () =>
    (await gateway.post('/v1/chat/completions', { model: 'm', stream: true, messages: [] })).headers.get(
      'x-fairlead-target',
    );
  assert.equal(await target(), 'twin/model-a');
  await writeFile(path, fileFor(origin, 'b'));
  await until('written in place', async () => (await target()) === 'twin/model-b');
  await writeFile(`${path}.new`, fileFor(origin, 'a'));
  await rename(`${path}.new`, path);
  await until('renamed over', async () => (await target()) === 'twin/model-a');
  await writeFile(path, '');
  await until('emptied', async () => (await readReady(gateway.url)).troubles?.[0] === 'file_refused');
  assert.match(gateway.logs(), /is empty: write \{\}/);
  await writeFile(path, fileFor(origin, 'a', '# again\n'));
  await until('filled', async () => (await readReady(gateway.url)).troubles === undefined);
  await rm(path);
  await until('deleted', async () => (await readReady(gateway.url)).troubles?.[0] === 'file_refused');
  assert.equal(await target(), 'twin/model-a');
});

test('a file that changes while the gateway starts is taken up', async (context) => {
  const { origin } = await startTwin(context);
  const folder = makeTempDirectory(context);
  const gateway = await startGateway({}, undefined, {
    folder,
    file: fileFor(origin, 'a'),
    afterRead: () => writeFile(join(folder, 'fairlead.yaml'), fileFor(origin, 'b', '# later\n')),
  });
  context.after(() => gateway.stop());
  const admin = adminClient(gateway.url);
  await until('the later file', async () => {
    const { body } = await admin.must('GET', '/models/m');
    return JSON.stringify(body['targets']) === '["twin/model-b"]';
  });
});

test('a bad file changes nothing and says why; the next good one ends that', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const before = await readReady(gateway.url);
  await writeFile(path, fileFor(origin, 'a', 'modles: {}\n'));
  await gateway.reload();
  const ready = await readReady(gateway.url);
  assert.deepEqual(ready, { ...before, troubles: ['file_refused'] });
  assert.equal(ready.status, 200);
  assert.match(gateway.logs(), /fairlead\.yaml:5:1: modles: unknown key; did you mean \\"models\\"\?/);
  const events = await adminClient(gateway.url).must('GET', '/events?limit=1');
  const [event] = events.body['data'] as { kind: string; severity: string }[];
  assert.deepEqual([event?.kind, event?.severity], ['config_refused', 'alarm']);
  await writeFile(path, fileFor(origin, 'a', '# all is well\n'));
  await gateway.reload();
  // A comment is no change.
  assert.deepEqual(await readReady(gateway.url), before);
  const { body } = await adminClient(gateway.url).must('GET', '/events?limit=1');
  const [end] = body['data'] as { kind: string; severity: string }[];
  assert.deepEqual([end?.kind, end?.severity], ['config_accepted', 'info']);
});

test('a file of comments alone is as good as empty, and takes nothing away', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const before = await readReady(gateway.url);
  await writeFile(path, fileFor(origin, 'a').replace(/^/gm, '# '));
  await gateway.reload();
  assert.deepEqual(await readReady(gateway.url), { ...before, troubles: ['file_refused'] });
  assert.match(gateway.logs(), /is empty: write \{\} for a configuration that says nothing/);
});

test('what takes a restart is told of', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const { revision } = await readReady(gateway.url);
  await writeFile(path, fileFor(origin, 'a').replace('port: 0', 'port: 0, bodyLimit: 1mb'));
  await gateway.reload();
  assert.equal((await readReady(gateway.url)).revision, revision);
  assert.match(gateway.logs(), /A restart is needed before these are in effect: server/);
});

test('a name that the API made cannot be taken by the file, nor the other way round', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const admin = adminClient(gateway.url);
  await admin.must('PUT', '/models/mine', { targets: ['echo/x'] });
  await writeFile(path, fileFor(origin, 'a').replace('models: {', 'models: { mine: { targets: [echo/y] },'));
  await gateway.reload();
  assert.match(
    gateway.logs(),
    /fairlead\.yaml: models\.mine: is declared by both: admin API has it already, and fairlead\.yaml wants it/,
  );
  const model = await admin.must('GET', '/models/mine');
  assert.deepEqual(model.body['targets'], ['echo/x']);
  assert.deepEqual((await readReady(gateway.url)).troubles, ['file_pending']);
  await admin.must('DELETE', '/models/mine');
  await until('taken up', async () => (await readReady(gateway.url)).troubles === undefined);
  assert.deepEqual((await admin.must('GET', '/models/mine')).body['targets'], ['echo/y']);
  assert.equal((await admin.ask('PUT', '/models/mine', { targets: ['echo/x'] })).status, 409);
});

test('the file cannot take a tenant away that has keys of the API still', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(context, fileFor(origin, 'a'));
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/tenants/acme/keys', { name: 'ci' });
  await writeFile(path, fileFor(origin, 'a').replace(TENANTS, ''));
  await gateway.reload();
  assert.match(
    gateway.logs(),
    /tenants\.acme\.models: the tenant is not there, and has keys still \(made by the admin API\)/,
  );
  await admin.must('DELETE', '/tenants/acme/keys/ci');
  await until('taken up', async () => (await admin.ask('GET', '/tenants/acme')).status === 404);
  assert.equal((await readReady(gateway.url)).troubles, undefined);
});

test('credentials are in no revision, and a restore has them all the same', async (context) => {
  const secrets: (string | undefined)[] = [];
  const upstream = await startRawUpstream((response, _body, request) => {
    secrets.push(request.headers.authorization);
    response.writeHead(500).end('{}');
  });
  context.after(() => upstream.close());
  const fileWith = (key: string, model: string) => `server: { port: 0 }
providers: { p: { adapter: openai-compatible, baseUrl: "${upstream.baseUrl}", accounts: [{ name: a, apiKey: ${key} }] } }
models: { m: { targets: [p/${model}], retries: 0 } }
${TENANTS}`;
  const { gateway, path } = await startWatched(context, fileWith('sk-first-credential', 'one'));
  const call = () => gateway.post('/v1/chat/completions', { model: 'm', messages: [] });
  await call();
  await writeFile(path, fileWith('sk-second-credential', 'two'));
  await gateway.reload();
  await call();
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/revisions/1/restore', {});
  await call();
  assert.deepEqual(secrets, [
    'Bearer sk-first-credential',
    'Bearer sk-second-credential',
    'Bearer sk-first-credential',
  ]);
  const told = [];
  for (const page of [
    '/revisions/1',
    '/revisions/2',
    '/revisions/3',
    '/events',
    '/config?owner=all',
    '/providers',
  ])
    told.push((await admin.must('GET', page)).body);
  assert.match(JSON.stringify(told), /notStored/);
  assert.doesNotMatch(JSON.stringify(told) + gateway.logs(), /sk-(?:first|second)-credential|sk-fl-test-key/);
});

test('a restart keeps what a restore brought back, until the file is a newer one', async (context) => {
  const { origin } = await startTwin(context);
  const folder = makeTempDirectory(context);
  const run = async (file: string, work: (gateway: TestGateway) => Promise<void>) => {
    const gateway = await startGateway({}, undefined, { folder, file });
    try {
      await work(gateway);
    } finally {
      await gateway.stop();
    }
  };
  const targets = async ({ url }: TestGateway) =>
    (await adminClient(url).must('GET', '/models/m')).body['targets'];
  await run(fileFor(origin, 'a'), async (gateway) => {
    assert.equal((await readReady(gateway.url)).revision, 1);
  });
  await run(fileFor(origin, 'b'), async (gateway) => {
    assert.deepEqual(await targets(gateway), ['twin/model-b']);
    await adminClient(gateway.url).must('POST', '/revisions/1/restore', {});
    assert.deepEqual(await targets(gateway), ['twin/model-a']);
  });
  await run(fileFor(origin, 'b'), async (gateway) => {
    assert.equal((await readReady(gateway.url)).revision, 3);
    assert.deepEqual(await targets(gateway), ['twin/model-a']);
  });
  await run(fileFor(origin, 'b', 'prices: { "twin/*": { input: 1 } }\n'), async (gateway) => {
    assert.deepEqual(await targets(gateway), ['twin/model-b']);
  });
});

test('an account that is as it was keeps its access token through a change beside it', async (context) => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(500).end('{}');
  });
  context.after(() => upstream.close());
  let issued = 0;
  const issuer: typeof fetch = async () => {
    issued += 1;
    return Response.json({ access_token: `token-number-${issued}`, expires_in: 3600 });
  };
  const gateway = await startGateway(
    {
      providers: {
        azure: {
          adapter: 'azure-openai',
          baseUrl: `${upstream.baseUrl}/openai/v1`,
          accounts: [{ name: 'a', entra: { tenantId: 't', clientId: 'c', clientSecret: 'a-client-secret' } }],
        },
      },
    },
    issuer,
  );
  context.after(() => gateway.stop());
  const call = () => gateway.post('/v1/chat/completions', { model: 'azure/m', messages: [] });
  await call();
  await adminClient(gateway.url).must('PUT', '/models/m', { targets: ['azure/m'] });
  await adminClient(gateway.url).must('PUT', '/providers/other', { adapter: 'echo' });
  await call();
  assert.equal(issued, 1);
});

test('prices that change are those of the calls after it', async (context) => {
  const { origin } = await startTwin(context);
  const { gateway, path } = await startWatched(
    context,
    fileFor(origin, 'a', 'prices: { "twin/*": { input: 1, output: 1 } }\n'),
  );
  const call = async () =>
    (await gateway.post('/v1/chat/completions', { model: 'm', stream: true, messages: [] })).text();
  await call();
  const [before] = await gateway.calls(1);
  await writeFile(path, fileFor(origin, 'a', 'prices: { "twin/*": { input: 10000, output: 10000 } }\n'));
  await gateway.reload();
  await call();
  const [after] = await gateway.calls(2);
  assert.ok(
    Number(after?.costMicroUsd) > 1000 * Number(before?.costMicroUsd),
    JSON.stringify([before, after]),
  );
});

test('prices in another order are other prices: the first that fits counts', async (context) => {
  const { origin } = await startTwin(context);
  const [all, one] = ['"twin/*": { input: 1, output: 1 }', '"twin/model-*": { input: 10000, output: 10000 }'];
  const prices = (...order: string[]) => fileFor(origin, 'a', `prices: { ${order.join(', ')} }\n`);
  const { gateway, path } = await startWatched(context, prices(all, one));
  const call = async () =>
    (await gateway.post('/v1/chat/completions', { model: 'm', stream: true, messages: [] })).text();
  await call();
  const [before] = await gateway.calls(1);
  await writeFile(path, prices(one, all));
  await gateway.reload();
  const { body } = await adminClient(gateway.url).must('GET', '/revisions/2');
  assert.deepEqual(
    (body['changes'] as { name: string }[]).map(({ name }) => name),
    ['prices'],
  );
  await call();
  const [after] = await gateway.calls(2);
  assert.notEqual(after?.costMicroUsd, before?.costMicroUsd);
});
