import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import OpenAI, { BadRequestError } from 'openai';
import { API_VERSION, AZURE_KEY, startFakeAzure } from '../support/fake-azure.ts';
import { vectorOf } from '../support/fake-vectors.ts';
import { startFakeVertex } from '../support/fake-vertex.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { ENTRA, startTokenIssuer } from '../support/token-issuer.ts';

const issuer = await startTokenIssuer();
const revoked = new Set<string>();
const isToken = (token: string) => issuer.tokens.includes(token) && !revoked.has(token);
const azure = await startFakeAzure(isToken);
const vertex = await startFakeVertex(isToken);

const root = (baseUrl: string) => new URL(baseUrl).origin;
const { serviceAccount } = issuer;

function startClouds() {
  const azureAt = { adapter: 'azure-openai', baseUrl: root(azure.baseUrl) };
  const deployments = { 'gpt-4.1': 'my-gpt-41' };
  const key = { name: 'key', apiKey: AZURE_KEY };
  const vertexAt = { baseUrl: root(vertex.baseUrl), project: 'my-project', location: 'europe-west4' };
  const providers = {
    classic: { ...azureAt, apiVersion: API_VERSION, deployments, accounts: [key] },
    v1: { ...azureAt, deployments, accounts: [key] },
    entra: { ...azureAt, deployments, accounts: [{ name: 'app', entra: ENTRA }] },
    wrong: { ...azureAt, deployments, accounts: [{ name: 'key', apiKey: 'wrong-azure-key' }] },
    vertex: { ...vertexAt, accounts: [{ name: 'main', google: { serviceAccount } }] },
  };
  const models = { both: { targets: ['vertex/gemini-2.5-flash', 'v1/gpt-4.1'] } };
  return startGateway({ providers, models }, issuer.fetch);
}

const gateway = await startClouds();
const client = new OpenAI({ apiKey: TEST_KEY, baseURL: `${gateway.url}/v1`, maxRetries: 0 });

after(async () => {
  await gateway.stop();
  await Promise.all([issuer.close(), azure.close(), vertex.close()]);
});
beforeEach(() => {
  issuer.refusal = undefined;
  azure.requests.length = 0;
  vertex.requests.length = 0;
});

const messages = [{ role: 'user' as const, content: 'Hi' }];

async function say(model: string): Promise<string | null | undefined> {
  const { choices } = await client.chat.completions.create({ model, messages, max_completion_tokens: 100 });
  return choices[0]?.message.content;
}

async function streamed(model: string): Promise<{ text: string; finish: string | null; usage: unknown }> {
  const stream = await client.chat.completions.create({
    model,
    messages,
    stream: true,
    max_completion_tokens: 100,
    stream_options: { include_usage: true },
  });
  const seen: { text: string; finish: string | null; usage: unknown } = {
    text: '',
    finish: null,
    usage: null,
  };
  for await (const { choices, usage } of stream) {
    seen.text += choices[0]?.delta?.content ?? '';
    seen.finish ??= choices[0]?.finish_reason ?? null;
    seen.usage ??= usage;
  }
  return seen;
}

const PATHS: [model: string, path: string, streamPath: string][] = [
  [
    'classic/gpt-4.1',
    `/openai/deployments/my-gpt-41/chat/completions?api-version=${API_VERSION}`,
    `/openai/deployments/my-gpt-41/chat/completions?api-version=${API_VERSION}`,
  ],
  ['v1/gpt-4.1', '/openai/v1/chat/completions', '/openai/v1/chat/completions'],
  ['entra/gpt-4.1', '/openai/v1/chat/completions', '/openai/v1/chat/completions'],
  [
    'vertex/gemini-2.5-flash',
    '/v1beta1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-2.5-flash:generateContent',
    '/v1beta1/projects/my-project/locations/europe-west4/publishers/google/models/gemini-2.5-flash:streamGenerateContent?alt=sse',
  ],
  [
    'vertex/claude-sonnet-4-5@20250929',
    '/v1/projects/my-project/locations/europe-west4/publishers/anthropic/models/claude-sonnet-4-5@20250929:rawPredict',
    '/v1/projects/my-project/locations/europe-west4/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict',
  ],
];

for (const [model, path, streamPath] of PATHS) {
  test(`${model} answers the official client, whole and as a stream`, async () => {
    assert.equal(await say(model), 'Hello');
    const { text, finish, usage } = await streamed(model);
    assert.deepEqual([text, finish], ['Hello', 'stop']);
    assert.ok(usage);
    const paths = [...azure.requests, ...vertex.requests].map((request) => request.path);
    assert.deepEqual(paths, [path, streamPath]);
  });
}

test("Azure's filter chunks reach the client in a form that it knows, and hold nothing up", async () => {
  const answer = await gateway.post('/v1/chat/completions', { model: 'v1/gpt-4.1', messages, stream: true });
  const events = (await answer.text()).split('\n\n').filter((event) => event.startsWith('data: {'));
  const chunks = events.map((event) => JSON.parse(event.slice('data: '.length)));
  assert.deepEqual(chunks[0].choices, [{ index: 0, delta: {}, finish_reason: null }]);
  assert.equal(chunks[0].prompt_filter_results.length, 1);
  assert.ok(chunks.some(({ choices }) => choices[0]?.content_filter_offsets && choices[0].delta));
  const [record] = await gateway.calls();
  assert.equal(record?.outcome, 'ok');
});

test('a prompt that Azure filters is the caller’s to mend, with its code', async () => {
  const ask = { model: 'v1/gpt-4.1', messages: [{ role: 'user' as const, content: 'forbidden words' }] };
  await assert.rejects(client.chat.completions.create(ask), (error) => {
    assert.ok(error instanceof OpenAI.BadRequestError);
    assert.equal(error.code, 'content_filter');
    return true;
  });
});

test('a deployment that is not there is told as a model that is not found', async () => {
  await assert.rejects(say('v1/gpt-5'), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.match(error.message, /deployment for this resource does not exist/);
    return true;
  });
});

test('a wrong key is the operator’s to mend, and is told to nobody', async () => {
  await assert.rejects(say('wrong/gpt-4.1'), (error) => {
    assert.ok(error instanceof OpenAI.APIError);
    assert.equal(error.status, 502);
    assert.equal(error.code, 'upstream_credentials_rejected');
    return true;
  });
  assert.doesNotMatch(gateway.logs(), /wrong-azure-key/);
});

const CLAUDE = 'vertex/claude-sonnet-4-5@20250929';

test('bytes of the Messages API pass through to Claude on Vertex, but for the model and the version', async () => {
  const text = `{"model":"${CLAUDE}", "max_tokens":9,"big":12345678901234567890,"messages":[{"role":"user","content":"Hi"}]}`;
  const headers = {
    'anthropic-version': '2023-06-01',
    'anthropic-beta': 'context-1m-2025-08-07,files-api-2025-04-14',
  };
  const answer = await gateway.post('/v1/messages', text, { headers });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-fairlead-dropped'), 'anthropic-beta: files-api-2025-04-14');
  const { id } = (await answer.json()) as { id: string };
  assert.equal(id, 'msg_vrtx_1');
  const [sent] = vertex.requests;
  assert.equal(
    sent?.body,
    '{"anthropic_version":"vertex-2023-10-16", "max_tokens":9,"big":12345678901234567890,"messages":[{"role":"user","content":"Hi"}]}',
  );
  assert.equal(sent?.headers['anthropic-beta'], 'context-1m-2025-08-07');
});

test('what Vertex does not count where it is asked, the gateway counts', async () => {
  const answer = await gateway.post('/v1/messages/count_tokens', { model: CLAUDE, messages });
  const { input_tokens } = (await answer.json()) as { input_tokens: number };
  assert.ok(input_tokens > 0);
  assert.match(vertex.requests[0]?.path ?? '', /models\/count-tokens:rawPredict$/);
  vertex.requests.length = 0;
});

test('bytes of the Gemini API pass through to Gemini on Vertex, and are translated for Claude', async () => {
  const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];
  for (const model of ['vertex/gemini-2.5-flash', CLAUDE]) {
    const answer = await gateway.post(`/v1beta/models/${model}:generateContent`, { contents });
    const { candidates } = (await answer.json()) as { candidates: { content: { parts: object[] } }[] };
    assert.deepEqual(candidates[0]?.content.parts, [{ text: 'Hello' }], model);
  }
  assert.deepEqual(JSON.parse(vertex.requests[0]?.body ?? ''), { contents });
});

test('calls at the same time share one token, over both dialects of Vertex', async () => {
  const fresh = await startClouds();
  const before = issuer.requests;
  const ask = (model: string) => fresh.post('/v1/chat/completions', { model, messages, max_tokens: 9 });
  const models = Array.from({ length: 10 }, () => [
    'vertex/gemini-2.5-flash',
    'vertex/claude-sonnet-4-5@20250929',
  ]);
  const answers = await Promise.all(models.flat().map(ask));
  await fresh.stop();
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  assert.equal(issuer.requests, before + 1);
});

test('a token that was revoked fails one call; the next one gets a new token', async () => {
  assert.equal(await say('vertex/gemini-2.5-flash'), 'Hello');
  for (const token of issuer.tokens) revoked.add(token);
  await assert.rejects(say('vertex/gemini-2.5-flash'), {
    status: 502,
    code: 'upstream_credentials_rejected',
  });
  assert.equal(await say('vertex/gemini-2.5-flash'), 'Hello');
});

test('an issuer that refuses is told to the operator, and the next target answers', async () => {
  const fresh = await startClouds();
  issuer.refusal = { status: 400, body: { error: 'invalid_grant', error_description: 'account not found' } };
  const post = (model: string) => fresh.post('/v1/chat/completions', { model, messages });
  const answer = await post('both');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-fairlead-target'), 'v1/gpt-4.1');
  const failed = await post('vertex/gemini-2.5-flash');
  assert.equal(failed.status, 502);
  const { error } = (await failed.json()) as { error: { message: string; code: string } };
  assert.equal(error.code, 'upstream_sign_in_failed');
  assert.match(error.message, /could not sign in at the provider 'vertex'/);
  assert.doesNotMatch(error.message, /invalid_grant/);
  const logs = fresh.logs();
  await fresh.stop();
  assert.match(logs, /"event":"upstream_sign_in_failed","reason":"invalid_grant: account not found/);
  assert.doesNotMatch(logs, /PRIVATE KEY/);
});

test('a client that leaves while its call is signed: nothing is sent, nothing is used', async () => {
  const fresh = await startClouds();
  const hold = Promise.withResolvers<void>();
  issuer.held = hold.promise;
  const leaving = new AbortController();
  const before = issuer.requests;
  const asked = fresh.post(
    '/v1/chat/completions',
    { model: 'vertex/gemini-2.5-flash', messages },
    { signal: leaving.signal },
  );
  while (issuer.requests === before) await new Promise((resolve) => setTimeout(resolve, 5));
  leaving.abort();
  await assert.rejects(asked, { name: 'AbortError' });
  const [record] = await fresh.calls();
  issuer.held = undefined;
  hold.resolve();
  // A second call waits for the same token, so the first one has been signed by its end.
  assert.equal(
    (await fresh.post('/v1/chat/completions', { model: 'vertex/gemini-2.5-flash', messages })).status,
    200,
  );
  await fresh.stop();
  assert.equal(record?.outcome, 'cancelled');
  assert.equal(record?.usage, null);
  assert.equal(vertex.requests.length, 1);
});

test('embeddings of Vertex, of several texts and of one', async () => {
  const several = await client.embeddings.create({
    model: 'vertex/text-embedding-005',
    input: ['one', 'two words'],
    dimensions: 3,
  });
  assert.deepEqual(
    several.data.map(({ embedding }) => embedding),
    [vectorOf('one', 3), vectorOf('two words', 3)],
  );
  assert.equal(several.usage.prompt_tokens, 3);
  const one = await client.embeddings.create({
    model: 'vertex/gemini-embedding-2',
    input: 'one',
    dimensions: 3,
  });
  assert.deepEqual(one.data[0]?.embedding, vectorOf('one', 3));
  assert.equal(one.usage.prompt_tokens, 11);
  const predicted = await client.embeddings.create({
    model: 'vertex/gemini-embedding-001',
    input: ['one'],
    dimensions: 3,
  });
  assert.deepEqual(predicted.data[0]?.embedding, vectorOf('one', 3));
  const asked = vertex.requests.length;
  for (const model of ['vertex/gemini-embedding-2', 'vertex/gemini-embedding-001']) {
    await assert.rejects(
      client.embeddings.create({ model, input: ['a', 'b'] }),
      (error) => error instanceof BadRequestError && error.param === 'input',
    );
  }
  assert.equal(vertex.requests.length, asked);
});

for (const [method, body, expected] of [
  [
    'embedContent',
    { content: { parts: [{ text: 'one' }] }, taskType: 'RETRIEVAL_QUERY', outputDimensionality: 3 },
    { embedding: { values: vectorOf('one', 3) } },
  ],
  [
    'batchEmbedContents',
    { requests: [{ model: 'models/x', content: { parts: [{ text: 'one' }] }, outputDimensionality: 3 }] },
    { embeddings: [{ values: vectorOf('one', 3) }], usageMetadata: { promptTokenCount: 1 } },
  ],
] as const) {
  test(`a client of Gemini gets embeddings of Vertex in its own form: ${method}`, async () => {
    const path = `/v1beta/models/${encodeURIComponent('vertex/text-embedding-005')}:${method}`;
    const answer = await gateway.post(path, body);
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), expected);
    const sent = JSON.stringify(vertex.requests.at(-1));
    assert.equal(sent.includes('RETRIEVAL_QUERY'), method === 'embedContent');
  });
}

test('what the clouds do not have is refused: embeddings of Claude', async () => {
  const answer = await gateway.post('/v1/embeddings', {
    model: 'vertex/claude-sonnet-4-5@20250929',
    input: 'x',
  });
  assert.equal(answer.status, 400);
  const { error } = (await answer.json()) as { error: { code: string } };
  assert.equal(error.code, 'unsupported_operation');
});

test('below the version that has the Responses API its callers are answered by chat completions', async () => {
  const answer = await client.responses.create({ model: 'classic/gpt-4.1', input: 'Hi', store: false });
  assert.equal(answer.output_text, 'Hello');
  const [request] = azure.requests;
  assert.equal(request?.path, `/openai/deployments/my-gpt-41/chat/completions?api-version=${API_VERSION}`);
  // A model that has nothing else is asked there, and the caller hears what to do.
  await assert.rejects(
    client.responses.create({ model: 'classic/gpt-5-codex', input: 'Hi', store: false }),
    /enabled only for api-version 2025-03-01-preview/,
  );
});
