import assert from 'node:assert/strict';
import { test } from 'node:test';
import { APIError, BadRequestError, RateLimitError } from 'openai';
import type { Completion, CompletionCreateParamsNonStreaming } from 'openai/resources/completions';
import { DIFFERENCES } from '../differences.ts';
import { startWorld } from '../support.ts';

const world = await startWorld();
const { client } = world;

async function readStream(params: CompletionCreateParamsNonStreaming): Promise<Completion[]> {
  const chunks: Completion[] = [];
  const stream_options = { include_usage: true };
  for await (const chunk of await client.completions.create({ ...params, stream: true, stream_options })) {
    chunks.push(chunk);
  }
  return chunks;
}

world.each('a prompt and its completion', async ({ model }) => {
  for (const prompt of ['Grüße, 世界', ['Grüße, 世界']]) {
    const { object, choices, usage, id, created } = await client.completions.create({ model, prompt });
    assert.equal(object, 'text_completion');
    assert.deepEqual(choices, [
      { text: 'Echo: Grüße, 世界', index: 0, logprobs: null, finish_reason: 'stop' },
    ]);
    assert.deepEqual([usage?.prompt_tokens, usage?.completion_tokens, usage?.total_tokens], [2, 3, 5]);
    assert.notEqual(id, '');
    assert.ok(created > 0);
  }
});

world.each('a stream of text', async ({ model }) => {
  const chunks = await readStream({ model, prompt: 'Hi all', max_tokens: 2 });
  assert.ok(chunks.every(({ object }) => object === 'text_completion'));
  const choices = chunks.flatMap((chunk) => chunk.choices);
  assert.deepEqual(
    choices.map(({ text, finish_reason: finish }) => [text, finish]),
    [
      ['Echo:', null],
      [' Hi', null],
      ['', 'length'],
    ],
  );
  assert.equal(chunks.at(-1)?.usage?.completion_tokens, 2);
});

world.each('usage is shown only to who asked for it', async ({ model }) => {
  for await (const { usage, choices } of await client.completions.create({
    model,
    prompt: 'Hi',
    stream: true,
  })) {
    assert.equal(usage, undefined);
    assert.equal(choices.length, 1);
  }
});

world.each('stop sequences, temperature and several answers', async ({ model, name }) => {
  const { choices } = await client.completions.create({
    model,
    prompt: 'stop at HALT',
    stop: 'HALT',
    temperature: 0.5,
    best_of: 1,
    echo: false,
    suffix: null,
  });
  assert.equal(choices[0]?.text, 'before ');
  const several = client.completions.create({ model, prompt: 'Hi', n: 2 });
  if (DIFFERENCES.hasChoices[name]) assert.equal((await several).choices.length, 2);
  else await assert.rejects(several, { status: 400, param: 'n' });
});

const REFUSED: [param: string, fields: object][] = [
  ['suffix', { suffix: 'end' }],
  ['echo', { echo: true }],
  ['best_of', { best_of: 3 }],
  ['logprobs', { logprobs: 2 }],
  ['prompt', { prompt: [1, 2] }],
  ['prompt', { prompt: [[1], [2]] }],
  ['prompt', { prompt: ['a', 'b'] }],
  ['prompt', { prompt: undefined }],
  ['prompt[0]', { prompt: [] }],
  ['prompt[0]', { prompt: [null] }],
  ['temperature', { temperature: 'hot' }],
];

for (const [param, fields] of REFUSED) {
  world.each(`${JSON.stringify(fields)} is a 400 naming '${param}'`, async ({ model }) => {
    const params = { model, prompt: 'Hi', ...fields };
    await assert.rejects(client.completions.create(params), (error) => {
      assert.ok(error instanceof BadRequestError, String(error));
      assert.equal(error.param, param);
      return true;
    });
  });
}

world.each('failures raise typed errors', async ({ model }) => {
  await assert.rejects(client.completions.create({ model, prompt: 'fail 429\nHi' }), RateLimitError);
  const prompt = 'error mid-stream\nslow 1 ms per chunk\nlong 20';
  await assert.rejects(readStream({ model, prompt }), (error) => error instanceof APIError);
});

test('the usage records say what the providers served', () => world.checkBooks());
