import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { rehearseCommand } from '../../src/cli/rehearse.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { ADMIN_KEY, startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

interface Provider extends RawUpstream {
  /** How the candidate fails. */
  state: { isBroken: boolean; finish: string };
  /** Called before the candidate answers. */
  onCandidate: () => void;
  /** What a model was asked. */
  asked(model: string): JsonObject[];
}

async function startProvider(context: TestContext): Promise<Provider> {
  const state = { isBroken: false, finish: 'stop' };
  const upstream = await startRawUpstream((response, body) => {
    const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
    if (model === 'new') provider.onCandidate();
    const finish = model === 'new' ? state.finish : 'stop';
    if (state.isBroken && model === 'new') {
      response.setHeader('content-type', 'application/json');
      response.writeHead(500).end('{"error":{"message":"broken"}}');
    } else if (stream) {
      response.setHeader('content-type', 'text/event-stream');
      response.end(`${chatChunk('Hi')}${chatChunk('', finish)}data: [DONE]\n\n`);
    } else {
      response.setHeader('content-type', 'application/json');
      response.end(chatAnswer(`of ${model}`).replace('"stop"', `"${finish}"`));
    }
  });
  context.after(upstream.close);
  const asked = (model: string) =>
    upstream.requests
      .map(({ body }) => JSON.parse(body) as JsonObject)
      .filter((request) => request['model'] === model);
  const provider: Provider = { ...upstream, state, asked, onCandidate: () => undefined };
  return provider;
}

async function start(context: TestContext, { baseUrl }: RawUpstream, store?: string): Promise<TestGateway> {
  const keys = [{ name: 'app', secret: TEST_KEY }];
  const gateway = await startGateway({
    ...(store !== undefined && { store }),
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    models: { smart: { targets: ['up/old'], retries: 0 }, other: { targets: ['up/old'] } },
    prices: { 'up/*': { input: 1, output: 1 } },
    tenants: { acme: { models: ['*'], capture: { mode: 'full', retention: '1h' }, keys } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        gates: { minCalls: 1_000, p50LatencyRatio: 1_000, p50FirstTokenRatio: 1_000 },
      },
    },
  });
  context.after(gateway.stop);
  return gateway;
}

async function ask(gateway: TestGateway, more: object = {}): Promise<void> {
  const messages = [{ role: 'user', content: 'Hi' }];
  const answer = await gateway.post('/v1/chat/completions', { model: 'smart', messages, ...more });
  assert.equal(answer.status, 200, await answer.text());
}

async function rehearse({ url }: TestGateway, ...args: string[]) {
  let out = '';
  let err = '';
  const io = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
    ...{ env: { FAIRLEAD_ADMIN_KEY: ADMIN_KEY, FAIRLEAD_URL: url }, cwd: '/' },
  };
  const code = await rehearseCommand.run(['upgrade', ...args], io);
  return { code, out, err };
}

/** Captures are written a moment after their calls. */
async function captured(gateway: TestGateway, count: number): Promise<void> {
  for (let waited = 0; waited < 400; waited += 1) {
    const { body } = await adminClient(gateway.url).must('GET', '/rollouts/upgrade/rehearsal?limit=100');
    if ((body['calls'] as unknown[]).length === count) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  assert.fail(`there are not ${count} captured calls`);
}

onEachDatabase((database) => {
  test('captured calls are made again at the candidate alone, and nothing of it is a tenant’s', async (context) => {
    const provider = await startProvider(context);
    const gateway = await start(context, provider, await database.makeUrl(context));
    for (let user = 0; user < 3; user += 1) await ask(gateway, { user: `u${user}` });
    await ask(gateway, { stream: true });
    await ask(gateway, { model: 'other' });
    await captured(gateway, 4);
    const { code, out, err } = await rehearse(gateway, '--json');
    assert.equal(code, 0, out + err);
    assert.match(err, /^4 of 4 calls$/m);
    const { calls, failure, gates } = JSON.parse(out) as JsonObject;
    assert.deepEqual([calls, failure], [4, null]);
    const errors = (gates as JsonObject[]).find(({ what }) => what === 'errors');
    assert.deepEqual(errors?.['candidate'], { calls: 4, sum: 0 });
    assert.deepEqual(errors?.['stable'], { calls: 4, sum: 0 });
    assert.equal(provider.asked('new').length, 4);
    assert.deepEqual(
      provider
        .asked('new')
        .map(({ user }) => user ?? '-')
        .toSorted(),
      ['-', 'u0', 'u1', 'u2'],
    );
    assert.equal(provider.asked('old').length, 5, 'the stable answered before');
    const records = await gateway.calls(9);
    const own = records.filter(({ tenant }) => tenant === '(operator)');
    assert.deepEqual(
      own.map(({ key, model, rollout }) => [key, model, rollout]),
      [0, 1, 2, 3].map(() => ['rehearsal', 'up/new', undefined]),
    );
    assert.equal(records.filter(({ tenant }) => tenant === 'acme').length, 5);
    const { body } = await adminClient(gateway.url).must('GET', '/rollouts');
    assert.deepEqual(
      (body['data'] as JsonObject[]).map(({ phase, candidateCalls }) => [phase, candidateCalls]),
      [['draft', 0]],
    );
  });

  test('a candidate that is worse fails its rehearsal, however few calls there are', async (context) => {
    const provider = await startProvider(context);
    const gateway = await start(context, provider, await database.makeUrl(context));
    for (let call = 0; call < 40; call += 1) await ask(gateway);
    await captured(gateway, 40);
    provider.state.isBroken = true;
    const broken = await rehearse(gateway);
    assert.equal(broken.code, 1);
    assert.match(broken.out, /The candidate is worse by its errors/);
    provider.state.isBroken = false;
    provider.state.finish = 'length';
    const cut = await rehearse(gateway, '--json');
    assert.equal(cut.code, 1);
    const { failure } = JSON.parse(cut.out) as { failure: JsonObject };
    assert.equal(failure['what'], 'answers cut at the token limit');
  });
});

test('the calls of a file are made at both sides, at the door that each is for', async (context) => {
  const provider = await startProvider(context);
  const gateway = await start(context, provider);
  const folder = makeTempDirectory(context);
  const messages = [{ role: 'user', content: 'Hi' }];
  const lines = [
    { model: 'gpt-4', messages, user: 'plain' },
    { custom_id: '1', method: 'POST', url: '/v1/chat/completions', body: { model: 'x', messages } },
    { url: '/v1/messages', body: { messages, max_tokens: 50 } },
    { url: '/v1/responses', body: { input: 'Hi', tools: [{ type: 'web_search' }] } },
    {
      url: '/v1beta/models/any:generateContent',
      body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
    },
    { url: '/v1/chat/completions', body: { model: 'x', messages, stream: 'yes' } },
    { custom_id: '2', method: 'POST', url: '/v1/embeddings', body: { model: 'x', input: 'Hi' } },
  ];
  await writeFile(join(folder, 'calls.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join('\n'));
  const { code, out, err } = await rehearse(gateway, '--calls', join(folder, 'calls.jsonl'));
  assert.equal(code, 0, out + err);
  assert.match(out, /by 4 calls/);
  assert.match(out, /1 skipped: its provider would do more/);
  assert.match(out, /1 skipped: 'stream' must be true or false/);
  assert.match(out, /1 skipped: 'url' is one of \/v1\/chat\/completions/);
  for (const model of ['old', 'new']) {
    assert.equal(provider.asked(model).length, 4, model);
    assert.ok(provider.asked(model).some(({ user }) => user === 'plain'));
  }
  const limited = await rehearse(gateway, '--calls', join(folder, 'calls.jsonl'), '--limit', '1');
  assert.match(limited.out, /by 1 calls/);
});

test('a line that the gateway does not take costs no more than itself, and one that is no request is named before any call is made', async (context) => {
  const provider = await startProvider(context);
  const gateway = await start(context, provider);
  const file = join(makeTempDirectory(context), 'calls.jsonl');
  const write = (...lines: object[]) => writeFile(file, lines.map((line) => JSON.stringify(line)).join('\n'));
  const call = { messages: [{ role: 'user', content: 'Hi' }] };
  const embedding = { url: '/v1/embeddings', body: { input: 'Hi' } };
  await write(call, embedding, call);
  const { code, out, err } = await rehearse(gateway, '--calls', file, '--concurrency', '1');
  assert.equal(code, 0, out + err);
  assert.match(out, /by 2 calls/);
  assert.match(out, /1 skipped: 'url' is one of /);
  await write(embedding);
  const nothing = await rehearse(gateway, '--calls', file);
  assert.equal(nothing.code, 1);
  assert.match(nothing.err, /no call could be made again: 'url' is one of /);
  const made = provider.requests.length;
  await write(call, { url: '/v1/responses', body: 3 });
  const wrong = await rehearse(gateway, '--calls', file, '--concurrency', '1');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /calls\.jsonl:2 is neither \{ url, body \} nor a body/);
  assert.equal(provider.requests.length, made);
});

test('a rehearsal that the gateway ends tells what it came to until then', async (context) => {
  const provider = await startProvider(context);
  const gateway = await start(context, provider);
  const file = join(makeTempDirectory(context), 'calls.jsonl');
  await writeFile(file, `${JSON.stringify({ messages: [{ role: 'user', content: 'Hi' }] })}\n`.repeat(20));
  provider.onCandidate = () => {
    if (provider.asked('new').length === 3) void gateway.stop();
  };
  const { code, out, err } = await rehearse(gateway, '--calls', file, '--concurrency', '1', '--json');
  assert.equal(code, 1);
  const { calls, stopped } = JSON.parse(out) as { calls: number; stopped: string };
  assert.ok(calls === 2 || calls === 3, `${calls} calls`);
  assert.ok(err.endsWith(`fairlead rehearse: ${stopped}\n`), err);
});

test('what cannot be rehearsed says why', async (context) => {
  const provider = await startProvider(context);
  const gateway = await start(context, provider);
  const nothing = await rehearse(gateway);
  assert.equal(nothing.code, 1);
  assert.match(nothing.err, /there are no calls/);
  const wrong = await rehearse(gateway, '--limit', 'many');
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--limit is a whole number/);
  const file = await rehearse(gateway, '--calls', 'not-there.jsonl');
  assert.equal(file.code, 1);
  assert.match(file.err, /cannot be read \(ENOENT\)/);
  const lines = join(makeTempDirectory(context), 'calls.jsonl');
  await writeFile(lines, '{ "messages": [] }\n{ "url": "/v1/responses", "body": "Hi" }\n');
  const line = await rehearse(gateway, '--calls', lines);
  assert.equal(line.code, 1);
  assert.match(line.err, /calls\.jsonl:2 /);
  assert.deepEqual(provider.requests, [], 'a file that is none costs nothing');
  const admin = adminClient(gateway.url);
  const door = await admin.ask('POST', '/rollouts/upgrade/rehearsal', { url: '/v1/embeddings', body: {} });
  assert.equal(door.status, 400);
  const unknown = await admin.must('POST', '/rollouts/upgrade/rehearsal', { call: 'req_none' });
  assert.deepEqual(unknown.body, { skipped: 'nothing is kept of it' });
  assert.equal((await admin.ask('POST', '/rollouts/none/rehearsal', { call: 'x' })).status, 404);
});
