import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { isObject } from '../../../src/conversation/json.ts';
import { startWorld } from '../support.ts';
import { anthropicClient, params } from './client.ts';

const world = await startWorld({}, { smart: { targets: ['anthropic/claude-sonnet-4-5'] } });
const client = anthropicClient(world.url);
const MODEL = 'anthropic/claude-sonnet-4-5';
const turns = [{ user: 'Hi' }];

world.each('the stream helper tells text, and the whole message', async ({ model }) => {
  const stream = client.messages.stream(params({ model, turns: [{ user: 'Grüße, 世界 😀' }] }));
  const deltas: string[] = [];
  stream.on('text', (delta) => deltas.push(delta));
  assert.equal(await stream.finalText(), 'Echo: Grüße, 世界 😀');
  assert.deepEqual(deltas, ['Echo:', ' Grüße,', ' 世界', ' 😀']);
  const message = await stream.finalMessage();
  assert.equal(message.stop_reason, 'end_turn');
  assert.deepEqual([message.usage.input_tokens, message.usage.output_tokens], [3, 4]);
});

world.each('the id of a request is where the SDK looks for it', async ({ model }) => {
  const message = await client.messages.create(params({ model, turns }));
  assert.match(message._request_id ?? '', /^req_0/);
});

world.each('tokens are counted, by the provider where it can', async ({ model, name }) => {
  const counted = client.messages.countTokens({
    model,
    messages: [{ role: 'user', content: 'one two three' }],
    system: 'Be brief.',
  });
  // The gateway counts as OpenAI's models do: words, and what frames them.
  const { input_tokens: tokens } = await counted;
  if (name === 'openai') assert.ok(tokens > 5 && tokens < 20, String(tokens));
  else assert.equal(tokens, 5);
});

test('a count is recorded, and costs nothing', async () => {
  const records = (await world.records()).filter(({ operation }) => operation === 'count');
  const answered = records.filter(({ outcome }) => outcome === 'ok');
  assert.deepEqual(answered.map(({ attempts }) => attempts.length).sort(), [0, 1, 1]);
  for (const { usage, costMicroUsd, dialect } of answered) {
    assert.deepEqual([usage, costMicroUsd, dialect], [null, 0, 'messages']);
  }
});

test('a count is relayed as it is, but for the model', async () => {
  const body = '{ "model" : "smart", "messages":[{"content":"Hi","role":"user"}] }';
  const response = await fetch(`${world.url}/v1/messages/count_tokens`, {
    method: 'POST',
    headers: { 'x-api-key': client.apiKey ?? '', 'anthropic-version': '2023-06-01' },
    body,
  });
  assert.deepEqual(await response.json(), { input_tokens: 1 });
  const sent = world.fakes.anthropic.requests.at(-1);
  assert.equal(sent?.rawBody.toString(), body.replace('smart', 'claude-sonnet-4-5'));
  assert.equal(sent?.path, '/v1/messages/count_tokens');
});

test('the caller’s version and betas go with its body', async () => {
  const headers = { 'anthropic-version': '2023-01-01', 'anthropic-beta': 'a-2025-01-01,b-2025-01-01' };
  await client.messages.create(params({ model: MODEL, turns }), { headers });
  const sent = world.fakes.anthropic.requests.at(-1)?.headers;
  assert.equal(sent?.['anthropic-version'], '2023-01-01');
  assert.equal(sent?.['anthropic-beta'], 'a-2025-01-01,b-2025-01-01');
  assert.equal(sent?.['x-api-key'], world.fakes.anthropic.apiKey);
  assert.equal(sent?.['authorization'], undefined);
});

test('betas mean nothing to other providers, and are named', async () => {
  const { response } = await client.messages
    .create(params({ model: 'openai/gpt-4.1', turns }), { headers: { 'anthropic-beta': 'a-2025-01-01' } })
    .withResponse();
  assert.equal(response.headers.get('x-fairlead-dropped'), 'anthropic-beta');
  assert.equal(world.fakes.openai.requests.at(-1)?.headers['anthropic-beta'], undefined);
});

test('the beta client reaches the same door', async () => {
  const message = await client.beta.messages.create({
    ...params({ model: MODEL, turns }),
    betas: ['context-1m-2025-08-07'],
  } as Parameters<typeof client.beta.messages.create>[0]);
  assert.ok('content' in message);
  assert.equal(world.fakes.anthropic.requests.at(-1)?.headers['anthropic-beta'], 'context-1m-2025-08-07');
});

test('cache hints, stop sequences and unknown fields reach Anthropic byte for byte', async () => {
  const tail =
    '"max_tokens":1e2,"metadata":{"user_id":"u"},"messages":[{"role":"user","content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}';
  const response = await fetch(`${world.url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': client.apiKey ?? '', 'anthropic-version': '2023-06-01' },
    body: `{"model":"smart", ${tail}`,
  });
  assert.equal(response.status, 200);
  const sent = world.fakes.anthropic.requests.at(-1);
  assert.equal(sent?.rawBody.toString(), `{"model":"claude-sonnet-4-5", ${tail}`);
});

test('models are listed and found in Anthropic’s form', async () => {
  const listed: string[] = [];
  for await (const model of client.models.list()) {
    assert.deepEqual([model.type, model.display_name], ['model', model.id]);
    assert.ok(Date.parse(model.created_at) > 0);
    listed.push(model.id);
  }
  assert.deepEqual(listed, ['smart', 'echo/echo']);
  const pages: string[] = [];
  for await (const { id } of client.models.list({ limit: 1 })) pages.push(id);
  assert.deepEqual(pages, listed);
  assert.equal((await client.models.retrieve('echo/echo')).id, 'echo/echo');
  await assert.rejects(client.models.retrieve('no-such-model'), NotFoundError);
  await assert.rejects(client.models.list({ limit: -1 }), BadRequestError);
});

world.each('a thought that another provider did not sign does no harm at Anthropic’s', async ({ name }) => {
  if (name !== 'openai') return;
  const question = { user: 'think about maths\nHi' };
  const first = await client.messages.create(
    params({ model: 'compatible/gpt-5-mini', turns: [question], thinks: true }),
  );
  assert.equal(first.content[0]?.type, 'thinking');
  const { messages, ...rest } = params({ model: MODEL, turns: [question], thinks: true });
  const second = await client.messages.create({
    ...rest,
    messages: [
      ...messages,
      { role: 'assistant', content: first.content },
      { role: 'user', content: 'And now?' },
    ],
  });
  assert.ok(second.content.some((block) => block.type === 'text' && block.text === 'Echo: And now?'));
  const sent = world.fakes.anthropic.requests.at(-1)?.body;
  assert.ok(isObject(sent));
  assert.doesNotMatch(JSON.stringify(sent), /__fl1__/);
});

test('the providers refused nothing', () => world.checkRefusals());
