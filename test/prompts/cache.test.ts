import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UsageSum } from '../../src/usage/queries.ts';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, chatChunk, startRawUpstream } from '../support/raw-upstream.ts';
import { redisMissing, startRedis } from '../support/redis.ts';

const RIVAL_KEY = 'sk-fl-key-of-rival-00000000000000';
const NARROW_KEY = 'sk-fl-narrow-key-of-acme-000000000';
const USED = { prompt_tokens: 1000, completion_tokens: 200, total_tokens: 1200 };

interface Setting {
  answer?: (response: ServerResponse, asked: number) => unknown;
  config?: object;
  acme?: object;
}

function respond(response: ServerResponse, text: string, finish = 'stop', status = 200): void {
  const body = JSON.parse(chatAnswer(text)) as { choices: { finish_reason: string }[] };
  for (const choice of body.choices) choice.finish_reason = finish;
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ ...body, usage: USED }));
}

/** The model says how often it was asked. */
async function setUp({ answer, config, acme }: Setting = {}) {
  let asked = 0;
  const upstream = await startRawUpstream((response, body) => {
    asked += 1;
    if (answer) {
      answer(response, asked);
      return;
    }
    if (!(JSON.parse(body) as { stream?: boolean }).stream) {
      respond(response, `answer ${asked}`);
      return;
    }
    response.setHeader('content-type', 'text/event-stream');
    response.end(
      `${chatChunk('answer ')}${chatChunk(String(asked))}${chatChunk('', 'stop')}data: [DONE]\n\n`,
    );
  });
  const directory = await mkdtemp(join(tmpdir(), 'fairlead-prompts-'));
  const write = (text: string) =>
    writeFile(
      join(directory, 'say.prompt'),
      `---\nmodel: up/m\ninput: { schema: { word: string } }\ncache: { ttl: 10m }\nfairlead.overrides: [model, temperature]\n---\n${text}\n`,
    );
  await write('Say {{word}}.');
  const start = async () => {
    const gateway = await startGateway({
      providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
      prices: { 'up/*': { input: 1, output: 10 } },
      prompts: { directory },
      tenants: {
        acme: {
          ...{ models: ['*'], prompts: ['*'], ...acme },
          keys: [
            { name: 'app', secret: TEST_KEY },
            { name: 'narrow', secret: NARROW_KEY, models: ['other'] },
          ],
        },
        rival: { models: [], prompts: ['*'], keys: [{ name: 'app', secret: RIVAL_KEY }] },
      },
      models: { other: { targets: ['up/other'] } },
      ...config,
    });
    after(gateway.stop);
    const call = (word: string, query = '', headers: Record<string, string> = {}) =>
      gateway.post(`/v1/prompts/say${query}`, { word }, { headers });
    return { gateway, call };
  };
  after(async () => {
    await upstream.close();
    await rm(directory, { recursive: true });
  });
  return { ...(await start()), start, write, asked: () => asked };
}

async function read(answer: Response): Promise<[string | null, string]> {
  return [answer.headers.get('x-fairlead-cache'), await answer.text()];
}

test('an answer is given again for the same input, at no cost, and the record says what that saved', async () => {
  const { gateway, call } = await setUp();
  assert.deepEqual(await read(await call('x')), ['miss', 'answer 1']);
  assert.deepEqual(await read(await call('x')), ['hit', 'answer 1']);
  assert.deepEqual(await read(await call('y')), ['miss', 'answer 2']);
  const records = await gateway.calls(3);
  const hits = records.filter(({ saved }) => saved);
  assert.deepEqual(
    hits.map(({ prompt, costMicroUsd, usage, target, attempts, saved, outcome }) => ({
      ...{ prompt, costMicroUsd, usage, target, attempts, saved, outcome },
    })),
    [
      {
        ...{ prompt: 'say@1', costMicroUsd: 0, usage: null, target: null, attempts: [], outcome: 'ok' },
        saved: { tokens: 1200, costMicroUsd: 3000 },
      },
    ],
  );
  const answer = await gateway.get('/admin/v1/usage?by=prompt', ADMIN_KEY);
  const [sum] = ((await answer.json()) as { data: UsageSum[] }).data;
  assert.deepEqual([sum?.calls, sum?.costMicroUsd, sum?.cachedCalls, sum?.savedMicroUsd], [3, 6000, 1, 3000]);
});

test('what was answered whole is given again as a stream and in any format, and the other way round', async () => {
  const { call, asked } = await setUp();
  assert.deepEqual(await read(await call('x')), ['miss', 'answer 1']);
  const stream = await call('x', '?stream=true');
  assert.match(stream.headers.get('content-type') ?? '', /^text\/event-stream/);
  const [state, events] = await read(stream);
  assert.equal(state, 'hit');
  assert.match(
    events,
    /^event: delta\ndata: \{"text":"answer 1"\}\n\nevent: output\ndata: \{"output":"answer 1"/,
  );
  for (const format of ['chat', 'responses', 'messages'])
    for (const query of [`?format=${format}`, `?format=${format}&stream=true`]) {
      const [hit, text] = await read(await call('x', query));
      assert.equal(hit, 'hit', query);
      assert.match(text, /answer 1/, query);
    }
  assert.equal((await read(await call('y', '?stream=true')))[0], 'miss');
  assert.deepEqual(await read(await call('y')), ['hit', 'answer 2']);
  assert.equal((await read(await call('z', '?format=chat')))[0], 'miss');
  assert.deepEqual(await read(await call('z')), ['hit', 'answer 3']);
  assert.equal(asked(), 3);
});

test('as a model it gives the same answers, at both of its doors, whole and as a stream', async () => {
  const { gateway, call, asked } = await setUp();
  const messages = [{ role: 'user', content: 'x' }];
  const ask = async (path: string, body: object, headers: Record<string, string> = {}) =>
    read(await gateway.post(path, { model: 'prompt/say', ...body }, { headers }));
  const [state, first] = await ask('/v1/chat/completions', { messages });
  assert.equal(state, 'miss');
  assert.match(first, /answer 1/);
  assert.deepEqual(await read(await call('x')), ['hit', 'answer 1']);
  const again: [string, object][] = [
    ['/v1/chat/completions', { messages, user: 'ada' }],
    ['/v1/chat/completions', { messages, stream: true, stream_options: { include_usage: true } }],
    ['/v1/responses', { input: 'x' }],
    ['/v1/responses', { input: 'x', stream: true }],
  ];
  for (const [path, body] of again) {
    const [hit, text] = await ask(path, body);
    assert.equal(hit, 'hit', path);
    assert.match(text, /answer 1/);
  }
  assert.equal((await ask('/v1/responses', { input: 'y', stream: true }))[0], 'miss');
  assert.deepEqual(await read(await call('y')), ['hit', 'answer 2']);
  const anew = { 'cache-control': 'no-cache' };
  assert.equal((await ask('/v1/chat/completions', { messages }, anew))[0], 'miss');
  assert.equal(asked(), 3);
  const records = await gateway.calls(9);
  const hits = records.filter(({ saved }) => saved);
  assert.equal(hits.length, 6);
  for (const { costMicroUsd, usage, target, prompt, model } of hits)
    assert.deepEqual([costMicroUsd, usage, target, prompt, model], [0, null, null, 'say@1', 'up/m']);
});

test('tenants share nothing, and what is set otherwise is another answer', async () => {
  const { call } = await setUp();
  assert.deepEqual(await read(await call('x')), ['miss', 'answer 1']);
  const rival = { authorization: `Bearer ${RIVAL_KEY}` };
  assert.deepEqual(await read(await call('x', '', rival)), ['miss', 'answer 2']);
  assert.deepEqual(await read(await call('x', '?temperature=1')), ['miss', 'answer 3']);
  assert.deepEqual(await read(await call('x', '?model=other')), ['miss', 'answer 4']);
});

test('a key is given no answer of a model that it may not call', async () => {
  const { call } = await setUp();
  assert.equal((await call('x', '?model=up/y')).status, 200);
  const narrow = await call('x', '?model=up/y', { authorization: `Bearer ${NARROW_KEY}` });
  assert.equal(narrow.status, 403);
  assert.equal(narrow.headers.get('x-fairlead-cache'), 'miss');
});

test('a changed file never gives the answer of the one before', async () => {
  const { call, write } = await setUp();
  assert.deepEqual(await read(await call('x')), ['miss', 'answer 1']);
  await write('Say {{word}}, please.');
  let [state, text] = await read(await call('x'));
  for (let waited = 0; state === 'hit' && waited < 100; waited += 1) {
    await sleep(100);
    [state, text] = await read(await call('x'));
  }
  assert.deepEqual([state, text], ['miss', 'answer 2']);
  await write('Say {{word}}.');
});

test('a caller can ask anew, and have nothing kept', async () => {
  const { call } = await setUp();
  assert.deepEqual(await read(await call('x')), ['miss', 'answer 1']);
  assert.deepEqual(await read(await call('x', '', { 'cache-control': 'no-cache' })), ['miss', 'answer 2']);
  assert.deepEqual(await read(await call('x')), ['hit', 'answer 2']);
  assert.deepEqual(await read(await call('x', '', { 'cache-control': 'no-store' })), ['miss', 'answer 3']);
  assert.deepEqual(await read(await call('x')), ['hit', 'answer 2']);
});

test('errors and answers that are cut are not kept', async () => {
  const { call } = await setUp({
    answer: (response, asked) => {
      if (asked === 1) respond(response, 'cut', 'length');
      else if (asked === 2) respond(response, 'bad', 'stop', 400);
      else respond(response, 'whole');
    },
  });
  assert.deepEqual(await read(await call('x')), ['miss', 'cut']);
  assert.equal((await call('x')).status, 400);
  assert.deepEqual(await read(await call('x')), ['miss', 'whole']);
  assert.deepEqual(await read(await call('x')), ['hit', 'whole']);
});

test('calls for one answer at the same time are one call', async () => {
  const open: ServerResponse[] = [];
  const { call, asked } = await setUp({ answer: (response) => open.push(response) });
  const calls = Array.from({ length: 8 }, (_, index) => call('x', index % 2 === 0 ? '' : '?stream=true'));
  while (open.length === 0) await sleep(10);
  await sleep(200);
  for (const response of open) respond(response, 'once');
  const answers = await Promise.all((await Promise.all(calls)).map(read));
  assert.equal(asked(), 1);
  assert.deepEqual(answers.map(([state]) => state).toSorted(), [...Array(7).fill('hit'), 'miss']);
  for (const [, text] of answers) assert.match(text, /once/);
});

test('where the one that is waited for fails, the others ask themselves', async () => {
  const open: ServerResponse[] = [];
  const { call, asked } = await setUp({ answer: (response) => open.push(response) });
  const calls = [call('x'), call('x')];
  while (open.length === 0) await sleep(10);
  await sleep(200);
  for (const response of open.splice(0)) respond(response, 'no', 'stop', 400);
  while (open.length === 0) await sleep(10);
  for (const response of open.splice(0)) respond(response, 'yes');
  const answers = await Promise.all(calls);
  assert.deepEqual(answers.map(({ status }) => status).toSorted(), [200, 400]);
  assert.equal(asked(), 2);
});

test('where the client of the one that is waited for leaves, the next one asks for all', async () => {
  const open: ServerResponse[] = [];
  const { gateway, call, asked } = await setUp({ answer: (response) => open.push(response) });
  const leaving = new AbortController();
  const left = gateway.post('/v1/prompts/say', { word: 'x' }, { signal: leaving.signal });
  while (open.length === 0) await sleep(10);
  const calls = [call('x'), call('x')];
  await sleep(200);
  leaving.abort();
  await assert.rejects(left);
  while (open.length === 1) await sleep(10);
  await sleep(200);
  for (const response of open) if (!response.destroyed) respond(response, 'yes');
  const answers = await Promise.all((await Promise.all(calls)).map(read));
  assert.deepEqual(answers.toSorted(), [
    ['hit', 'yes'],
    ['miss', 'yes'],
  ]);
  assert.equal(asked(), 2);
});

test('a hit takes a request of the limits, and neither tokens nor money', async () => {
  const { gateway, call } = await setUp({
    acme: { limits: { requestsPerMinute: 3, budgets: [{ usd: 0.05, per: 'day' }] } },
  });
  // The budget lets one call through: what it reserves (4,096 tokens of output) is most of it.
  assert.equal((await read(await call('x')))[0], 'miss');
  assert.equal((await read(await call('x')))[0], 'hit');
  assert.equal((await read(await call('x')))[0], 'hit');
  assert.equal((await call('x')).status, 429);
  const [refused, ...others] = await gateway.calls(4);
  assert.deepEqual([refused?.status, refused?.saved], [429, undefined]);
  assert.equal(others.filter(({ saved }) => saved).length, 2);
});

/** What instances tell their Redis is there a moment later. */
async function until(check: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 500; waited += 1) {
    if (await check()) return;
    await sleep(20);
  }
  assert.fail('in vain');
}

test('instances share what they keep in their Redis, and ask the model without it', {
  skip: redisMissing,
}, async () => {
  const redis = await startRedis();
  after(redis.close);
  // A Redis that a busy machine keeps waiting is not away.
  const state = { state: redis.url, stateTimeout: '10s', onStateLoss: 'local' };
  const { gateway, call, start, asked } = await setUp({ config: state });
  const other = await start();
  await until(
    async () => String(await redis.client.client('LIST')).split('name=fairlead-answers').length === 3,
  );
  assert.deepEqual(await read(await call('x')), ['miss', 'answer 1']);
  await until(async () => (await redis.client.keys('fairlead:answer:*')).length > 0);
  assert.deepEqual(await read(await other.call('x')), ['hit', 'answer 1']);

  // Calls for one answer at the same time are one call over all instances.
  const before = asked();
  const many = await Promise.all(
    ['p', 'p', 'q', 'q'].flatMap((word) => [call(word), other.call(word, '?format=chat')]),
  );
  assert.deepEqual((await Promise.all(many.map(read))).map(([state]) => state).toSorted(), [
    ...Array(6).fill('hit'),
    ...Array(2).fill('miss'),
  ]);
  assert.equal(asked(), before + 2);
  await until(async () => (await redis.client.keys('fairlead:asked:*')).length === 0);
  await redis.stop();
  for (const instance of [gateway, other.gateway])
    await until(async () => instance.logs().includes('quota_state_lost'));
  assert.deepEqual(await read(await other.call('y')), ['miss', 'answer 4']);
  assert.deepEqual(await read(await other.call('y')), ['hit', 'answer 4']);
  assert.equal(asked(), 4);
});
