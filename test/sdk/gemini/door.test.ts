import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiError } from '@google/genai';
import { GoogleGenerativeAI } from '@google/generative-ai';
import { vectorOf } from '../../support/fake-vectors.ts';
import { TEST_KEY } from '../../support/gateway.ts';
import { startWorld } from '../support.ts';
import { googleClient } from './client.ts';

const world = await startWorld({}, { smart: { targets: ['gemini/gemini-2.5-flash'] } });
const client = googleClient(world.url);
const GEMINI = 'gemini/gemini-2.5-flash';

/** The SDK that came before, and is still in use. */
function olderModel(model: string, options: object = {}) {
  return new GoogleGenerativeAI(TEST_KEY).getGenerativeModel({ model, ...options }, { baseUrl: world.url });
}

for (const apiVersion of ['v1', 'v1beta', 'v1alpha']) {
  test(`the API in its version ${apiVersion}`, async () => {
    const { models } = googleClient(world.url, apiVersion);
    const { text } = await models.generateContent({ model: GEMINI, contents: 'Hi' });
    assert.equal(text, 'Echo: Hi');
    const listed: (string | undefined)[] = [];
    for await (const { name } of await models.list()) listed.push(name);
    assert.deepEqual(listed, ['models/smart', 'models/echo/echo']);
    assert.equal((await models.get({ model: 'echo/echo' })).displayName, 'echo/echo');
    await assert.rejects(models.get({ model: 'no-such-model' }), ApiError);
  });
}

test('models come in pages to who asks for pages', async () => {
  const listed: (string | undefined)[] = [];
  for await (const { name } of await client.models.list({ config: { pageSize: 1 } })) listed.push(name);
  assert.deepEqual(listed, ['models/smart', 'models/echo/echo']);
});

world.each('a chat with functions, streamed and not', async ({ model }) => {
  const clock = { name: 'clock' };
  const config = { tools: [{ functionDeclarations: [clock] }], systemInstruction: 'Be brief.' };
  const chat = client.chats.create({ model, config });
  const chunks: string[] = [];
  for await (const { functionCalls } of await chat.sendMessageStream({ message: 'call clock' })) {
    for (const { name } of functionCalls ?? []) chunks.push(String(name));
  }
  assert.deepEqual(chunks, ['clock']);
  const message = [{ functionResponse: { name: 'clock', response: { output: 'noon' } } }];
  assert.equal((await chat.sendMessage({ message })).text, 'Tool said: noon');
  const last: string[] = [];
  for await (const { text } of await chat.sendMessageStream({ message: 'thanks' })) last.push(text ?? '');
  assert.equal(last.join(''), 'Echo: thanks');
});

world.each('a chat that thinks, calls and goes on, each chunk in the history', async ({ name }) => {
  const model = { openai: 'compatible/gpt-5-mini', anthropic: 'anthropic/claude-sonnet-4-5', gemini: GEMINI }[
    name
  ];
  const config = {
    tools: [{ functionDeclarations: [{ name: 'clock' }] }],
    thinkingConfig: { includeThoughts: true, thinkingBudget: 1024 },
    maxOutputTokens: 4000,
  };
  const chat = client.chats.create({ model, config });
  let calls = 0;
  for await (const { functionCalls } of await chat.sendMessageStream({
    message: 'think about maths\ncall clock',
  })) {
    calls += functionCalls?.length ?? 0;
  }
  assert.equal(calls, 1);
  const message = [{ functionResponse: { name: 'clock', response: { output: 'noon' } } }];
  assert.equal((await chat.sendMessage({ message })).text, 'Tool said: noon');
});

world.each('the older SDK: whole, streamed, chat with functions, counts', async ({ model, name }) => {
  const older = olderModel(model, { tools: [{ functionDeclarations: [{ name: 'clock' }] }] });
  assert.equal((await older.generateContent('Hi')).response.text(), 'Echo: Hi');
  const { stream, response } = await older.generateContentStream('Hi all');
  const pieces: string[] = [];
  for await (const chunk of stream) pieces.push(chunk.text());
  assert.equal(pieces.join(''), 'Echo: Hi all');
  assert.equal((await response).text(), 'Echo: Hi all');
  const chat = older.startChat();
  const called = (await chat.sendMessage('call clock')).response.functionCalls();
  assert.deepEqual(
    called?.map((call) => call.name),
    ['clock'],
  );
  const result = [{ functionResponse: { name: 'clock', response: { output: 'noon' } } }];
  assert.equal((await chat.sendMessage(result)).response.text(), 'Tool said: noon');
  const { totalTokens } = await older.countTokens('one two three');
  // Its tool counts, too.
  if (name === 'openai') assert.ok(totalTokens > 4);
  else assert.equal(totalTokens, 4);
});

world.each('tokens are counted, by the provider where it can', async ({ model, name }) => {
  const { totalTokens } = await client.models.countTokens({ model, contents: 'one two three' });
  // The gateway counts as OpenAI's models do: words, and what frames them.
  if (name === 'openai') assert.ok(totalTokens && totalTokens > 3 && totalTokens < 20, String(totalTokens));
  else assert.equal(totalTokens, 3);
});

test('counts are recorded, and cost nothing', async () => {
  const counts = (await world.records()).filter(({ operation, outcome }) => {
    return operation === 'count' && outcome === 'ok';
  });
  assert.equal(counts.length, 6);
  for (const { usage, costMicroUsd, dialect } of counts) {
    assert.deepEqual([usage, costMicroUsd, dialect], [null, 0, 'gemini']);
  }
});

for (const [model, size] of [
  ['gemini/gemini-embedding-001', 3072],
  ['openai/text-embedding-3-small', 1536],
] as const) {
  test(`embeddings, one and several (${model})`, async () => {
    const { embeddings } = await client.models.embedContent({ model, contents: ['Grüße', 'Hi'] });
    assert.deepEqual(
      embeddings?.map(({ values }) => values),
      [vectorOf('Grüße', size), vectorOf('Hi', size)],
    );
    const one = await olderModel(model).embedContent('Hi');
    assert.deepEqual(one.embedding.values, vectorOf('Hi', size));
    const short = await client.models.embedContent({
      model,
      contents: 'Hi',
      config: { outputDimensionality: 8 },
    });
    assert.deepEqual(short.embeddings?.[0]?.values, vectorOf('Hi', 8));
  });
}

/** A request as curl makes it, with the key in the URL. */
const post = (path: string, body: unknown) =>
  fetch(`${world.url}${path}${path.includes('?') ? '&' : '?'}key=${TEST_KEY}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const HI = { contents: [{ parts: [{ text: 'Hi all' }] }] };

world.each('a stream without alt=sse is a JSON array', async ({ model }) => {
  const response = await post(`/v1beta/models/${encodeURIComponent(model)}:streamGenerateContent`, HI);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  const chunks = (await response.json()) as { candidates: { content?: { parts: { text: string }[] } }[] }[];
  const texts = chunks.map(({ candidates: [first] }) => first?.content?.parts[0]?.text ?? '');
  assert.equal(texts.join(''), 'Echo: Hi all');
});

for (const script of ['error mid-stream', 'break mid-stream', 'close early']) {
  world.each(`a JSON array ends with the error: '${script}'`, async ({ model }) => {
    const text = `${script}\nslow 1 ms per chunk\nlong 20`;
    const contents = [{ parts: [{ text }] }];
    const response = await post(`/v1beta/models/${model}:streamGenerateContent`, { contents });
    const chunks = (await response.json()) as { error?: { code: number } }[];
    assert.ok(chunks.length > 2);
    assert.ok((chunks.at(-1)?.error?.code ?? 0) >= 500);
  });
}

test('a body reaches Gemini byte for byte', async () => {
  const body = '{ "contents":[{"parts":[{"text":"Hi"}],"role":"user"}],"generationConfig":{"topP":1e0} }';
  assert.equal((await post('/v1beta/models/smart:generateContent', body)).status, 200);
  const sent = world.fakes.gemini.requests.at(-1);
  assert.equal(sent?.rawBody.toString(), body);
  assert.equal(sent?.path, '/v1beta/models/gemini-2.5-flash:generateContent');
  assert.equal(sent?.headers['x-goog-api-key'], world.fakes.gemini.apiKey);
});

test('what cannot be is refused in Google’s form', async () => {
  for (const [path, body, status] of [
    ['/v1beta/models/smart:fly', HI, 404],
    ['/v1beta/models/smart', HI, 404],
    ['/v1beta/models/smart:streamGenerateContent?alt=proto', HI, 400],
    ['/v1beta/models/:generateContent', HI, 400],
    ['/v1beta/tunedModels/mine:generateContent', HI, 404],
    ['/v1/tunedModels/mine:generateContent', HI, 404],
    ['/v1beta/models/openai/gpt-4.1:generateContent', {}, 400],
    ['/v1beta/models/openai/gpt-4.1:embedContent', {}, 400],
    ['/v1beta/models/anthropic/claude-sonnet-4-5:embedContent', { content: { parts: [{ text: 'x' }] } }, 400],
    ['/v1beta/models/smart:generateContent', '{"contents":', 400],
    ['/v1beta/models/smart:generateContent', '', 400],
    ['/v1beta/models/gemini%2F..%2Fx:generateContent', HI, 400],
  ] as const) {
    const response = await post(path, body);
    const { error } = (await response.json()) as { error: { code: number; status: string } };
    assert.deepEqual([path, response.status, error.code], [path, status, status]);
  }
});

test('the providers refused nothing, and no log holds a key', () => {
  world.checkRefusals();
  assert.equal(world.logs().includes(TEST_KEY), false);
});
