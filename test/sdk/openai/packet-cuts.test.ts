import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startWorld } from '../support.ts';
import { ask, replay } from './answers.ts';

/** Packets end anywhere: inside a character, between CR and LF, in the middle of a key. */
for (const cutBytes of [1, 7]) {
  const world = await startWorld({ cutBytes });
  const { client } = world;
  const tools = [
    {
      type: 'function' as const,
      function: { name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
    },
  ];

  world.eachThinker(`a stream in packets of ${cutBytes}: text, thoughts, calls`, async ({ model }) => {
    const question = {
      role: 'user' as const,
      content:
        'think about Grüße 世界 😀\nusage cached 9\ncall weather {"city":"Zürich 😀"}\ncall weather {"city":"東京"}',
    };
    const params = { model, tools, reasoning_effort: 'low' as const };
    const first = await ask(client, { ...params, messages: [question] }, 'streamed');
    assert.deepEqual(first.answer, {
      content: null,
      reasoning: 'thinking about Grüße 世界 😀',
      calls: [
        ['weather', { city: 'Zürich 😀' }],
        ['weather', { city: '東京' }],
      ],
      finish: 'tool_calls',
      tokens: { input: 25, cached: 9, output: 7, reasoning: 5 },
    });
    const results = first.calls.map(({ id }) => ({
      role: 'tool' as const,
      tool_call_id: id,
      content: '晴れ ☀️',
    }));
    const messages = [question, replay(first), ...results];
    const second = await ask(client, { ...params, messages }, 'streamed');
    assert.equal(second.answer.content, 'Tool said: 晴れ ☀️, 晴れ ☀️');
    const whole = await ask(client, { ...params, messages }, 'whole');
    assert.equal(whole.answer.content, second.answer.content);
  });

  test(`packets of ${cutBytes}: the usage records say what the providers served`, () => world.checkBooks());
}
