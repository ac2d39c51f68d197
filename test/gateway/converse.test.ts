import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import { verifyAwsSignature } from '../support/aws-verifier.ts';
import { startFakeBedrock } from '../support/fake-bedrock.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { vectorOf } from '../support/fake-vectors.ts';
import { startGateway, TEST_KEY, type TestGateway } from '../support/gateway.ts';

/** Callers of the doors reach Amazon Bedrock, which speaks Converse in binary frames, here cut anywhere. */
const MODEL = 'us.anthropic.claude-sonnet-4-5-20250929-v1:0';
const SECRET = 'the-secret-of-the-access-key';

let fake: FakeProvider;
let gateway: TestGateway;
let client: OpenAI;

before(async () => {
  fake = await startFakeBedrock({ cutBytes: 3 });
  const provider = (credential: object): object => ({
    adapter: 'bedrock',
    baseUrl: fake.url,
    region: 'us-east-1',
    accounts: [{ name: 'main', ...credential }],
  });
  gateway = await startGateway({
    providers: {
      aws: provider({ apiKey: fake.apiKey }),
      signed: provider({ aws: { accessKeyId: 'AKIAFAKE', secretAccessKey: SECRET } }),
      stranger: provider({ apiKey: 'not-the-key' }),
    },
    models: { smart: { targets: [`aws/${MODEL}`] }, strange: { targets: [`stranger/${MODEL}`] } },
  });
  client = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
});
after(async () => {
  await gateway.stop();
  await fake.close();
});

const ask = (content: string, change: object = {}): OpenAI.ChatCompletionCreateParamsNonStreaming => ({
  model: 'smart',
  messages: [{ role: 'user', content }],
  ...change,
});

async function stream(
  content: string,
  change: object = {},
): Promise<{ text: string; chunks: OpenAI.ChatCompletionChunk[] }> {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  const events = await client.chat.completions.create({
    ...ask(content, change),
    stream: true,
    stream_options: { include_usage: true },
  });
  for await (const chunk of events) chunks.push(chunk);
  return { text: chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), chunks };
}

test('a text comes whole, with an id, the model and its usage', async () => {
  const answer = await client.chat.completions.create(ask('Grüße 👋\nusage cached 7'));
  assert.equal(answer.choices[0]?.message.content, 'Echo: Grüße 👋');
  assert.equal(answer.model, MODEL);
  assert.notEqual(answer.id, '');
  assert.ok(answer.created > 0);
  assert.equal(answer.usage?.prompt_tokens_details?.cached_tokens, 7);
  assert.equal(fake.requests.at(-1)?.path, `/model/${encodeURIComponent(MODEL)}/converse`);
});

test('a stream comes in pieces, with an id, the model, its finish reason and its usage', async () => {
  const { text, chunks } = await stream('Grüße 👋');
  assert.equal(text, 'Echo: Grüße 👋');
  assert.ok(chunks.length > 3);
  assert.deepEqual([...new Set(chunks.map(({ model }) => model))], [MODEL]);
  assert.notEqual(chunks[0]?.id, '');
  assert.ok(chunks.some(({ choices }) => choices[0]?.finish_reason === 'stop'));
  assert.equal(chunks.at(-1)?.usage?.completion_tokens, 3);
});

test('a tool call of a model that thinks makes its round trip', async () => {
  const tools = [{ type: 'function', function: { name: 'weather', parameters: { type: 'object' } } }];
  const question = { role: 'user' as const, content: 'think about rain\ncall weather {"city":"Köln"}' };
  const first = await client.chat.completions.create(
    ask('', { messages: [question], tools, reasoning_effort: 'low' }),
  );
  const message = first.choices[0]?.message;
  const [call] = message?.tool_calls ?? [];
  assert.equal(first.choices[0]?.finish_reason, 'tool_calls');
  assert.ok(message && call?.type === 'function');
  assert.deepEqual(JSON.parse(call.function.arguments), { city: 'Köln' });
  const messages = [question, message, { role: 'tool' as const, tool_call_id: call.id, content: 'rain' }];
  // The fake refuses the call without its signed thinking, which travelled in the call's id.
  const second = await client.chat.completions.create(ask('', { messages, tools, reasoning_effort: 'low' }));
  assert.equal(second.choices[0]?.message.content, 'Tool said: rain');
});

test('a caller of Messages has its thinking, its cache hints and its tools there and back, in a stream', async () => {
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
  const request = {
    model: 'smart',
    max_tokens: 4000,
    thinking: { type: 'enabled' as const, budget_tokens: 1024 },
    system: [{ type: 'text' as const, text: 'Be kind.', cache_control: { type: 'ephemeral' as const } }],
    tools: [{ name: 'weather', input_schema: { type: 'object' as const } }],
  };
  const question = { role: 'user' as const, content: 'call weather {"city":"Köln"}\nusage cached 5' };
  const first = await anthropic.messages.stream({ ...request, messages: [question] }).finalMessage();
  assert.deepEqual(
    first.content.map(({ type }) => type),
    ['thinking', 'tool_use'],
  );
  assert.equal(first.stop_reason, 'tool_use');
  assert.equal(first.usage.cache_read_input_tokens, 5);
  const call = first.content.find((block) => block.type === 'tool_use');
  const results = [{ type: 'tool_result' as const, tool_use_id: call?.id ?? '', content: 'rain' }];
  const messages = [
    question,
    { role: 'assistant' as const, content: first.content },
    { role: 'user' as const, content: results },
  ];
  const second = await anthropic.messages.create({ ...request, messages });
  assert.deepEqual(second.content.at(-1), { type: 'text', text: 'Tool said: rain' });
  const sent = fake.requests.at(-1)?.body as { system: unknown[] };
  assert.deepEqual(sent.system.at(-1), { cachePoint: { type: 'default' } });
});

test('a signed request is answered as well, whole and as a stream, and its signature is right', async () => {
  const model = `signed/${MODEL}`;
  const whole = await client.chat.completions.create({ ...ask('Hi'), model });
  assert.equal(whole.choices[0]?.message.content, 'Echo: Hi');
  assert.equal((await stream('Hi', { model })).text, 'Echo: Hi');
  for (const { method, path, headers, rawBody: body } of fake.requests.slice(-2)) {
    const claim = verifyAwsSignature({ method, path, headers, body }, SECRET);
    assert.deepEqual([claim?.region, claim?.service], ['us-east-1', 'bedrock']);
  }
});

const FAILURES: [script: string, status: number, code: string | undefined][] = [
  ['fail 400 context', 400, 'context_length_exceeded'],
  // The call names nothing but its model.
  ['fail 404', 502, 'upstream_model_missing'],
  ['fail 408', 504, 'ModelTimeoutException'],
  ['fail 424', 502, 'ModelErrorException'],
  ['fail 429', 429, 'ThrottlingException'],
  ['fail 429 quota', 429, 'ServiceQuotaExceededException'],
  ['fail 503', 502, 'ServiceUnavailableException'],
];
for (const [script, status, code] of FAILURES) {
  test(`'${script}' is answered with ${status}`, async () => {
    for (const run of [() => client.chat.completions.create(ask(script)), () => stream(script)]) {
      await assert.rejects(run, { status, code });
    }
  });
}

test('a refused credential is the operator’s matter', async () => {
  const answer = client.chat.completions.create({ ...ask('Hi'), model: 'strange' });
  await assert.rejects(answer, { status: 502, code: 'upstream_credentials_rejected' });
});

test('an exception before the first output is told with its status', async () => {
  await assert.rejects(stream('error at start'), { status: 502 });
});

for (const script of ['error mid-stream', 'truncated json', 'close early', 'break mid-stream']) {
  test(`'${script}' ends the client's stream with an error, never cleanly`, async () => {
    await assert.rejects(stream(`long 20\n${script}`), (error) => error instanceof OpenAI.APIError);
  });
}

const EMBEDDINGS: [
  model: string,
  input: string | string[],
  dimensions: number | undefined,
  tokens: number,
][] = [
  ['amazon.titan-embed-text-v1', 'two words', undefined, 2],
  ['amazon.titan-embed-text-v2:0', 'two words', 256, 2],
  ['cohere.embed-english-v3', ['one', 'two words'], undefined, 7],
  ['us.cohere.embed-v4:0', ['one', 'two words'], 512, 7],
];
for (const [model, input, dimensions, tokens] of EMBEDDINGS) {
  test(`embeddings of ${model}, with the tokens that it says`, async () => {
    const options = dimensions === undefined ? {} : { dimensions };
    const { data, usage } = await client.embeddings.create({ model: `signed/${model}`, input, ...options });
    assert.deepEqual(
      data.map(({ embedding }) => embedding),
      [input].flat().map((text) => vectorOf(text, data[0]?.embedding.length ?? 0)),
    );
    if (dimensions !== undefined) assert.equal(data[0]?.embedding.length, dimensions);
    assert.equal(usage.prompt_tokens, tokens);
  });
}

const REFUSED: [what: string, model: string, body: object, param: string][] = [
  [
    'several texts for a model that takes one',
    'amazon.titan-embed-text-v2:0',
    { input: ['a', 'b'] },
    'input',
  ],
  [
    'dimensions of a model that has one number of them',
    'cohere.embed-english-v3',
    { input: 'a', dimensions: 8 },
    'dimensions',
  ],
  ['token ids', 'cohere.embed-english-v3', { input: [1, 2] }, 'input[0]'],
  ['embeddings of a model that has none', MODEL, { input: 'a' }, 'model'],
];
for (const [what, model, body, param] of REFUSED) {
  test(`refused: ${what}`, async () => {
    const answer = await gateway.post('/v1/embeddings', { model: `aws/${model}`, ...body });
    assert.equal(answer.status, 400);
    assert.equal(((await answer.json()) as { error: { param: string } }).error.param, param);
  });
}

test('a model’s own words may stand beside the caller’s, others are named', async () => {
  const model = 'aws/cohere.embed-english-v3';
  const answer = await gateway.post('/v1/embeddings', {
    model,
    input: 'a',
    input_type: 'search_query',
    foo: 1,
    user: 'u',
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('x-fairlead-dropped'), 'user, foo');
  assert.equal(JSON.stringify(fake.requests.at(-1)?.body).includes('search_query'), true);
});
