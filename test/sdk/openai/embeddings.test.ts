import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BadRequestError, InternalServerError, RateLimitError } from 'openai';
import { vectorOf } from '../../support/fake-vectors.ts';
import { startWorld } from '../support.ts';

/** Models whose first failure is the client's: the scripts below fail a provider once. */
const ONCE = Object.fromEntries(
  ['openai/text-embedding-3-small', 'gemini/gemini-embedding-001', 'gemini/gemini-embedding-2'].map(
    (target) => [`once-${target.slice(target.indexOf('/') + 1)}`, { targets: [target], retries: 0 }],
  ),
);
const world = await startWorld({}, ONCE);
const { client, fakes } = world;

/** The fakes' vectors depend on text and dimensions only, so who has the same dimensions has the same vectors. */
const MODELS = [
  { model: 'openai/text-embedding-3-small', size: 1536, fake: fakes.openai, tokens: 3 },
  // The API of this model does not count; its record is an estimate.
  { model: 'gemini/gemini-embedding-001', size: 3072, fake: fakes.gemini, tokens: 0 },
  { model: 'gemini/gemini-embedding-2', size: 3072, fake: fakes.gemini, tokens: 3 },
];
const TEXTS = ['Grüße, 世界', 'Hi'];

for (const { model, size, fake, tokens } of MODELS) {
  test(`one text, in the SDK's default encoding (${model})`, async () => {
    const { object, data, model: named } = await client.embeddings.create({ model, input: 'Hi' });
    assert.equal(object, 'list');
    assert.equal(named, model.slice(model.indexOf('/') + 1));
    assert.deepEqual(data, [{ object: 'embedding', index: 0, embedding: vectorOf('Hi', size) }]);
  });

  test(`several texts, cut to a number of dimensions, in both encodings (${model})`, async () => {
    const params = { model, input: TEXTS, dimensions: 8 };
    const expected = TEXTS.map((text, index) => ({
      object: 'embedding',
      index,
      embedding: vectorOf(text, 8),
    }));
    const floats = await client.embeddings.create({ ...params, encoding_format: 'float' });
    assert.deepEqual(floats.data, expected);
    assert.deepEqual(floats.usage, { prompt_tokens: tokens, total_tokens: tokens });
    const { data } = await client.embeddings.create({ ...params, encoding_format: 'base64' });
    for (const [index, { embedding }] of data.entries()) {
      const bytes = Buffer.from(String(embedding), 'base64');
      const numbers = Array.from({ length: 8 }, (_, at) => bytes.readFloatLE(at * 4));
      assert.deepEqual(numbers, expected[index]?.embedding);
    }
  });

  test(`the provider's failures raise typed errors (${model})`, async () => {
    const once = `once-${model.slice(model.indexOf('/') + 1)}`;
    for (const [script, raised, status] of [
      ['fail 429', RateLimitError, 429],
      ['fail 500', InternalServerError, 502],
      ['html 200', InternalServerError, 502],
      ['truncated json', InternalServerError, 502],
    ] as const) {
      fake.setBehaviour(script, 1);
      await assert.rejects(client.embeddings.create({ model: once, input: 'Hi' }), (error) => {
        assert.ok(error instanceof raised, String(error));
        assert.equal(error.status, status);
        return true;
      });
    }
  });
}

test('token arrays are for providers that take them', async () => {
  const [openai, gemini] = MODELS;
  assert.ok(openai && gemini);
  const { data } = await client.embeddings.create({
    model: openai.model,
    input: [
      [1, 2],
      [3, 4],
    ],
  });
  assert.equal(data.length, 2);
  await assert.rejects(
    client.embeddings.create({ model: gemini.model, input: [[1, 2]] }),
    (error) => error instanceof BadRequestError && error.param === 'input[0]',
  );
});

test('a provider without embeddings is a 400', async () => {
  await assert.rejects(
    client.embeddings.create({ model: 'anthropic/claude-sonnet-4-5', input: 'Hi' }),
    (error) =>
      error instanceof BadRequestError &&
      error.code === 'unsupported_operation' &&
      /has no embeddings\. Name an embedding model, such as text-embedding-3-small .*GET \/v1\/models/.test(
        error.message,
      ),
  );
});

test('the usage records count what was embedded', async () => {
  const records = await world.records();
  for (const { model, tokens } of MODELS) {
    const answered = records.filter(({ target, outcome }) => target === model && outcome === 'ok');
    assert.ok(answered.length >= 3);
    for (const { operation, usage } of answered) {
      assert.equal(operation, 'embed');
      assert.equal(usage?.estimated, tokens === 0 ? true : undefined);
      assert.equal(usage?.output, 0);
    }
  }
});

test('the providers refused only what they were told to', () => {
  // Their behaviour was set from outside, so no request says so: 429 and 500 a model.
  world.checkRefusals(2 * MODELS.length);
});
