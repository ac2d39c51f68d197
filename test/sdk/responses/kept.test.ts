import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError, NotFoundError } from 'openai';
import type { Response, ResponseCreateParamsNonStreaming } from 'openai/resources/responses/responses';
import { WAYS, type Way } from '../door-client.ts';
import { startWorld } from '../support.ts';
import { joinEvents, writeTool } from './client.ts';

const world = await startWorld({}, { one: { targets: ['anthropic/claude-sonnet-4-5'] } });
const { client } = world;
const CLOCK = writeTool('clock');

async function create(params: ResponseCreateParamsNonStreaming, way: Way): Promise<Response> {
  if (way === 'whole') return client.responses.create(params);
  const stream = await client.responses.create({ ...params, stream: true });
  return joinEvents(await collect(stream));
}

async function collect<T>(items: AsyncIterable<T> | Promise<AsyncIterable<T>>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of await items) collected.push(item);
  return collected;
}

const textOf = ({ output }: Response) =>
  output
    .flatMap((item) => (item.type === 'message' ? item.content : []))
    .map((part) => ('text' in part ? part.text : ''));

for (const way of WAYS) {
  world.each(`three turns with a tool by previous_response_id, ${way}`, async ({ model }) => {
    const tools = [CLOCK];
    const first = await create({ model, tools, instructions: 'Be brief.', input: 'call clock' }, way);
    const call = first.output.find((item) => item.type === 'function_call');
    assert.equal(call?.name, 'clock');
    const second = await create(
      {
        model,
        tools,
        previous_response_id: first.id,
        input: [{ type: 'function_call_output', call_id: call.call_id, output: 'noon' }],
      },
      way,
    );
    assert.deepEqual(textOf(second), ['Tool said: noon']);
    assert.equal(second.previous_response_id, first.id);
    // Instructions are not carried over, the turns are.
    const third = await create({ model, previous_response_id: second.id, input: 'say system' }, way);
    assert.deepEqual(textOf(third), ['System: ']);
    // A word is a token: those of all turns, and the call's name.
    assert.equal(third.usage?.input_tokens, 9);
    const listed = await collect(client.responses.inputItems.list(third.id, { order: 'asc', limit: 2 }));
    assert.deepEqual(
      listed.map(({ type }) => type),
      ['message', 'function_call', 'function_call_output', 'message', 'message'],
    );
  });

  world.each(
    `a response is shown as it was given, and gone when it was deleted, ${way}`,
    async ({ model }) => {
      const given = await create({ model, input: 'Hi', metadata: { a: 'b' } }, way);
      const { output_text: _, _request_id: __, ...whole } = { _request_id: '', ...given };
      const {
        output_text: text,
        _request_id: ___,
        ...shown
      } = {
        _request_id: '',
        ...(await client.responses.retrieve(given.id)),
      };
      assert.deepEqual(shown, whole);
      assert.equal(text, 'Echo: Hi');
      assert.deepEqual(shown.metadata, { a: 'b' });
      await client.responses.delete(given.id);
      await assert.rejects(client.responses.retrieve(given.id), isNotFound(given.id));
      await assert.rejects(client.responses.delete(given.id), isNotFound(given.id));
      await assert.rejects(client.responses.inputItems.list(given.id), isNotFound(given.id));
      await assert.rejects(client.responses.cancel(given.id), isNotFound(given.id));
      const next = { model, input: 'Hi', previous_response_id: given.id };
      await assert.rejects(client.responses.create(next), isPreviousNotFound(given.id));
      await assert.rejects(client.responses.create({ ...next, stream: true }), isPreviousNotFound(given.id));
    },
  );
}

function isNotFound(id: string) {
  return (error: unknown) => {
    assert.ok(error instanceof NotFoundError, String(error));
    assert.equal(error.type, 'invalid_request_error');
    assert.equal(error.message, `404 Response with id '${id}' not found.`);
    return true;
  };
}

function isPreviousNotFound(id: string) {
  return (error: unknown) => {
    assert.ok(error instanceof BadRequestError, String(error));
    assert.deepEqual([error.code, error.param], ['previous_response_not_found', 'previous_response_id']);
    assert.equal(error.message, `400 Previous response with id '${id}' not found.`);
    return true;
  };
}

world.each('a response that is not to be stored is not', async ({ model }) => {
  const { id, ...response } = await client.responses.create({ model, input: 'Hi', store: false });
  assert.equal(Reflect.get(response, 'store'), false);
  await assert.rejects(client.responses.retrieve(id), isNotFound(id));
  const next = { model, input: 'Hi', previous_response_id: id };
  await assert.rejects(client.responses.create(next), isPreviousNotFound(id));
});

world.each('input items come in pages, newest first unless asked otherwise', async ({ model }) => {
  const input = ['a', 'b', 'c', 'd', 'e'].map((content) => ({ role: 'user' as const, content }));
  const { id } = await client.responses.create({ model, input });
  const contents = async (query: object) => {
    const items = await collect(client.responses.inputItems.list(id, query));
    return JSON.stringify(items)
      .match(/(?<="(?:text|content)":")[a-e](?=")/g)
      ?.join('');
  };
  assert.equal(await contents({}), 'edcba');
  assert.equal(await contents({ limit: 2 }), 'edcba');
  assert.equal(await contents({ order: 'asc', limit: 1 }), 'abcde');
  const page = await client.responses.inputItems.list(id, { limit: 2, order: 'asc' });
  assert.equal(page.has_more, true);
  const { data } = await client.responses.inputItems.list(id, {
    order: 'asc',
    limit: 2,
    after: page.data[1]?.id ?? '',
  });
  assert.equal(data.length, 2);
});

world.each('only what runs in the background can be cancelled', async ({ model }) => {
  const { id } = await client.responses.create({ model, input: 'Hi' });
  await assert.rejects(client.responses.cancel(id), (error) => {
    assert.ok(error instanceof BadRequestError, String(error));
    assert.match(error.message, /Cannot cancel a synchronous response/);
    return true;
  });
});

test('a response in the background, where the provider has such', async () => {
  const model = 'openai/gpt-4.1';
  const { id, status } = await client.responses.create({ model, input: 'Hi', background: true });
  assert.equal(status, 'queued');
  assert.equal((await client.responses.retrieve(id)).output_text, 'Echo: Hi');
  assert.equal((await client.responses.cancel(id)).status, 'cancelled');
});

for (const [from, to] of [
  ['anthropic/claude-sonnet-4-5', 'openai/gpt-4.1'],
  ['gemini/gemini-2.5-flash', 'openai/gpt-4.1'],
  ['anthropic/claude-sonnet-4-5', 'gemini/gemini-2.5-flash'],
  ['compatible/gpt-5-mini', 'anthropic/claude-sonnet-4-5'],
  ['anthropic/claude-sonnet-4-5', 'one'],
] as const) {
  for (const way of WAYS) {
    test(`what ${from} began goes on at ${to}, ${way}`, async () => {
      const tools = [CLOCK];
      const reasoning = { effort: 'low' as const, summary: 'auto' as const };
      const first = await create(
        { model: from, tools, reasoning, input: 'think about maths\ncall clock' },
        way,
      );
      const call = first.output.find((item) => item.type === 'function_call');
      assert.ok(call);
      const second = await create(
        {
          model: to,
          tools,
          previous_response_id: first.id,
          input: [{ type: 'function_call_output', call_id: call.call_id, output: 'noon' }],
        },
        way,
      );
      assert.deepEqual(textOf(second), ['Tool said: noon']);
      assert.equal((await client.responses.retrieve(second.id)).id, second.id);
    });
  }
}

test('what a provider keeps goes on only where it is kept', async () => {
  const { id } = await client.responses.create({ model: 'openai/gpt-4.1', input: 'Hi' });
  for (const model of ['anthropic/claude-sonnet-4-5', 'one']) {
    await assert.rejects(
      client.responses.create({ model, input: 'Hi', previous_response_id: id }),
      (error) => {
        assert.ok(error instanceof BadRequestError, String(error));
        assert.deepEqual([error.code, error.param], ['previous_response_elsewhere', 'previous_response_id']);
        return true;
      },
    );
  }
});

test('the providers refused only what is told to be refused', () => {
  // What is gone, or is nobody's, is refused without asking anyone.
  const refused = world.fakes.openai.requests.filter(({ status = 0 }) => status >= 400);
  assert.deepEqual(
    refused.map(({ method, path }) => `${method} ${path.replace(/resp_\w+/, 'ID')}`),
    ['POST /v1/responses/ID/cancel'],
  );
  for (const name of ['compatible', 'anthropic', 'gemini'] as const) {
    assert.ok(world.fakes[name].requests.every(({ status }) => status === 200));
  }
});
