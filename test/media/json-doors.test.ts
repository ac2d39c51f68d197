import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import OpenAI, {
  APIError,
  BadRequestError,
  InternalServerError,
  PermissionDeniedError,
  RateLimitError,
} from 'openai';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { drawImage, speak } from '../support/openai/media.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const openai = await startFakeOpenAi();
const second = await startFakeOpenAi();
const describe = ({ url, apiKey }: { url: string; apiKey: string }) => ({
  baseUrl: url,
  accounts: [{ name: 'main', apiKey }],
});
const LIMITED_KEY = 'sk-fl-limited-key-00000000000000000';
const gateway = await startGateway({
  providers: {
    openai: describe(openai),
    second: { adapter: 'openai-compatible', ...describe(second) },
    groq: describe(openai),
  },
  models: {
    picture: { targets: ['openai/gpt-image-1', 'second/gpt-image-1'] },
    voice: { targets: ['openai/tts-1', 'second/tts-1'] },
    elsewhere: { targets: ['groq/gpt-image-1', 'second/gpt-image-1'] },
    // Its first failure is the client's: scripts fail a provider once.
    once: { targets: ['openai/gpt-image-1'], retries: 0 },
  },
  tenants: {
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
    limited: { models: ['echo/*'], keys: [{ name: 'app', secret: LIMITED_KEY }] },
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all([openai.close(), second.close()]);
});
const clientOf = (apiKey: string) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, maxRetries: 0 });
const client = clientOf(TEST_KEY);

/** The newest record, once all that this file has caused are written. */
let caused = 0;
async function lastRecord() {
  caused += 1;
  const [record] = await gateway.calls(caused);
  return record;
}

test('an image is drawn, its model replaced, its usage recorded', async () => {
  const image = await client.images.generate({
    model: 'picture',
    prompt: 'a fox in snow',
    size: '1024x1024',
  });
  assert.equal(image.data?.[0]?.b64_json, drawImage('a fox in snow'));
  assert.deepEqual(openai.requests.at(-1)?.body, {
    model: 'gpt-image-1',
    prompt: 'a fox in snow',
    size: '1024x1024',
  });
  const record = await lastRecord();
  assert.equal(record?.operation, 'image');
  assert.equal(record?.outcome, 'ok');
  assert.equal(record?.target, 'openai/gpt-image-1');
  assert.deepEqual([record?.usage?.input, record?.usage?.output], [4, 272]);
  assert.equal(record?.usage?.estimated, undefined);
  // Tokens of images cost otherwise than those of text, and are not told apart in records.
  assert.equal(record?.costMicroUsd, null);
});

test('an image that streams comes with its partial images and ends with the last of them', async () => {
  const stream = await client.images.generate({
    model: 'picture',
    prompt: 'a fox',
    stream: true,
    partial_images: 1,
  });
  const types: string[] = [];
  for await (const event of stream) types.push(event.type);
  assert.deepEqual(types, ['image_generation.partial_image', 'image_generation.completed']);
  const record = await lastRecord();
  assert.equal(record?.stream, true);
  assert.equal(record?.usage?.output, 272);
});

test('a stream of images that ends before the last of them ends with an error', async () => {
  openai.setBehaviour('close without done', 1);
  const stream = await client.images.generate({ model: 'picture', prompt: 'a fox', stream: true });
  await assert.rejects(
    async () => {
      for await (const _event of stream);
    },
    (error) => error instanceof APIError && /ended its stream/.test(error.message),
  );
  const record = await lastRecord();
  assert.equal(record?.outcome, 'upstream_unavailable');
  assert.equal(record?.usage, null);
});

test('speech arrives as the bytes that the provider sent, with their type, and nothing is made up of its usage', async () => {
  const speech = await client.audio.speech.create({ model: 'voice', input: 'Guten Tag', voice: 'alloy' });
  assert.equal(speech.headers.get('content-type'), 'audio/mpeg');
  assert.ok(Buffer.from(await speech.arrayBuffer()).equals(speak('Guten Tag')));
  const record = await lastRecord();
  assert.equal(record?.operation, 'speech');
  assert.deepEqual([record?.usage, record?.costMicroUsd], [null, null]);
  assert.ok((record?.firstTokenMs ?? 0) > 0);
});

test('speech as events comes whole, with its usage', async () => {
  const speech = await client.audio.speech.create({
    model: 'openai/gpt-4o-mini-tts',
    input: 'Guten Tag',
    voice: 'alloy',
    stream_format: 'sse',
  });
  const events = (await speech.text()).split('\n\n').filter((event) => event !== '');
  assert.equal(events.length, 3);
  assert.ok(events.at(-1)?.includes('speech.audio.done'));
  const record = await lastRecord();
  assert.equal(record?.stream, true);
  assert.equal(record?.usage?.output, 50);
});

test('speech that breaks off is cut off at the client, too', async () => {
  openai.setBehaviour('break mid-stream', 1);
  const speech = await client.audio.speech.create({ model: 'openai/tts-1', input: 'Hi', voice: 'alloy' });
  await assert.rejects(speech.arrayBuffer());
  const record = await lastRecord();
  assert.equal(record?.outcome, 'upstream_unavailable');
});

test('a moderation is relayed', async () => {
  const model = 'openai/omni-moderation-latest';
  const { results } = await client.moderations.create({ model, input: ['kind', 'violence'] });
  assert.deepEqual(
    results.map(({ flagged }) => flagged),
    [false, true],
  );
  assert.equal((await lastRecord())?.operation, 'moderate');
});

test('a moderation that names no model is for the one that OpenAI takes, where the key may call it', async () => {
  for (const body of [{ input: 'kind' }, { input: 'kind', model: null }]) {
    const response = await gateway.post('/v1/moderations', body);
    assert.equal(response.status, 200);
    const { model } = (await response.json()) as { model: string };
    assert.equal(model, 'omni-moderation-latest');
    const record = await lastRecord();
    assert.deepEqual([record?.model, record?.target], Array(2).fill('openai/omni-moderation-latest'));
  }
  await assert.rejects(clientOf(LIMITED_KEY).moderations.create({ input: 'kind' }), PermissionDeniedError);
  await lastRecord();
});

test('a model of that name may be any, and without one and without OpenAI a model must be named', async () => {
  const guard = { adapter: 'openai-compatible', ...describe(second) };
  const named = await startGateway({
    providers: { guard },
    models: { 'omni-moderation-latest': { targets: ['guard/text-moderation-latest'] } },
  });
  const without = await startGateway({ providers: { guard } });
  try {
    const response = await named.post('/v1/moderations', { input: 'kind' });
    assert.equal(((await response.json()) as { model: string }).model, 'text-moderation-latest');
    const refused = await without.post('/v1/moderations', { input: 'kind' });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /'model' is missing/);
  } finally {
    await Promise.all([named.stop(), without.stop()]);
  }
});

for (const path of ['/v1/rerank', '/v2/rerank']) {
  test(`documents are ranked at ${path}`, async () => {
    const body = { model: 'second/reranker', query: 'fox', documents: ['a longer text', 'fox'], top_n: 1 };
    const response = await gateway.post(path, body);
    assert.equal(response.status, 200);
    const answer = (await response.json()) as { results: { index: number }[] };
    assert.deepEqual(
      answer.results.map(({ index }) => index),
      [1],
    );
    assert.deepEqual(second.requests.at(-1)?.body, { ...body, model: 'reranker' });
    assert.equal(second.requests.at(-1)?.path, '/v1/rerank');
    const record = await lastRecord();
    assert.deepEqual([record?.operation, record?.usage?.input], ['rerank', 15]);
  });
}

test('Cohere has its rerank beside its Compatibility API, in two versions', async () => {
  const cohere = await startRawUpstream((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(
      '{"id":"1","results":[{"index":0,"relevance_score":0.5}],"meta":{"billed_units":{"search_units":1}}}',
    );
  });
  const own = await startGateway({
    providers: {
      cohere: {
        baseUrl: cohere.baseUrl.replace(/\/v1$/, '/proxy/compatibility/v1'),
        accounts: [{ name: 'main', apiKey: 'sk-cohere-0000000' }],
      },
    },
  });
  try {
    for (const version of ['v1', 'v2']) {
      const response = await own.post(`/${version}/rerank`, {
        model: 'cohere/r',
        query: 'q',
        documents: ['d'],
      });
      assert.equal(response.status, 200);
      assert.equal(cohere.requests.at(-1)?.path, `/proxy/${version}/rerank`);
    }
    const [record] = await own.calls(2);
    assert.equal(record?.usage, null);
  } finally {
    await own.stop();
    await cohere.close();
  }
});

test('a provider that is down is followed by the next; one without the operation is passed over', async () => {
  openai.setBehaviour('fail 503', 1);
  const image = await client.images.generate({ model: 'picture', prompt: 'a fox' });
  assert.equal(image.data?.length, 1);
  assert.deepEqual(
    (await lastRecord())?.attempts.map(({ outcome }) => outcome),
    ['upstream_unavailable', 'ok'],
  );
  const { data } = await client.images.generate({ model: 'elsewhere', prompt: 'a fox' });
  assert.equal(data?.length, 1);
  assert.equal((await lastRecord())?.target, 'second/gpt-image-1');
});

test('failures raise typed errors in the words of the provider', async () => {
  for (const [script, raised] of [
    ['fail 429', RateLimitError],
    ['fail 500', InternalServerError],
    ['html 200', InternalServerError],
    ['truncated json', InternalServerError],
  ] as const) {
    openai.setBehaviour(script, 1);
    const call = client.images.generate({ model: 'once', prompt: 'a fox' });
    await assert.rejects(call, (error) => error instanceof raised);
    await lastRecord();
  }
  const refused = client.images.generate({ model: 'openai/gpt-image-1', prompt: 'a fox', n: 77 });
  await assert.rejects(refused, (error) => error instanceof BadRequestError && error.param === 'n');
  await lastRecord();
  const unsupported = client.images.generate({ model: 'groq/whatever', prompt: 'a fox' });
  await assert.rejects(
    unsupported,
    (error) => error instanceof BadRequestError && error.code === 'unsupported_operation',
  );
  await lastRecord();
});

test('a model that a key may not call is forbidden at each of the doors', async () => {
  const limited = clientOf(LIMITED_KEY);
  const model = 'openai/gpt-image-1';
  for (const call of [
    () => limited.images.generate({ model, prompt: 'x' }),
    () => limited.audio.speech.create({ model, input: 'x', voice: 'alloy' }),
    () => limited.moderations.create({ model, input: 'x' }),
    () => limited.post('/rerank', { body: { model, query: 'q', documents: ['d'] } }),
  ]) {
    const before = openai.requests.length;
    await assert.rejects(call(), (error) => error instanceof PermissionDeniedError);
    assert.equal(openai.requests.length, before);
    await lastRecord();
  }
});

test('a client that leaves while it listens stops the provider', async () => {
  const aborted = Promise.withResolvers<void>();
  const upstream = await startRawUpstream((response) => {
    response.on('close', () => aborted.resolve());
    response.writeHead(200, { 'content-type': 'audio/mpeg' });
    const timer = setInterval(() => response.write(Buffer.alloc(1000, 0xff)), 5);
    response.on('close', () => clearInterval(timer));
  });
  const own = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
  });
  try {
    const leaving = new AbortController();
    const body = { model: 'up/tts', input: 'x', voice: 'alloy' };
    const response = await own.post('/v1/audio/speech', body, { signal: leaving.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    leaving.abort();
    await aborted.promise;
    const [record] = await own.calls();
    assert.deepEqual([record?.outcome, record?.status, record?.usage], ['cancelled', 499, null]);
  } finally {
    await own.stop();
    await upstream.close();
  }
});

test('documents are reranked where each provider has that', async () => {
  const upstream = await startRawUpstream((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"results":[{"index":0,"relevance_score":0.9}],"usage":{"total_tokens":7}}');
  });
  const origin = new URL(upstream.baseUrl).origin;
  const PLACES: Readonly<Record<string, [base: string, path: string]>> = {
    alibaba: ['/compatible-mode/v1', '/compatible-api/v1/reranks'],
    cohere: ['/compatibility/v1', '/v1/rerank'],
    fireworks: ['/inference/v1', '/inference/v1/rerank'],
    openrouter: ['/api/v1', '/api/v1/rerank'],
    together: ['/v1', '/v1/rerank'],
    vllm: ['/v1', '/v1/rerank'],
  };
  const reranking = await startGateway({
    providers: Object.fromEntries(
      Object.entries(PLACES).map(([name, [base]]) => [
        name,
        { baseUrl: origin + base, accounts: [{ name: 'main', apiKey: 'any' }] },
      ]),
    ),
  });
  try {
    const asked = { query: 'q', documents: ['a', 'b'], top_n: 1 };
    for (const [name, [, path]] of Object.entries(PLACES)) {
      const answer = await reranking.post('/v1/rerank', { model: `${name}/a-reranker`, ...asked });
      assert.equal(answer.status, 200, `${name}: ${await answer.text()}`);
      const sent = upstream.requests.at(-1);
      assert.equal(sent?.path, path);
      assert.deepEqual(JSON.parse(sent.body), { model: 'a-reranker', ...asked });
    }
    const records = await reranking.calls(Object.keys(PLACES).length);
    assert.deepEqual(
      new Set(records.map(({ operation, outcome }) => `${operation} ${outcome}`)),
      new Set(['rerank ok']),
    );
  } finally {
    await reranking.stop();
    await upstream.close();
  }
});
