import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { adminClient } from '../support/admin.ts';
import { onEachDatabase } from '../support/databases.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, type RawUpstream, startRawUpstream } from '../support/raw-upstream.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

/** The candidate at this provider is what the test makes of it; the stable is well. */
interface Provider extends RawUpstream {
  /** What the candidate was asked. */
  copies(): JsonObject[];
}

type Answer = (response: ServerResponse, request: JsonObject) => void;

const well: Answer = (response, { model, stream }) => {
  if (stream === true) {
    response.setHeader('content-type', 'text/event-stream');
    response.end(`${chatChunk('Hi')}${chatChunk('', 'stop')}data: [DONE]\n\n`);
    return;
  }
  response.setHeader('content-type', 'application/json');
  response.end(chatAnswer(`of ${model}`));
};

const broken: Answer = (response) => {
  response.setHeader('content-type', 'application/json');
  response.writeHead(500).end('{"error":{"message":"broken"}}');
};

async function startProvider(context: TestContext, candidate: Answer): Promise<Provider> {
  const upstream = await startRawUpstream((response, body) => {
    const request = JSON.parse(body) as JsonObject;
    (request['model'] === 'new' ? candidate : well)(response, request);
  });
  context.after(upstream.close);
  const copies = () =>
    upstream.requests
      .map(({ body }) => JSON.parse(body) as JsonObject)
      .filter(({ model }) => model === 'new');
  return { ...upstream, copies };
}

async function start(
  context: TestContext,
  { baseUrl }: RawUpstream,
  rollout: object = {},
  more: object = {},
  folder?: string,
): Promise<TestGateway> {
  const config = {
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    models: { smart: { targets: ['up/old'], retries: 0 } },
    prices: { 'up/*': { input: 1, output: 1 } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        ...{ steps: [{ weight: 50, hold: '10m' }], shadow: { share: 1, hold: '10m' } },
        ...{ gates: { minCalls: 5, p50LatencyRatio: 100 }, cohort: { users: ['first'] }, ...rollout },
      },
    },
    ...more,
  };
  const gateway = await startGateway(config, undefined, { ...(folder !== undefined && { folder }) });
  context.after(gateway.stop);
  return gateway;
}

async function ask(
  gateway: TestGateway,
  more: object = {},
  path = '/v1/chat/completions',
): Promise<Response> {
  const messages = [{ role: 'user', content: 'Hi' }];
  const answer = await gateway.post(path, { model: 'smart', messages, ...more });
  await answer.clone().text();
  return answer;
}

async function standing(gateway: TestGateway): Promise<JsonObject> {
  const { body } = await adminClient(gateway.url).must('GET', '/rollouts');
  return (body['data'] as JsonObject[])[0] ?? {};
}

async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 25) {
    if (await check()) return;
    await sleep(25);
  }
  assert.fail(`in vain: ${what}`);
}

const isCopy = ({ tenant }: UsageRecord) => tenant === '(operator)';

onEachDatabase((database) => {
  test('a rollout with a shadow begins with copies, which nobody sees and no tenant pays', async (context) => {
    const provider = await startProvider(context, well);
    const gateway = await start(context, provider, {}, { store: await database.makeUrl(context) });
    const admin = adminClient(gateway.url);
    const { body } = await admin.must('POST', '/rollouts/upgrade/start');
    assert.deepEqual([body['phase'], body['step'], body['weight']], ['shadow', 0, 0]);
    for (const more of [{ user: 'first' }, { stream: true }, { store: true, metadata: { a: 'b' } }]) {
      const answer = await ask(gateway, more);
      assert.equal(answer.headers.get('x-fairlead-target'), 'up/old');
      assert.equal(answer.headers.get('x-fairlead-rollout'), 'upgrade=stable', 'not even the cohort');
    }
    const calls = await gateway.calls(6);
    const copies = calls.filter(isCopy);
    assert.equal(copies.length, 3);
    assert.equal(copies.filter(({ stream }) => stream).length, 1, 'a stream is compared with a stream');
    for (const { key, model, target, rollout, costMicroUsd, outcome } of copies) {
      assert.deepEqual([key, model, target, outcome], ['shadow', 'up/new', 'up/new', 'ok']);
      assert.deepEqual(rollout, {
        ...{ name: 'upgrade', side: 'candidate', release: 2, flags: ['copied', 'read'] },
      });
      assert.ok(costMicroUsd !== null && costMicroUsd > 0);
    }
    const sent = provider.copies();
    assert.deepEqual(
      sent.map(({ store }) => store),
      [undefined, undefined, undefined],
      'a copy is kept nowhere',
    );
    assert.ok(sent.some(({ user }) => user === 'first'));
    await until('the copies are learned from', async () => (await standing(gateway))['candidateCalls'] === 3);
    const { body: usage } = await admin.must('GET', '/usage?by=tenant');
    const sums = new Map((usage['data'] as JsonObject[]).map(({ tenant, calls: count }) => [tenant, count]));
    assert.deepEqual([...sums].toSorted(), [
      ['(operator)', 3],
      ['acme', 3],
    ]);
    const { body: ofTenant } = await admin.must('GET', '/usage?tenant=acme&by=target');
    assert.deepEqual(
      (ofTenant['data'] as JsonObject[]).map(({ target }) => target),
      ['up/old'],
    );
  });

  test('a candidate that is bad in copies is rolled back before any user meets it', async (context) => {
    const provider = await startProvider(context, broken);
    const gateway = await start(context, provider, {}, { store: await database.makeUrl(context) });
    await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
    await until('it is rolled back', async () => {
      const answer = await ask(gateway);
      assert.equal(answer.status, 200);
      assert.equal(answer.headers.get('x-fairlead-target'), 'up/old');
      return (await standing(gateway))['phase'] === 'rolled_back';
    });
    const { reason } = await standing(gateway);
    assert.equal(((reason as JsonObject)['failure'] as JsonObject)['what'], 'errors');
    const before = provider.copies().length;
    await ask(gateway);
    await sleep(100);
    assert.equal(provider.copies().length, before, 'copies end with the rollout');
  });
});

test('copies that went well lead to the first step, from which on users have the candidate', async (context) => {
  const provider = await startProvider(context, well);
  const gateway = await start(context, provider, { shadow: { share: 1 } });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  for (let call = 0; call < 4; call += 1) await ask(gateway);
  await gateway.calls(8);
  await until('they are learned from', async () => (await standing(gateway))['candidateCalls'] === 4);
  await sleep(1_200);
  assert.equal((await standing(gateway))['phase'], 'shadow', 'four are fewer than minCalls');
  await ask(gateway);
  await until('it goes on', async () => (await standing(gateway))['phase'] === 'canary');
  const answer = await ask(gateway, { user: 'first' });
  assert.equal(answer.headers.get('x-fairlead-target'), 'up/new');
});

test('what is paused among copies copies nothing, and goes on there', async (context) => {
  const provider = await startProvider(context, well);
  const gateway = await start(context, provider);
  const admin = adminClient(gateway.url);
  await admin.must('POST', '/rollouts/upgrade/start');
  await admin.must('POST', '/rollouts/upgrade/pause');
  await ask(gateway);
  await sleep(100);
  assert.equal(provider.copies().length, 0);
  const { body } = await admin.must('POST', '/rollouts/upgrade/resume');
  assert.equal(body['phase'], 'shadow');
  await ask(gateway);
  await until('it is copied', () => provider.copies().length === 1);
});

test('copies hold nobody up, and are no more at once than may be', async (context) => {
  const waiting: ServerResponse[] = [];
  const provider = await startProvider(context, (response) => waiting.push(response));
  const gateway = await start(context, provider, {
    shadow: { share: 1, hold: '10m', maxConcurrentCalls: 2 },
  });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  for (let call = 0; call < 5; call += 1) assert.equal((await ask(gateway)).status, 200);
  await until('two are sent', () => waiting.length === 2);
  await sleep(200);
  assert.equal(waiting.length, 2);
  for (const response of waiting.splice(0)) well(response, { model: 'new' });
  const calls = await gateway.calls(7);
  assert.equal(calls.filter(isCopy).length, 2);
  await ask(gateway);
  await until('there is room again', () => waiting.length === 1);
});

test('the requests of copies that are under way are bounded in bytes', async (context) => {
  const waiting: ServerResponse[] = [];
  const provider = await startProvider(context, (response) => waiting.push(response));
  const gateway = await start(context, provider, {}, { server: { port: 0, bodyLimit: '20mb' } });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const messages = [{ role: 'user', content: 'x'.repeat(7_000_000) }];
  for (let call = 0; call < 3; call += 1) await ask(gateway, { messages });
  await ask(gateway);
  await until('the small one is copied, too', () => waiting.length === 3);
  await sleep(300);
  const sizes = provider.copies().map((copy) => JSON.stringify(copy).length > 1_000_000);
  assert.deepEqual(sizes.toSorted(), [false, true, true]);
});

test('a copy has nothing of the limits of the tenant', async (context) => {
  const provider = await startProvider(context, well);
  const keys = [{ name: 'app', secret: TEST_KEY }];
  const tenants = { acme: { models: ['*'], limits: { requestsPerMinute: 4, concurrentCalls: 1 }, keys } };
  const gateway = await start(context, provider, {}, { tenants });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  for (const left of ['3', '2', '1', '0']) {
    const answer = await ask(gateway);
    assert.deepEqual([answer.status, answer.headers.get('x-ratelimit-remaining-requests')], [200, left]);
  }
  await until('all are copied', () => provider.copies().length === 4);
});

test('a stop breaks copies off, and their records say so', async (context) => {
  const waiting: ServerResponse[] = [];
  const provider = await startProvider(context, (response) => waiting.push(response));
  const folder = makeTempDirectory(context);
  const gateway = await start(context, provider, {}, {}, folder);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  await ask(gateway);
  await until('a copy is under way', () => waiting.length === 1);
  const closed = new Promise((resolve) => waiting[0]?.on('close', resolve));
  const beganMs = performance.now();
  await gateway.stop();
  await closed;
  assert.ok(performance.now() - beganMs < 4_000, 'the stop waited for it');
  const next = await start(context, provider, {}, {}, folder);
  const copies = (await next.calls(2)).filter(isCopy);
  assert.deepEqual(
    copies.map(({ outcome, rollout }) => [outcome, rollout?.flags]),
    [['cancelled', ['copied', 'unsaid']]],
  );
});

test('what a provider would do beside answering is not asked for twice', async (context) => {
  const provider = await startProvider(context, well);
  const gateway = await start(context, provider);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const search = { type: 'web_search' };
  const own = { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } };
  await ask(gateway, { user: 'a', web_search_options: {} });
  await ask(gateway, { user: 'b', tools: [search] });
  await ask(gateway, { user: 'c', tools: [own] });
  await ask(gateway, { user: 'd' });
  await until('the others are copied', () => provider.copies().length === 2);
  await sleep(200);
  assert.deepEqual(
    provider
      .copies()
      .map(({ user }) => user)
      .toSorted(),
    ['c', 'd'],
  );
  const sides = (await gateway.calls(6)).flatMap(({ tenant, rollout }) =>
    tenant === 'acme' ? [rollout?.side ?? 'none'] : [],
  );
  assert.deepEqual(
    sides.toSorted(),
    ['none', 'none', 'stable', 'stable'],
    'what is not copied is not compared',
  );
});

test('of an answer that a provider keeps its copy is not kept, and what goes on from one is not copied', async (context) => {
  const upstream = await startRawUpstream((response, body) => {
    const { model } = JSON.parse(body) as { model: string };
    const text = { type: 'output_text', text: 'Hi', annotations: [] };
    const message = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [text] };
    const usage = { input_tokens: 3, output_tokens: 2, total_tokens: 5 };
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({
        ...{ id: `resp_${model}`, object: 'response', created_at: 1, status: 'completed', model },
        ...{ output: [message], usage },
      }),
    );
  });
  context.after(upstream.close);
  const accounts = [{ name: 'main', apiKey: 'sk-1' }];
  const providers = { up: { adapter: 'openai', baseUrl: upstream.baseUrl, accounts } };
  const gateway = await start(context, upstream, {}, { providers });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const sent = () => upstream.requests.map(({ body }) => JSON.parse(body) as JsonObject);
  const first = await ask(gateway, { messages: undefined, input: 'Hi' }, '/v1/responses');
  const { id } = (await first.json()) as { id: string };
  assert.equal(id, 'resp_old');
  await until('it is copied', () => sent().length === 2);
  assert.deepEqual(
    sent().map(({ model, store }) => [model, store]),
    [
      ['old', undefined],
      ['new', false],
    ],
  );
  const more = { messages: undefined, input: 'And?', previous_response_id: id };
  assert.equal((await ask(gateway, more, '/v1/responses')).status, 200);
  await sleep(200);
  assert.deepEqual(
    sent().map(({ model }) => model),
    ['old', 'new', 'old'],
  );
  assert.equal((await gateway.get('/v1/responses/resp_new')).status, 404);
});

test('a copy goes to a provider of another dialect as a call would', async (context) => {
  const claude = await startFakeAnthropic({ models: ['claude-new'] });
  context.after(() => claude.close());
  const provider = await startProvider(context, well);
  const providers = {
    up: { adapter: 'openai-compatible', baseUrl: provider.baseUrl },
    anthropic: { baseUrl: claude.url, accounts: [{ name: 'main', apiKey: claude.apiKey }] },
  };
  const gateway = await start(context, provider, { candidate: 'anthropic/claude-new' }, { providers });
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const messages = [{ role: 'user', content: 'Hi' }];
  const more = { messages, max_tokens: 50 };
  await ask(gateway, { ...more, stream: true });
  await ask(gateway, more, '/v1/messages');
  await ask(gateway, { ...more, stream: true }, '/v1/messages');
  const tools = [
    { type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } },
  ];
  await ask(gateway, { ...more, tools });
  const copies = (await gateway.calls(8)).filter(isCopy);
  assert.deepEqual(
    copies.map(({ target, outcome, rollout }) => [target, outcome, rollout?.flags[1]]),
    [0, 1, 2, 3].map(() => ['anthropic/claude-new', 'ok', 'read']),
  );
  assert.ok(copies.every(({ usage }) => (usage?.output ?? 0) > 0));
  assert.equal(claude.requests.length, 4);
});

test('a call of a client that left is not copied', async (context) => {
  const held: ServerResponse[] = [];
  const upstream = await startRawUpstream((response) => held.push(response));
  context.after(upstream.close);
  const gateway = await start(context, upstream);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  const leaving = new AbortController();
  const body = { model: 'smart', messages: [{ role: 'user', content: 'Hi' }] };
  const left = gateway.post('/v1/chat/completions', body, { signal: leaving.signal });
  await until('the stable is asked', () => held.length === 1);
  leaving.abort();
  await assert.rejects(left);
  await gateway.calls(1);
  await sleep(200);
  assert.equal(held.length, 1);
});
