import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  ChatCompletionMessageParam,
  ChatCompletionTool,
  ChatCompletionToolChoiceOption,
} from 'openai/resources/chat/completions';
import { DIFFERENCES } from '../differences.ts';
import { startWorld } from '../support.ts';
import { type Asked, ask, describe, replay, WAYS } from './answers.ts';

const world = await startWorld();
const { client } = world;

const WEATHER: ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    description: 'The weather in a city.',
    parameters: {
      type: 'object',
      properties: { city: { type: 'string', minLength: 1 }, unit: { type: 'string', enum: ['C', 'F'] } },
      required: ['city'],
    },
  },
};
const CLOCK: ChatCompletionTool = { type: 'function', function: { name: 'clock' } };
const tools = [WEATHER, CLOCK];

const say = (content: string): ChatCompletionMessageParam => ({ role: 'user', content });

/** The tool messages that answer the calls, in the same order. */
function results(asked: Asked, ...contents: string[]): ChatCompletionMessageParam[] {
  assert.equal(asked.calls.length, contents.length);
  return asked.calls.map(({ id }, index) => ({
    role: 'tool',
    tool_call_id: id,
    content: contents[index] ?? '',
  }));
}

const PARIS = { city: 'Paris', unit: 'C' };

for (const way of WAYS) {
  world.each(`a tool call, its result, and the answer, ${way}`, async ({ model }) => {
    const question = say(`call get_weather ${JSON.stringify(PARIS)}`);
    const first = await ask(client, { model, messages: [question], tools }, way);
    assert.deepEqual(first.answer, {
      content: null,
      reasoning: '',
      calls: [['get_weather', PARIS]],
      finish: 'tool_calls',
      tokens: { input: 5, cached: 0, output: 1, reasoning: 0 },
    });
    const messages = [question, replay(first), ...results(first, '18 degrees')];
    const second = await ask(client, { model, messages, tools }, way);
    assert.deepEqual(second.answer, {
      content: 'Tool said: 18 degrees',
      reasoning: '',
      calls: [],
      finish: 'stop',
      tokens: { input: 8, cached: 0, output: 4, reasoning: 0 },
    });
  });

  world.each(`parallel tool calls, their results in either order, ${way}`, async ({ model }) => {
    const question = say('call get_weather {"city":"Rome"}\ncall clock {}\ncall get_weather {"city":"Oslo"}');
    const first = await ask(client, { model, messages: [question], tools }, way);
    assert.deepEqual(first.answer.calls, [
      ['get_weather', { city: 'Rome' }],
      ['clock', {}],
      ['get_weather', { city: 'Oslo' }],
    ]);
    assert.equal(new Set(first.calls.map(({ id }) => id)).size, 3, 'each call has an id of its own');
    const answers = results(first, 'warm', 'noon', 'cold');
    const second = await ask(client, { model, messages: [question, replay(first), ...answers], tools }, way);
    assert.equal(second.answer.content, 'Tool said: warm, noon, cold');
    const reversed = [question, replay(first), ...answers.toReversed()];
    const third = await ask(client, { model, messages: reversed, tools }, way);
    const heard = third.answer.content?.replace('Tool said: ', '').split(', ') ?? [];
    // In which order the model hears them is the provider's matter.
    assert.deepEqual(heard.sort(), ['cold', 'noon', 'warm']);
  });

  world.each(`two rounds of tools, then another question, ${way}`, async ({ model }) => {
    const messages = [say('call clock\nthen call get_weather {"city":"Rome"}')];
    const rounds = [
      { calls: [['clock', {}]], result: 'noon' },
      { calls: [['get_weather', { city: 'Rome' }]], result: '{"degrees":30}' },
    ];
    for (const { calls, result } of rounds) {
      const asked = await ask(client, { model, messages, tools }, way);
      assert.deepEqual(asked.answer.calls, calls);
      messages.push(replay(asked), ...results(asked, result));
    }
    const last = await ask(client, { model, messages, tools }, way);
    assert.equal(last.answer.content, 'Tool said: {"degrees":30}');
    messages.push(replay(last), say('call clock'));
    const again = await ask(client, { model, messages, tools }, way);
    assert.deepEqual(again.answer.calls, [['clock', {}]]);
  });

  world.each(`a history with tool calls needs no tools to go on, ${way}`, async ({ model }) => {
    const question = say('call clock');
    const first = await ask(client, { model, messages: [question], tools }, way);
    const messages = [question, replay(first), ...results(first, 'noon'), say('thanks')];
    const second = await ask(client, { model, messages }, way);
    assert.equal(second.answer.content, 'Echo: thanks');
  });
}

const NAMED = { type: 'function' as const, function: { name: 'clock' } };
const TOOL_CHOICES: { choice: ChatCompletionToolChoiceOption; question: string; calls: string[] }[] = [
  { choice: 'auto', question: 'Hi', calls: [] },
  { choice: 'auto', question: 'call clock', calls: ['clock'] },
  { choice: 'none', question: 'call clock', calls: [] },
  { choice: 'required', question: 'Hi', calls: ['get_weather'] },
  { choice: NAMED, question: 'Hi', calls: ['clock'] },
  {
    choice: { type: 'allowed_tools', allowed_tools: { mode: 'required', tools: [NAMED] } },
    question: 'Hi',
    calls: ['clock'],
  },
];

for (const { choice, question, calls } of TOOL_CHOICES) {
  world.each(`tool_choice ${JSON.stringify(choice)} for '${question}'`, async ({ model }) => {
    for (const way of WAYS) {
      const params = { model, messages: [say(question)], tools, tool_choice: choice };
      const { answer } = await ask(client, params, way);
      assert.deepEqual(
        answer.calls.map(([called]) => called),
        calls,
      );
      // OpenAI itself ends a call that was forced by name with `stop`.
      assert.equal(answer.finish, calls.length > 0 ? 'tool_calls' : 'stop');
    }
  });
}

world.each('one call at a time where the provider can be told so', async ({ model, name }) => {
  const { data, response } = await client.chat.completions
    .create({
      model,
      messages: [say('call clock\ncall get_weather {"city":"Rome"}')],
      tools,
      parallel_tool_calls: false,
    })
    .withResponse();
  const { calls, dropped } = DIFFERENCES.singleCall[name];
  assert.equal(describe(data).calls.length, calls);
  assert.equal(response.headers.get('x-fairlead-dropped'), dropped);
});

for (const way of WAYS) {
  world.each(`runTools runs the tools until there is an answer, ${way}`, async ({ model }) => {
    const ran: unknown[] = [];
    const runnable = [
      {
        type: 'function' as const,
        function: {
          name: 'get_weather',
          description: 'The weather in a city.',
          parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          parse: JSON.parse,
          function: ({ city }: { city: string }) => {
            ran.push(city);
            return `sunny in ${city}`;
          },
        },
      },
    ];
    const messages = [
      say(
        'call get_weather {"city":"Rome"}\ncall get_weather {"city":"Oslo"}\nthen call get_weather {"city":"Bonn"}',
      ),
    ];
    const runner =
      way === 'whole'
        ? client.chat.completions.runTools({ model, messages, tools: runnable })
        : client.chat.completions.runTools({ model, messages, tools: runnable, stream: true });
    assert.equal(await runner.finalContent(), 'Tool said: sunny in Bonn');
    assert.deepEqual(ran, ['Rome', 'Oslo', 'Bonn']);
  });
}

test('the usage records say what the providers served', () => world.checkBooks());
