import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { OutputSum, readEndedBatch, readOutputLine } from '../../../src/dialects/media/batch.ts';

const USAGE = {
  input_tokens: 100,
  input_tokens_details: { cached_tokens: 30 },
  output_tokens: 50,
  output_tokens_details: { reasoning_tokens: 20 },
  total_tokens: 150,
};
const COUNTS = { ...NO_USAGE, input: 70, cacheRead: 30, output: 30, reasoning: 20 };

test('a batch that is under way is none that has ended', () => {
  for (const status of ['validating', 'in_progress', 'finalizing', 'cancelling', 'queued', undefined, 1]) {
    assert.equal(
      readEndedBatch({ id: 'b', ...(status !== undefined && { status }), usage: USAGE }),
      undefined,
    );
  }
});

for (const [what, said, usage] of [
  ['completed', { status: 'completed', output_file_id: 'f', usage: USAGE }, COUNTS],
  ['cancelled after some lines', { status: 'cancelled', output_file_id: 'f', usage: USAGE }, COUNTS],
  ['expired', { status: 'expired', output_file_id: 'f', usage: USAGE }, COUNTS],
  ['said in capitals', { status: 'COMPLETED', output_file_id: 'f', usage: USAGE }, COUNTS],
  [
    'counted in the words of chat',
    {
      status: 'completed',
      usage: {
        prompt_tokens: 100,
        prompt_tokens_details: { cached_tokens: 30 },
        completion_tokens: 50,
        completion_tokens_details: { reasoning_tokens: 20 },
      },
    },
    COUNTS,
  ],
  ['without a usage', { status: 'completed', output_file_id: 'f' }, undefined],
  ['with a usage of null', { status: 'completed', output_file_id: 'f', usage: null }, undefined],
  [
    'with zeros beside an output',
    { status: 'completed', output_file_id: 'f', usage: { input_tokens: 0, output_tokens: 0 } },
    undefined,
  ],
  ['failed', { status: 'failed', request_counts: { total: 0, completed: 0, failed: 0 } }, NO_USAGE],
  ['failed without more words', { status: 'failed', output_file_id: null }, NO_USAGE],
  [
    'without an answer',
    { status: 'completed', request_counts: { total: 2, completed: 0, failed: 2 } },
    NO_USAGE,
  ],
  ['without a word of its answers', { status: 'completed', request_counts: { completed: 2 } }, undefined],
] as const) {
  test(`what a batch used that is ${what}`, () => {
    const ended = readEndedBatch({ id: 'b', ...JSON.parse(JSON.stringify(said)) });
    assert.ok(ended);
    assert.deepEqual(ended.usage && { ...NO_USAGE, ...ended.usage }, usage && { ...usage });
  });
}

const line = (value: unknown) => Buffer.from(JSON.stringify(value));

test('a line of an output says what its answer used, in either form', () => {
  const usage = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
  const body = { choices: [{ message: { content: '{"usage":{"prompt_tokens":1}}' } }], model: 'm', usage };
  assert.deepEqual(readOutputLine(line({ custom_id: 'a', response: { status_code: 200, body } })), {
    model: 'm',
    usage: { ...NO_USAGE, input: 9, output: 3 },
  });
  const embedded = { model: 'e', data: [], usage: { prompt_tokens: 8, total_tokens: 8 } };
  assert.deepEqual(readOutputLine(line({ response: { body: embedded } }))?.usage, { ...NO_USAGE, input: 8 });
  assert.deepEqual(readOutputLine(line({ response: { body: { model: 'r', usage: USAGE } } }))?.usage, COUNTS);
});

test('a line without an answer is none, and one whose answer says no usage says none', () => {
  assert.equal(readOutputLine(line({ response: null, error: { code: 'batch_expired' } })), undefined);
  assert.equal(readOutputLine(line({ error: { code: 'batch_expired' } })), undefined);
  assert.equal(readOutputLine(line({ response: { status_code: 500, body: null } })), undefined);
  assert.deepEqual(readOutputLine(line({ response: { body: { model: 'm' } } })), {
    model: 'm',
    usage: undefined,
  });
  assert.throws(() => readOutputLine(Buffer.from('[]')), { kind: 'invalid_request' });
});

test('lines are added up by their models; where some say nothing it is an estimate', () => {
  const sum = new OutputSum();
  const one = { ...NO_USAGE, input: 2, output: 1 };
  for (const model of ['a', 'b', 'a']) sum.add({ model, usage: one });
  assert.deepEqual(sum.list(), [
    { model: 'a', usage: { ...NO_USAGE, input: 4, output: 2 } },
    { model: 'b', usage: one },
  ]);
  sum.add({ model: 'a', usage: undefined });
  assert.deepEqual(
    sum.list().map(({ usage }) => usage.estimated),
    [true, true],
  );
  assert.deepEqual(new OutputSum().list(), []);
});
