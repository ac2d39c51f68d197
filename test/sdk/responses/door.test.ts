import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError } from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import type { ResponseInputItem } from 'openai/resources/responses/responses';
import { z } from 'zod';
import { startGateway, TEST_KEY } from '../../support/gateway.ts';
import { WAYS } from '../door-client.ts';
import { startWorld } from '../support.ts';
import { responsesDoor, writeTool } from './client.ts';

const world = await startWorld({}, { smart: { targets: ['openai/gpt-4.1'] } });
const { client } = world;
const ANTHROPIC = 'anthropic/claude-sonnet-4-5';

const Recipe = z.object({ title: z.string(), minutes: z.number().int() });

world.each('parse reads an answer by a zod schema', async ({ model }) => {
  const text = { format: zodTextFormat(Recipe, 'recipe') };
  const { output_parsed: recipe } = await client.responses.parse({ model, input: 'A recipe', text });
  assert.deepEqual(recipe, { title: 'text', minutes: 1 });
});

world.each('the stream helper tells deltas, and the whole response', async ({ model }) => {
  const stream = client.responses.stream({ model, input: 'Grüße, 世界 😀' });
  const deltas: string[] = [];
  stream.on('response.output_text.delta', ({ delta }) => deltas.push(delta));
  const response = await stream.finalResponse();
  assert.equal(response.output_text, 'Echo: Grüße, 世界 😀');
  assert.deepEqual(deltas, ['Echo:', ' Grüße,', ' 世界', ' 😀']);
  assert.equal(response.status, 'completed');
});

world.each('parallel calls, or one at a time', async ({ model, name }) => {
  const tools = [writeTool('clock'), writeTool('calendar')];
  for (const parallel of [true, false]) {
    const { output } = await client.responses.create({
      model,
      tools,
      input: 'call clock\ncall calendar',
      parallel_tool_calls: parallel,
    });
    const calls = output.filter(({ type }) => type === 'function_call');
    // Gemini has no such parameter.
    assert.equal(calls.length, parallel || name === 'gemini' ? 2 : 1);
  }
});

for (const way of WAYS) {
  test(`encrypted reasoning goes to OpenAI and back, ${way}`, async () => {
    const door = responsesDoor(client);
    const tools = [{ name: 'clock' }];
    const question = { user: 'think about maths\ncall clock' };
    const model = 'openai/gpt-5-mini';
    const first = await door.ask({ model, turns: [question], tools, thinks: true }, way);
    const [reasoning] = first.kept as ResponseInputItem[];
    assert.ok(reasoning?.type === 'reasoning' && reasoning.encrypted_content);
    const turns = [question, { answer: first }, { results: ['noon'], of: first }];
    const second = await door.ask({ model, turns, tools, thinks: true }, way);
    assert.equal(second.answer.text, 'Tool said: noon');
    const sent = world.fakes.openai.requests.at(-1)?.rawBody.toString() ?? '';
    assert.ok(sent.includes(reasoning.encrypted_content), 'as it was given');
  });
}

/** A request as curl makes it. */
const post = (body: unknown, path = '/responses') =>
  fetch(world.baseUrl + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

test('a body reaches OpenAI byte for byte, but for the model', async () => {
  const tail = '"input":[{"role":"user","content":"Hi"}],"top_p":1e0,"metadata":{"b":"1","a":"2"} }';
  assert.equal((await post(`{ "model" : "smart", ${tail}`)).status, 200);
  const sent = world.fakes.openai.requests.at(-1);
  assert.equal(sent?.rawBody.toString(), `{ "model" : "gpt-4.1", ${tail}`);
  assert.equal(sent?.path, '/v1/responses');
});

const REFUSED: [what: string, body: object, param: string | null][] = [
  ['a conversation that OpenAI holds', { conversation: 'conv_1' }, 'conversation'],
  ['a prompt that OpenAI holds', { prompt: { id: 'pmpt_1' } }, 'prompt'],
  ['a run in the background', { background: true }, 'background'],
  ['an input that is a number', { input: 7 }, 'input'],
  ['an item that is a number', { input: [7] }, 'input[0]'],
  ['an output of no call', { input: [{ type: 'function_call_output', call_id: 'x', output: 'y' }] }, null],
  ['a store that is a word', { store: 'yes' }, 'store'],
  ['an earlier response that is a number', { previous_response_id: 7 }, 'previous_response_id'],
  ['an earlier response that is nobody’s', { previous_response_id: 'resp_x' }, 'previous_response_id'],
  ['an earlier response with a strange name', { previous_response_id: '../x' }, 'previous_response_id'],
];

for (const [what, fields, param] of REFUSED) {
  test(`refused: ${what}`, async () => {
    for (const stream of [false, true]) {
      const response = await post({ model: ANTHROPIC, input: 'Hi', stream, ...fields });
      const { error } = (await response.json()) as { error: { type: string; param: string | null } };
      assert.deepEqual([response.status, error.type], [400, 'invalid_request_error'], JSON.stringify(error));
      if (param !== null) assert.equal(error.param, param);
    }
  });
}

test('pages that cannot be are refused', async () => {
  const { id } = await client.responses.create({ model: ANTHROPIC, input: 'Hi' });
  for (const [query, param] of [
    [{ limit: 0 }, 'limit'],
    [{ limit: 101 }, 'limit'],
    [{ order: 'up' as never }, 'order'],
    [{ after: 'msg_nobody' }, 'after'],
  ] as const) {
    await assert.rejects(client.responses.inputItems.list(id, query), (error) => {
      assert.ok(error instanceof BadRequestError, String(error));
      assert.equal(error.param, param);
      return true;
    });
  }
  await assert.rejects(client.responses.retrieve(id, { stream: true }), BadRequestError);
});

test('a history that outgrows the limit of bodies is refused', async (context) => {
  const small = await startGateway({ server: { port: 0, bodyLimit: '4kb' } });
  context.after(() => small.stop());
  const first = await small.post('/v1/responses', { model: 'echo/echo', input: 'x'.repeat(1500) });
  const { id } = (await first.json()) as { id: string };
  const next = { model: 'echo/echo', input: 'x'.repeat(1500), previous_response_id: id };
  assert.equal((await small.post('/v1/responses', next)).status, 413);
});

test('a gateway that keeps nothing says so', async (context) => {
  const forgetful = await startGateway({ responses: { store: false } });
  context.after(() => forgetful.stop());
  for (const store of [undefined, true]) {
    const answer = await forgetful.post('/v1/responses', { model: 'echo/echo', input: 'Hi', store });
    const response = (await answer.json()) as { id: string; store: boolean };
    assert.equal(response.store, false);
    assert.equal((await forgetful.get(`/v1/responses/${response.id}`)).status, 404);
  }
});
