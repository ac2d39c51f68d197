import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zodFunction, zodResponseFormat } from 'openai/helpers/zod';
import { z } from 'zod';
import { DIFFERENCES } from '../differences.ts';
import { startWorld } from '../support.ts';
import { ask, WAYS } from './answers.ts';

const world = await startWorld();
const { client } = world;

const Recipe = z.object({
  title: z.string().min(1),
  minutes: z.number().int().positive(),
  kind: z.enum(['soup', 'cake']),
  vegan: z.boolean(),
  source: z.string().nullable(),
  steps: z.array(z.object({ text: z.string(), after: z.union([z.string(), z.number()]) })).max(20),
});
/** What the fake model makes of the schema: the first thing that fits. */
const MADE = {
  title: 'text',
  minutes: 1,
  kind: 'soup',
  vegan: true,
  source: 'text',
  steps: [{ text: 'text', after: 'text' }],
};
const messages = [{ role: 'user' as const, content: 'A recipe, please, as JSON.' }];

/** Models with structured outputs, and for each dialect one without. */
const MODELS = [
  ...world.upstreams.map(({ model }) => model),
  'anthropic/claude-sonnet-4-0',
  'gemini/gemini-2.0-flash',
];

for (const model of MODELS) {
  test(`parse with a zod schema (${model})`, async () => {
    const completion = await client.chat.completions.parse({
      model,
      messages,
      response_format: zodResponseFormat(Recipe, 'recipe'),
    });
    assert.deepEqual(completion.choices[0]?.message.parsed, MADE);
    assert.equal(completion.choices[0]?.finish_reason, 'stop');
  });

  test(`a stream that is parsed with a zod schema (${model})`, async () => {
    const stream = client.chat.completions.stream({
      model,
      messages,
      response_format: zodResponseFormat(Recipe, 'recipe'),
    });
    const completion = await stream.finalChatCompletion();
    assert.deepEqual(completion.choices[0]?.message.parsed, MADE);
    assert.equal(completion.choices[0]?.finish_reason, 'stop');
  });

  test(`parse with a strict tool (${model})`, async () => {
    const completion = await client.chat.completions.parse({
      model,
      messages,
      tools: [zodFunction({ name: 'cook', parameters: Recipe })],
      tool_choice: 'required',
    });
    const [call] = completion.choices[0]?.message.tool_calls ?? [];
    assert.ok(call?.type === 'function');
    assert.equal(call.function.name, 'cook');
    assert.deepEqual(call.function.parsed_arguments, MADE);
  });
}

const Branch = z.object({
  name: z.string(),
  get branches() {
    return z.array(Branch).max(2);
  },
});

world.each('a schema that contains itself', async ({ model }) => {
  const completion = await client.chat.completions.parse({
    model,
    messages,
    response_format: zodResponseFormat(Branch, 'tree'),
  });
  const tree = completion.choices[0]?.message.parsed;
  assert.equal(tree?.branches[0]?.branches[0]?.name, 'text');
});

for (const model of MODELS) {
  test(`a schema beside tools: the call first, then the answer (${model})`, async () => {
    const params = {
      model,
      tools: [{ type: 'function' as const, function: { name: 'clock' } }],
      response_format: zodResponseFormat(z.object({ hour: z.number() }), 'time'),
    };
    const question = { role: 'user' as const, content: 'call clock' };
    for (const way of WAYS) {
      const first = await ask(client, { ...params, messages: [question] }, way);
      assert.deepEqual(first.answer.calls, [['clock', {}]]);
      const [call] = first.calls;
      assert.ok(call);
      const result = { role: 'tool' as const, tool_call_id: call.id, content: 'noon' };
      const history = [question, { role: 'assistant' as const, tool_calls: [call] }, result];
      const second = await ask(client, { ...params, messages: history }, way);
      assert.equal(second.answer.content, '{"hour":1.5}');
      assert.equal(second.answer.finish, 'stop');
      assert.deepEqual(second.answer.calls, []);
    }
  });
}

test('any JSON object beside tools, where the provider takes them apart only', async () => {
  const params = {
    model: 'gemini/gemini-2.5-flash',
    tools: [{ type: 'function' as const, function: { name: 'clock' } }],
    response_format: { type: 'json_object' as const },
  };
  const ask1 = (content: string) =>
    ask(client, { ...params, messages: [{ role: 'user', content }] }, 'whole');
  assert.deepEqual((await ask1('call clock')).answer.calls, [['clock', {}]]);
  const told = (await ask1('say system')).answer.content ?? '';
  assert.match(told, /^System: Answer with one JSON object and nothing else/);
});

world.each('any JSON object, where the provider has a mode for it', async ({ model, name }) => {
  for (const way of WAYS) {
    const params = { model, response_format: { type: 'json_object' as const } };
    const { answer } = await ask(client, { ...params, messages }, way);
    if (DIFFERENCES.hasJsonMode[name]) {
      assert.equal(answer.content, '{"echo":"A recipe, please, as JSON."}');
    } else {
      const told = await ask(client, { ...params, messages: [{ role: 'user', content: 'say system' }] }, way);
      assert.match(told.answer.content ?? '', /^System: Answer with one JSON object and nothing else/);
    }
  }
});

world.each('a schema that is none is a 400', async ({ model }) => {
  const response_format = { type: 'json_schema' as const, json_schema: { name: 'x', schema: 7 as never } };
  await assert.rejects(client.chat.completions.create({ model, messages, response_format }), {
    status: 400,
  });
});

test('the usage records say what the providers served', () => world.checkBooks(1));
