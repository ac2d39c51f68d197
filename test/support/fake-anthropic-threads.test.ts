import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { BetaMessageThreadParam } from '@anthropic-ai/sdk/resources/beta/messages';
import { THREADS_BETA } from './anthropic/threads.ts';
import { type FakeAnthropic, startFakeAnthropic } from './fake-anthropic.ts';

let fake: FakeAnthropic;
let client: Anthropic;

before(async () => {
  fake = await startFakeAnthropic();
  client = new Anthropic({ baseURL: fake.url, apiKey: fake.apiKey, maxRetries: 0 });
});
after(() => fake.close());

const ask = (thread: BetaMessageThreadParam, fields: object = {}) =>
  client.beta.messages.create({
    model: 'claude-haiku-4-5',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'say hi' }],
    thread,
    betas: [THREADS_BETA],
    ...fields,
  });
const refusedWith = (status: number, errorCode: string) => (error: unknown) => {
  assert.ok(error instanceof Anthropic.APIError);
  assert.deepEqual([error.status, Reflect.get(error, 'errorCode')], [status, errorCode]);
  return true;
};

test('a thread holds what was said, so that only new messages are sent', async () => {
  const thread = client.beta.messages.thread({
    model: 'claude-haiku-4-5',
    max_tokens: 100,
    system: 'Short.',
  });
  const first = await thread.send({ role: 'user', content: 'say one' });
  const second = await thread.send({ role: 'user', content: 'say two' });
  const sent = fake.requests.at(-1)?.body;
  assert.deepEqual(sent, {
    model: 'claude-haiku-4-5',
    max_tokens: 100,
    messages: [{ role: 'user', content: 'say two' }],
    stream: false,
    thread: { type: 'continue', previous_message_id: first.id },
  });
  assert.ok(second.usage.input_tokens > first.usage.input_tokens, 'the first turn was not read again');
});

test('a streamed answer can be continued, too', async () => {
  const thread = client.beta.messages.thread({ model: 'claude-haiku-4-5', max_tokens: 100 });
  const { id } = await thread.stream({ role: 'user', content: 'say one' }).finalMessage();
  await thread.send({ role: 'user', content: 'say two' });
  assert.deepEqual(Reflect.get(Object(fake.requests.at(-1)?.body), 'thread'), {
    type: 'continue',
    previous_message_id: id,
  });
});

test('what cannot be continued is refused with the code that its clients look for', async () => {
  const { id } = await ask({ type: 'create' });
  const goOn = { type: 'continue', previous_message_id: id } as const;
  await ask(goOn);
  await assert.rejects(ask(goOn), refusedWith(400, 'thread_already_continued'));
  await assert.rejects(
    ask({ type: 'continue', previous_message_id: 'msg_0' }),
    refusedWith(404, 'thread_not_found'),
  );
  const lost = await ask({ type: 'create' });
  fake.forgetThreads();
  await assert.rejects(
    ask({ type: 'continue', previous_message_id: lost.id }),
    refusedWith(404, 'thread_not_found'),
  );
});

test('a thread needs its beta, and its system prompt and tools are not sent again', async () => {
  await assert.rejects(
    ask({ type: 'create' }, { betas: ['other-2025-01-01'] }),
    /thread: Extra inputs are not permitted/,
  );
  const { id } = await ask({ type: 'create' });
  await assert.rejects(ask({ type: 'continue', previous_message_id: id }, { system: 'x' }), { status: 400 });
});
