import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { countText } from '../../src/tokens/encoders.ts';
import { startGateway } from '../support/gateway.ts';
import { chatAnswer, chatChunk, configFor, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp(...[answer]: Parameters<typeof startRawUpstream>) {
  const upstream = await startRawUpstream(answer);
  const gateway = await startGateway(configFor(upstream));
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

const PROMPT = 'What is the capital of Mexico?';
const ANSWER = 'The capital of Mexico is Mexico City, and it has been for a long time.';
/** gpt-4o: 7 for the text, 7 for what frames it (a recorded answer reports 14). */
const INPUT = 14;
const REQUEST = { model: 'up/gpt-4o', messages: [{ role: 'user', content: PROMPT }] };

function withoutUsage(answer: string): string {
  return JSON.stringify({ ...(JSON.parse(answer) as object), usage: undefined });
}

test('an answer of which the provider does not say the usage is counted afterwards', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(withoutUsage(chatAnswer(ANSWER)));
  });
  const response = await gateway.post('/v1/chat/completions', REQUEST);
  assert.equal(response.status, 200);
  const [record] = await gateway.calls();
  assert.partialDeepStrictEqual(record?.usage, {
    input: INPUT,
    output: countText('o200k_base', ANSWER),
    estimated: true,
  });
});

test('a stream without usage has its input counted, and its output by its events', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'text/event-stream');
    for (const word of ['Mexico', ' City']) response.write(chatChunk(word));
    response.end(`${chatChunk('.', 'stop')}data: [DONE]\n\n`);
  });
  const response = await gateway.post('/v1/chat/completions', { ...REQUEST, stream: true });
  assert.match(await response.text(), /\[DONE\]/);
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.input, INPUT);
  assert.equal(record?.usage?.output, 3);
  assert.equal(record?.usage?.estimated, true);
});

test('a stream that a server answers with whole JSON is counted, too', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(withoutUsage(chatAnswer(ANSWER)));
  });
  const response = await gateway.post('/v1/chat/completions', { ...REQUEST, stream: true });
  await response.text();
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.input, INPUT);
  assert.equal(record?.usage?.output, countText('o200k_base', ANSWER));
});

test('embeddings without usage have their texts and token ids counted', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end('{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5]}]}');
  });
  for (const [input, tokens] of [
    [[PROMPT, 'tiktoken is great!'], 7 + 6],
    [[1, 2, 3, 4, 5], 5],
  ] as const) {
    const response = await gateway.post('/v1/embeddings', { model: 'up/text-embedding-3-small', input });
    assert.equal(response.status, 200);
    await response.text();
    const [record] = await gateway.calls(Array.isArray(input) && input.length === 5 ? 2 : 1);
    assert.equal(record?.usage?.input, tokens);
  }
});

test('a usage that the provider reports is not counted again', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(chatAnswer(ANSWER));
  });
  await (await gateway.post('/v1/chat/completions', REQUEST)).text();
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.input, 3);
  assert.equal(record?.usage?.estimated, undefined);
});

test('a call that is too large to hold keeps the estimate by its bytes', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(withoutUsage(chatAnswer(ANSWER)));
  });
  const content = 'a b '.repeat(300_000);
  await (
    await gateway.post('/v1/chat/completions', { ...REQUEST, messages: [{ role: 'user', content }] })
  ).text();
  const [record] = await gateway.calls();
  assert.equal(record?.usage?.input, 100_000);
  assert.equal(record?.usage?.estimated, true);
});

test('a request that cannot be read keeps the estimate by its bytes, and the log says so', async () => {
  const gateway = await setUp((response) => {
    response.setHeader('content-type', 'application/json');
    response.end(withoutUsage(chatAnswer(ANSWER)));
  });
  // Passed through to a provider of the same dialect, which may know more than we do.
  const response = await gateway.post('/v1/chat/completions', { model: 'up/gpt-4o', messages: 'Hi' });
  assert.equal(response.status, 200);
  const [record] = await gateway.calls();
  assert.equal(
    record?.usage?.input,
    Math.ceil(JSON.stringify({ model: 'up/gpt-4o', messages: 'Hi' }).length / 4),
  );
  assert.match(gateway.logs(), /could not be counted/);
});
