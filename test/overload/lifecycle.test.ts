import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { type GatewayOptions, startGateway, TEST_KEY } from '../support/gateway.ts';
import { chat, send, startHeldUpstream, type Told } from './held-upstream.ts';

const BATCH = 'sk-fl-key-of-batch-00000000000000';
const RIVAL = 'sk-fl-key-of-rival-00000000000000';
const CHAT = '/v1/chat/completions';

const key = (secret: string) => ({ authorization: `Bearer ${secret}` });

interface Setting {
  overload?: object;
  server?: object;
  limits?: object;
}

function configOf(baseUrl: string, { overload, server, limits }: Setting): object {
  return {
    server: { port: 0, drainTimeout: '5s', ...server },
    providers: { up: { adapter: 'openai-compatible', baseUrl } },
    models: {
      m: { targets: ['up/x'], retries: 0, ...(overload && { overload }) },
      n: { targets: ['up/y'] },
    },
    tenants: {
      acme: { models: ['*'], ...(limits && { limits }), keys: [{ name: 'app', secret: TEST_KEY }] },
      rival: { models: ['*'], keys: [{ name: 'app', secret: RIVAL }] },
      batch: { models: ['m'], priority: 'low', keys: [{ name: 'app', secret: BATCH }] },
    },
  };
}

async function setUp(context: TestContext, setting: Setting, options: GatewayOptions = {}) {
  const upstream = await startHeldUpstream();
  const config = configOf(upstream.baseUrl, setting);
  const gateway = await startGateway(
    config,
    undefined,
    options.folder ? { ...options, file: stringify(config) } : {},
  );
  let isStopped = false;
  const stop = async () => {
    if (!isStopped) await gateway.stop();
    isStopped = true;
  };
  context.after(async () => {
    await upstream.close();
    await stop();
  });
  return { upstream, gateway, stop, ask: send.bind(undefined, gateway) };
}

function codeOf({ text }: Told): string {
  return (JSON.parse(text) as { error: { code: string } }).error.code;
}

test('a client that leaves while its call waits leaves the queue: nothing is sent for it, and its record says so', async (context) => {
  const { upstream, gateway, ask } = await setUp(context, {
    overload: { maxConcurrentCalls: 1, maxQueuedCalls: 1 },
  });
  const runs = await ask(CHAT, chat('one'));
  await upstream.arrived(1);
  const leaves = await ask(CHAT, chat('two', { stream: true }));
  leaves.leave();
  const [record] = await gateway.calls(1);
  assert.deepEqual([record?.outcome, record?.attempts, record?.usage], ['cancelled', [], null]);
  const waits = await ask(CHAT, chat('three'));
  upstream.held[0]?.answer();
  const at = await runs.told;
  assert.equal(at.status, 200);
  assert.match(String(at.headers['server-timing']), /^gateway;dur=[\d.]+, upstream;dur=[\d.]+$/);
  assert.equal((await upstream.arrived(2))[1]?.content, 'three');
  upstream.held[1]?.answer();
  const { status, headers } = await waits.told;
  assert.equal(status, 200);
  assert.match(
    String(headers['server-timing']),
    /^gateway;dur=[\d.]+, upstream;dur=[\d.]+, queue;dur=[\d.]+$/,
  );
});

test('a client that leaves while its call runs makes way for the next', async (context) => {
  const { upstream, ask } = await setUp(context, { overload: { maxConcurrentCalls: 1 } });
  for (const stream of [false, true]) {
    const before = upstream.held.length;
    const leaves = await ask(CHAT, chat('leaves', { stream }));
    await upstream.arrived(before + 1);
    const waits = await ask(CHAT, chat('stays', { stream }));
    leaves.leave();
    assert.equal((await upstream.arrived(before + 2))[before + 1]?.content, 'stays');
    upstream.held[before + 1]?.answer();
    assert.equal((await waits.told).status, 200);
  }
});

test('a client that leaves while it uploads and waits costs nobody a place', async (context) => {
  const { upstream, gateway, ask } = await setUp(context, { overload: { maxConcurrentCalls: 1 } });
  const runs = await ask(CHAT, chat('one'));
  await upstream.arrived(1);
  const form = new FormData();
  form.set('model', 'm');
  form.set('file', new Blob([Buffer.alloc(8_000_000)]), 'a.wav');
  const leaving = new AbortController();
  const uploads = fetch(`${gateway.url}/v1/audio/transcriptions`, {
    method: 'POST',
    body: form,
    headers: key(TEST_KEY),
    signal: leaving.signal,
  });
  uploads.catch(() => {});
  await sleep(100);
  const waits = await ask(CHAT, chat('two'));
  leaving.abort();
  await assert.rejects(uploads);
  upstream.held[0]?.answer();
  assert.equal((await runs.told).status, 200);
  for (let tries = 0; !upstream.held.some(({ content }) => content === 'two') && tries < 400; tries++)
    await sleep(10);
  for (const held of upstream.held.slice(1)) held.answer();
  assert.equal((await waits.told).status, 200);
  const [record] = (await gateway.calls(3)).filter(({ operation }) => operation !== 'generate');
  assert.equal(record?.outcome, 'cancelled');
});

test('whose time is up is told so, and how long to wait before it comes again', async (context) => {
  const { upstream, gateway, ask } = await setUp(context, {
    overload: { maxConcurrentCalls: 1, maxQueueTime: '50ms' },
  });
  const runs = await ask(CHAT, chat('one'));
  await upstream.arrived(1);
  const late = await (await ask(CHAT, chat('two'))).told;
  assert.equal(late.status, 503);
  assert.equal(codeOf(late), 'model_overloaded');
  assert.match(late.text, /waited 0\.05 s/);
  assert.match(String(late.headers['retry-after']), /^[12]$/);
  upstream.held[0]?.answer();
  await runs.told;
  const told = (await gateway.calls(2)).map(({ outcome, status }) => `${outcome} ${status}`);
  assert.deepEqual(told.toSorted(), ['ok 200', 'overloaded 503']);
  const events = await (await gateway.get('/admin/v1/events', 'sk-fl-admin-test-key-0000000000000')).text();
  assert.match(events, /"overloaded"/);
  assert.match(gateway.logs(), /calls of the model 'm' are refused/);
});

test('however a call ends, its place is given on', async (context) => {
  const { upstream, ask } = await setUp(context, {
    overload: { maxConcurrentCalls: 1 },
    limits: { budgets: [{ tokens: 50_000, per: 'day' }] },
  });
  const endings: ((held: (typeof upstream.held)[number]) => void)[] = [
    ({ answer }) => answer(),
    ({ response }) =>
      void response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":{"message":"no"}}'),
    ({ response }) => void response.writeHead(500).end(),
    ({ response }) => void response.destroy(),
    ({ response }) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>no</p>'),
    ({ response }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n');
      setTimeout(() => response.destroy(), 20);
    },
  ];
  for (const [index, end] of endings.entries()) {
    const before = upstream.held.length;
    const runs = await ask(CHAT, chat('ends', { stream: index === 5 }));
    await upstream.arrived(before + 1);
    const [refused, waits] = [
      // It would use more than its tenant has left: that is known when it has its place.
      await ask(CHAT, chat('costs', { max_tokens: 60_000 })),
      await ask(CHAT, chat('waits')),
    ];
    end(upstream.held[before] as (typeof upstream.held)[number]);
    await runs.told;
    assert.equal((await refused.told).status, 402);
    assert.equal((await upstream.arrived(before + 2))[before + 1]?.content, 'waits');
    upstream.held[before + 1]?.answer();
    assert.equal((await waits.told).status, 200);
  }
});

test('a call that waits reserves nothing of its tenant’s limits', async (context) => {
  const { upstream, ask } = await setUp(context, {
    overload: { maxConcurrentCalls: 1 },
    limits: { concurrentCalls: 1 },
  });
  const runs = await ask(CHAT, chat('rival'), key(RIVAL));
  await upstream.arrived(1);
  const waits = await ask(CHAT, chat('waits'));
  const other = await ask(CHAT, chat('other', { model: 'n' }));
  assert.equal((await upstream.arrived(2))[1]?.content, 'other');
  upstream.held[1]?.answer();
  assert.equal((await other.told).status, 200);
  upstream.held[0]?.answer();
  await upstream.arrived(3);
  upstream.held[2]?.answer();
  assert.deepEqual([(await runs.told).status, (await waits.told).status], [200, 200]);
});

test('what is refused anyway is told at once, whoever waits', async (context) => {
  const { upstream, ask } = await setUp(context, {
    server: { overload: { maxConcurrentCalls: 1, maxQueuedCalls: 0 } },
  });
  const runs = await ask(CHAT, chat('one'));
  await upstream.arrived(1);
  assert.equal((await (await ask(CHAT, chat('two', { model: 'nowhere' }))).told).status, 404);
  assert.equal((await (await ask(CHAT, chat('two', { model: 'n' }), key(BATCH))).told).status, 403);
  assert.equal((await (await ask(CHAT, { model: 7 })).told).status, 400);
  const refused = await (await ask(CHAT, chat('two', { model: 'n' }))).told;
  assert.deepEqual([refused.status, codeOf(refused)], [503, 'gateway_overloaded']);
  upstream.held[0]?.answer();
  assert.equal((await runs.told).status, 200);
});

test('a tenant of low priority yields, and one that sent many calls waits its turn', async (context) => {
  const { upstream, ask } = await setUp(context, { overload: { maxConcurrentCalls: 1 } });
  const asked = [await ask(CHAT, chat('first'))];
  await upstream.arrived(1);
  asked.push(await ask(CHAT, chat('batch'), key(BATCH)));
  for (const number of [1, 2, 3]) asked.push(await ask(CHAT, chat(`acme ${number}`)));
  asked.push(await ask(CHAT, chat('rival'), key(RIVAL)));
  for (let index = 0; index < asked.length; index++) {
    await upstream.arrived(index + 1);
    upstream.held[index]?.answer();
  }
  for (const { told } of asked) assert.equal((await told).status, 200);
  const order = upstream.held.map(({ content }) => content);
  assert.deepEqual([order[0], order.at(-1)], ['first', 'batch']);
  assert.ok(order.indexOf('rival') <= 2, `the order was ${order.join(', ')}`);
});

test('a count is no call of its model, a list none at all; what embeds, uploads and is a count waits for the gateway', async (context) => {
  const { upstream, gateway, ask } = await setUp(context, {
    overload: { maxConcurrentCalls: 1, maxQueuedCalls: 0 },
    server: { overload: { maxConcurrentCalls: 2 } },
  });
  const counting = { model: 'm', messages: [{ role: 'user', content: 'one two' }] };
  const count = async () => ask('/v1/messages/count_tokens', counting, { 'x-api-key': TEST_KEY });
  const first = await ask(CHAT, chat('one'));
  await upstream.arrived(1);
  assert.equal((await (await count()).told).status, 200, 'the model is full, the gateway is not');
  const second = await ask(CHAT, chat('two', { model: 'n' }));
  await upstream.arrived(2);
  const counts = await count();
  const embeds = await ask('/v1/embeddings', { model: 'n', input: 'Hi' });
  const form = new FormData();
  form.set('model', 'n');
  form.set('file', new Blob([Buffer.alloc(300_000)]), 'a.wav');
  const encoded = new Response(form);
  const uploads = await ask('/v1/audio/transcriptions', Buffer.from(await encoded.arrayBuffer()), {
    'content-type': encoded.headers.get('content-type') ?? '',
  });
  assert.equal((await gateway.get('/v1/files')).status, 200);
  assert.equal(upstream.held.length, 2);
  upstream.held[0]?.answer();
  upstream.held[1]?.answer();
  assert.deepEqual([(await first.told).status, (await second.told).status], [200, 200]);
  assert.equal((await counts.told).status, 200);
  await upstream.arrived(4);
  for (const held of upstream.held.slice(2)) held.answer();
  assert.equal((await embeds.told).status, 200);
  assert.equal((await uploads.told).status, 200);
});

test('the bounds of a model change while calls wait: who fits then goes on, by the configuration that it came with', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-overload-'));
  context.after(() => rm(folder, { recursive: true, force: true }));
  const { upstream, gateway, ask } = await setUp(
    context,
    { overload: { maxConcurrentCalls: 1, maxQueueTime: '1m' } },
    { folder },
  );
  const change = async (overload: object | undefined) => {
    const file = stringify(configOf(upstream.baseUrl, overload ? { overload } : {}));
    await writeFile(join(folder, 'fairlead.yaml'), file);
    await gateway.reload();
  };
  const asked = [];
  for (const number of [1, 2, 3, 4, 5]) asked.push(await ask(CHAT, chat(`call ${number}`)));
  await upstream.arrived(1);
  await change({ maxConcurrentCalls: 2, maxQueuedCalls: 0 });
  await upstream.arrived(2);
  const refused = await (await ask(CHAT, chat('late'))).told;
  assert.equal(refused.status, 503, 'a shorter queue takes nobody, and sends nobody away');
  upstream.held[0]?.answer();
  await upstream.arrived(3);
  await change(undefined);
  await upstream.arrived(5);
  for (const held of upstream.held.slice(1)) held.answer();
  for (const { told } of asked) assert.equal((await told).status, 200);
});

test('a gateway that stops answers who waits where that can be, and tells who would wait too long', async (context) => {
  const { upstream, stop, ask } = await setUp(context, {
    overload: { maxConcurrentCalls: 1 },
    server: { drainTimeout: '1s' },
  });
  const runs = await ask(CHAT, chat('one'));
  await upstream.arrived(1);
  const waits = await ask(CHAT, chat('two'));
  const never = await ask(CHAT, chat('three', { stream: true }));
  const stopped = stop();
  upstream.held[0]?.answer();
  assert.equal((await runs.told).status, 200);
  await upstream.arrived(2);
  const told = await never.told;
  assert.equal(told.status, 503);
  assert.match(told.text, /The gateway is stopping/);
  assert.equal((await waits.told).status, 503);
  await stopped;
  assert.equal(upstream.held.length, 2, 'who was told has not been sent');
});

test('of a hundred calls that come at once, some of whose clients leave, never more run than may, and all others are answered', async (context) => {
  const { upstream, gateway } = await setUp(context, {
    overload: { maxConcurrentCalls: 4, maxQueuedCalls: 200, maxQueueTime: '1m' },
  });
  let running = 0;
  let most = 0;
  const isDone = new AbortController();
  const answering = (async () => {
    for (let next = 0; !isDone.signal.aborted; ) {
      const held = upstream.held[next];
      if (!held) {
        await sleep(1);
        continue;
      }
      next += 1;
      running += 1;
      most = Math.max(most, running);
      held.response.once('close', () => {
        running -= 1;
      });
      setTimeout(held.answer, 3);
    }
  })();
  const statuses = await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      const leaving = new AbortController();
      if (index % 5 === 4) setTimeout(() => leaving.abort(), index);
      const secret = [TEST_KEY, RIVAL, BATCH][index % 3] as string;
      try {
        const response = await gateway.post(CHAT, chat(`call ${index}`, { stream: index % 2 === 0 }), {
          headers: key(secret),
          signal: leaving.signal,
        });
        await response.text();
        return response.status;
      } catch {
        assert.ok(leaving.signal.aborted);
        return 499;
      }
    }),
  );
  isDone.abort();
  await answering;
  assert.deepEqual(new Set(statuses.filter((_, index) => index % 5 !== 4)), new Set([200]));
  assert.ok(most <= 4, `${most} ran at once`);
  const outcomes = (await gateway.calls(80)).map(({ outcome }) => outcome);
  assert.deepEqual(
    outcomes.filter((outcome) => outcome !== 'ok' && outcome !== 'cancelled'),
    [],
  );
  // All places are free again.
  const before = upstream.held.length;
  const last = await Promise.all(Array.from({ length: 4 }, () => send(gateway, CHAT, chat('last'))));
  await upstream.arrived(before + 4);
  for (const held of upstream.held.slice(before)) held.answer();
  for (const { told } of last) assert.equal((await told).status, 200);
});
