import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { startWorld, type Upstream } from '../support.ts';
import { type Asked, ask, describe, replay, WAYS } from './answers.ts';

const world = await startWorld();
const { client } = world;

const tools = ['clock', 'weather'].map((name) => ({
  type: 'function' as const,
  function: { name, parameters: { type: 'object', properties: { city: { type: 'string' } } } },
}));
const say = (content: string): ChatCompletionMessageParam => ({ role: 'user', content });

function results({ calls }: Asked, content: string): ChatCompletionMessageParam[] {
  return calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content }));
}

for (const way of WAYS) {
  world.eachThinker(`reasoning_effort in, reasoning_content out, ${way}`, async ({ model }) => {
    const params = { model, messages: [say('think about maths\nHi')], reasoning_effort: 'low' as const };
    const { answer } = await ask(client, params, way);
    assert.deepEqual(answer, {
      content: 'Echo: Hi',
      reasoning: 'thinking about maths',
      calls: [],
      finish: 'stop',
      tokens: { input: 4, cached: 0, output: 5, reasoning: 3 },
    });
  });

  world.eachThinker(
    `signed reasoning survives two rounds of tools with a client that keeps only standard fields, ${way}`,
    async ({ model, fake }) => {
      const messages = [
        say('think about maths\ncall clock\ncall weather {"city":"Rome"}\nthen call weather {"city":"Oslo"}'),
      ];
      const params = { model, tools, reasoning_effort: 'medium' as const };
      const first = await ask(client, { ...params, messages }, way);
      assert.equal(first.answer.reasoning, 'thinking about maths');
      assert.deepEqual(first.answer.calls, [
        ['clock', {}],
        ['weather', { city: 'Rome' }],
      ]);
      messages.push(replay(first), ...results(first, 'noon'));
      const second = await ask(client, { ...params, messages }, way);
      assert.deepEqual(second.answer.calls, [['weather', { city: 'Oslo' }]]);
      checkReplay(model, fake);
      messages.push(replay(second), ...results(second, 'cold'));
      const third = await ask(client, { ...params, messages }, way);
      assert.equal(third.answer.content, 'Tool said: cold');
      checkReplay(model, fake);
      messages.push(replay(third), say('think about history\ncall clock'));
      const fourth = await ask(client, { ...params, messages }, way);
      assert.equal(fourth.answer.reasoning, 'thinking about history');
      assert.deepEqual(fourth.answer.calls, [['clock', {}]]);
    },
  );
}

/**
 * What the fakes do not refuse, because real providers do not: thinking that is silently switched off for want of
 * its signature, and the value that stands in for a lost one.
 */
function checkReplay(model: string, { requests }: Upstream['fake']): void {
  const body = requests.at(-1)?.rawBody.toString('utf8') ?? '';
  assert.doesNotMatch(body, /__fl1__|skip_thought_signature/);
  if (model.startsWith('anthropic')) {
    assert.match(body, /"thinking":\{"type":"(enabled|adaptive)"/);
    assert.match(body, /"type":"thinking","thinking":"thinking about maths","signature":"[^"]+"/);
  }
  if (model.startsWith('gemini')) assert.match(body, /"thoughtSignature":"[^"]+"/);
}

world.eachThinker('what a client sends back beyond the standard fields does no harm', async ({ model }) => {
  const messages = [say('think about maths\ncall clock')];
  const params = { model, tools, reasoning_effort: 'low' as const };
  const { choices } = await client.chat.completions.create({ ...params, messages });
  const message = choices[0]?.message;
  assert.ok(message?.tool_calls?.[0]);
  messages.push(message, { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'noon' });
  const second = await ask(client, { ...params, messages });
  assert.equal(second.answer.content, 'Tool said: noon');
});

for (const { model: from } of world.thinkers) {
  world.eachThinker(`a tool loop that ${from} began goes on`, async ({ model: to }) => {
    const messages = [say('think about maths\ncall clock\nthen call weather {"city":"Oslo"}')];
    const params = { tools, reasoning_effort: 'low' as const };
    const first = await ask(client, { ...params, model: from, messages });
    messages.push(replay(first), ...results(first, 'noon'));
    const second = await ask(client, { ...params, model: to, messages });
    assert.deepEqual(second.answer.calls, [['weather', { city: 'Oslo' }]]);
    messages.push(replay(second), ...results(second, 'cold'));
    const third = await ask(client, { ...params, model: from, messages });
    assert.equal(third.answer.content, 'Tool said: cold');
  });
}

world.eachThinker('a tool loop whose reasoning is lost goes on without it', async ({ model }) => {
  const call = { id: 'call_1', type: 'function' as const, function: { name: 'clock', arguments: '{}' } };
  const messages: ChatCompletionMessageParam[] = [
    say('think about maths\ncall clock'),
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', tool_call_id: 'call_1', content: 'noon' },
  ];
  const { answer } = await ask(client, { model, messages, tools, reasoning_effort: 'low' });
  assert.equal(answer.content, 'Tool said: noon');
});

/** What is named as dropped where a model cannot do as it is told. */
const EFFORTS: [model: string, effort: 'none' | 'low', dropped: string | null][] = [
  ['anthropic/claude-sonnet-4-5', 'none', null],
  ['anthropic/claude-opus-4-8', 'none', null],
  ['gemini/gemini-2.5-flash', 'none', null],
  // It always thinks; at least it does not say what.
  ['gemini/gemini-3-flash-preview', 'none', 'reasoning_effort=minimal'],
  ['anthropic/claude-3-haiku-20240307', 'low', 'reasoning_effort'],
  ['gemini/gemini-2.0-flash', 'low', 'reasoning_effort'],
];

for (const [model, effort, dropped] of EFFORTS) {
  test(`reasoning_effort '${effort}' shows no thoughts of ${model}`, async () => {
    const messages = [say('think about maths\nHi')];
    const { data, response } = await client.chat.completions
      .create({ model, messages, reasoning_effort: effort })
      .withResponse();
    assert.equal(describe(data).answer.reasoning, '');
    assert.equal(response.headers.get('x-fairlead-dropped'), dropped);
  });
}

test('the usage records say what the providers served', () => world.checkBooks());
