import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChatCompletionChunk, ChatCompletionMessageParam } from 'openai/resources/chat/completions';
import { DIFFERENCES } from '../differences.ts';
import { startWorld } from '../support.ts';
import { ask, describe, joinChunks, WAYS } from './answers.ts';

const world = await startWorld();
const { client } = world;

const say = (content: string): ChatCompletionMessageParam[] => [{ role: 'user', content }];
const plain = { reasoning: '', calls: [], finish: 'stop' };

for (const way of WAYS) {
  world.each(`text, ${way}`, async ({ model }) => {
    const { answer } = await ask(client, { model, messages: say('Grüße, 世界 😀') }, way);
    assert.deepEqual(answer, {
      ...plain,
      content: 'Echo: Grüße, 世界 😀',
      tokens: { input: 3, cached: 0, output: 4, reasoning: 0 },
    });
  });

  world.each(`system and developer messages, ${way}`, async ({ model }) => {
    const messages: ChatCompletionMessageParam[] = [
      { role: 'system', content: 'Be brief.' },
      {
        role: 'developer',
        content: [
          { type: 'text', text: 'Be kind.' },
          { type: 'text', text: 'Be clear.' },
        ],
      },
      { role: 'user', content: 'say system' },
    ];
    const { answer } = await ask(client, { model, messages }, way);
    assert.deepEqual(answer, {
      ...plain,
      content: 'System: Be brief.\nBe kind.\nBe clear.',
      tokens: { input: 8, cached: 0, output: 7, reasoning: 0 },
    });
  });

  world.each(`a conversation of several turns, ${way}`, async ({ model }) => {
    const messages: ChatCompletionMessageParam[] = [
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'Echo: one' },
      { role: 'user', content: 'two' },
      { role: 'user', content: [{ type: 'text', text: 'three' }] },
    ];
    const { answer } = await ask(client, { model, messages }, way);
    assert.deepEqual(answer, {
      ...plain,
      content: 'Echo: two\nthree',
      tokens: { input: 5, cached: 0, output: 3, reasoning: 0 },
    });
  });

  world.each(`cached input, ${way}`, async ({ model }) => {
    const { answer } = await ask(client, { model, messages: say('usage cached 40\nHi') }, way);
    assert.equal(answer.content, 'Echo: Hi');
    assert.deepEqual(answer.tokens, { input: 44, cached: 40, output: 2, reasoning: 0 });
  });

  world.each(`an answer that reaches its token limit, ${way}`, async ({ model }) => {
    for (const limit of [{ max_tokens: 3 }, { max_completion_tokens: 3 }]) {
      const { answer } = await ask(client, { model, messages: say('long 10'), ...limit }, way);
      assert.equal(answer.content, 'word1 word2 word3');
      assert.equal(answer.finish, 'length');
    }
  });

  world.each(`stop sequences, ${way}`, async ({ model }) => {
    for (const stop of ['HALT', ['END', 'HALT']]) {
      const { answer } = await ask(client, { model, messages: say('stop at HALT'), stop }, way);
      assert.equal(answer.content, 'before ');
      assert.equal(answer.finish, 'stop');
    }
  });
}

world.each('the stream helper tells the text as it comes, and the whole of it', async ({ model }) => {
  const stream = client.chat.completions.stream({ model, messages: say('Grüße, 世界 😀') });
  const deltas: string[] = [];
  stream.on('content', (delta) => deltas.push(delta));
  const completion = await stream.finalChatCompletion();
  assert.deepEqual(deltas, ['Echo:', ' Grüße,', ' 世界', ' 😀']);
  assert.equal(completion.choices[0]?.message.content, 'Echo: Grüße, 世界 😀');
  assert.equal(completion.choices[0]?.finish_reason, 'stop');
  assert.equal(await stream.finalContent(), 'Echo: Grüße, 世界 😀');
});

world.each('the fields around an answer are those of a chat completion', async ({ model, name }) => {
  const before = Math.floor(Date.now() / 1000);
  const {
    data,
    response,
    request_id: id,
  } = await client.chat.completions.create({ model, messages: say('Hi') }).withResponse();
  assert.equal(data.object, 'chat.completion');
  assert.equal(data.model, model.slice(model.indexOf('/') + 1));
  // OpenAI dates its answers itself; the fake does so in the past.
  assert.ok(name === 'openai' || data.created >= before);
  assert.notEqual(data.id, '');
  assert.equal(id, response.headers.get('x-request-id'));
  assert.equal(response.headers.get('x-fairlead-target'), model);
  assert.equal(response.headers.get('x-fairlead-dropped'), null);
});

world.each('a stream shows its usage only to who asked for it', async ({ model }) => {
  const known = new Set((await world.records()).map((record) => record.id));
  for (const [asked, shown] of [
    [{}, 0],
    [{ stream_options: { include_usage: false } }, 0],
    [{ stream_options: { include_usage: true } }, 1],
  ] as const) {
    const stream = await client.chat.completions.create({
      model,
      messages: say('Hi'),
      stream: true,
      ...asked,
    });
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    assert.equal(chunks.filter(({ usage }) => usage).length, shown);
    assert.equal(chunks.filter(({ choices }) => choices.length === 0).length, shown);
    assert.equal(joinChunks(chunks).choices[0]?.message.content, 'Echo: Hi');
  }
  const records = (await world.records()).filter(({ id }) => !known.has(id));
  assert.deepEqual(
    records.map(({ usage }) => [usage?.input, usage?.output, usage?.estimated]),
    [
      [1, 2, undefined],
      [1, 2, undefined],
      [1, 2, undefined],
    ],
  );
});

world.each('several choices where the provider has them, else a 400', async ({ model, name }) => {
  const params = { model, messages: say('Hi'), n: 2 };
  if (!DIFFERENCES.hasChoices[name]) {
    await assert.rejects(client.chat.completions.create(params), {
      status: 400,
      param: 'n',
      code: 'unsupported_parameter',
    });
    return;
  }
  const expected = [
    [0, 'Echo: Hi', 'stop'],
    [1, 'Echo: Hi #2', 'stop'],
  ];
  const { choices, usage } = await client.chat.completions.create(params);
  assert.deepEqual(
    choices.map(({ index, message, finish_reason: finish }) => [index, message.content, finish]),
    expected,
  );
  assert.equal(usage?.completion_tokens, 5);
  const streamed = await client.chat.completions.stream(params).finalChatCompletion();
  assert.deepEqual(
    streamed.choices.map(({ index, message, finish_reason: finish }) => [index, message.content, finish]),
    expected,
  );
});

world.each('n: 1 is nothing special', async ({ model }) => {
  const completion = await client.chat.completions.create({ model, messages: say('Hi'), n: 1 });
  assert.equal(describe(completion).answer.content, 'Echo: Hi');
});

world.each('a question that the provider blocks', async ({ model, name }) => {
  for (const way of WAYS) {
    const { answer } = await ask(client, { model, messages: say('block') }, way);
    // Anthropic says why.
    const content = name === 'anthropic' ? null : '';
    assert.deepEqual([answer.content, answer.finish], [content, 'content_filter']);
  }
});

world.each('an answer that the model refuses to give', async ({ model, name }) => {
  const { choices } = await client.chat.completions.create({ model, messages: say('refuse') });
  const { finish, refusal } = DIFFERENCES.refusal[name];
  assert.equal(choices[0]?.finish_reason, finish);
  assert.equal(choices[0]?.message.refusal, refusal);
});

test('the usage records say what the providers served', () => world.checkBooks());
