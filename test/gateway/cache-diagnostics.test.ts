import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { makeTempDirectory } from '../support/temp-store.ts';

const [one, two, openai, gemini] = await Promise.all([
  startFakeAnthropic({ apiKey: 'key-of-account-one-00000' }),
  startFakeAnthropic({ apiKey: 'key-of-account-two-00000' }),
  startFakeOpenAi(),
  startFakeGemini(),
]);
const KEYS = { acme: TEST_KEY, other: 'sk-fl-key-of-another-tenant-0000000' };
type Who = keyof typeof KEYS;
const tenant = (secret: string) => ({ models: ['*'], keys: [{ name: 'app', secret }] });
const gateway = await startGateway({
  providers: {
    one: { adapter: 'anthropic', baseUrl: one.url, accounts: [{ name: 'main', apiKey: one.apiKey }] },
    two: { adapter: 'anthropic', baseUrl: two.url, accounts: [{ name: 'main', apiKey: two.apiKey }] },
    openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] },
    gemini: { baseUrl: gemini.url, accounts: [{ name: 'main', apiKey: gemini.apiKey }] },
  },
  models: {
    smart: { targets: ['one/claude-haiku-4-5'] },
    safe: { targets: ['one/claude-haiku-4-5', 'two/claude-haiku-4-5'] },
    unlike: { targets: ['openai/gpt-4.1'] },
    thinking: { targets: ['gemini/gemini-2.5-flash'] },
  },
  tenants: { acme: tenant(KEYS.acme), other: tenant(KEYS.other) },
});
after(async () => {
  await gateway.stop();
  await Promise.all([one, two, openai, gemini].map((fake) => fake.close()));
});

const DROPPED = 'diagnostics.previous_message_id';
const clientOf = (who: Who) =>
  new Anthropic({ baseURL: gateway.url, apiKey: KEYS[who], maxRetries: 0 }).messages;

interface Asked {
  who?: Who;
  model?: string;
  stream?: boolean;
  messages?: Anthropic.MessageParam[];
}

/** Asks with the id of an answer before, or with none. */
async function ask(previous: string | null, { who = 'acme', model = 'smart', stream, messages }: Asked = {}) {
  const request = clientOf(who).create({
    model,
    max_tokens: 100,
    messages: messages ?? [{ role: 'user', content: 'say hi' }],
    diagnostics: { previous_message_id: previous },
    ...(stream && { stream }),
  } as Anthropic.MessageCreateParams);
  const { data, response } = await request.withResponse();
  const message = 'id' in data ? data : await startOf(data);
  return { message, dropped: response.headers.get('x-fairlead-dropped'), response };
}

async function startOf(events: AsyncIterable<Anthropic.RawMessageStreamEvent>): Promise<Anthropic.Message> {
  let message: Anthropic.Message | undefined;
  for await (const event of events) if (event.type === 'message_start') message = event.message;
  return message ?? assert.fail('no message began');
}

const sentTo = (fake: typeof one) =>
  JSON.parse(String(fake.requests.at(-1)?.rawBody)) as Anthropic.MessageCreateParams;

describe('a request that is compared with an earlier one', () => {
  for (const stream of [false, true]) {
    const how = stream ? 'streamed' : 'whole';
    test(`is compared with the tenant’s own: ${how}`, async () => {
      const first = await ask(null, { stream });
      assert.equal(first.dropped, null);
      const messages: Anthropic.MessageParam[] = [{ role: 'user', content: 'say something else' }];
      const second = await ask(first.message.id, { stream, messages });
      assert.equal(second.dropped, null);
      assert.deepEqual(second.message.diagnostics?.cache_miss_reason, {
        type: 'messages_changed',
        cache_missed_input_tokens: 1,
      });
    });

    test(`is not compared with another tenant’s, as with what nobody sent: ${how}`, async () => {
      const { message } = await ask(null, { stream });
      for (const id of [message.id, 'msg_01nobodys']) {
        const { dropped, response } = await ask(id, { who: 'other', stream });
        assert.equal(response.status, 200);
        assert.equal(dropped, DROPPED);
        assert.deepEqual(sentTo(one).diagnostics, { previous_message_id: null });
      }
    });
  }

  test('is not compared with what the gateway never saw', async () => {
    const direct = new Anthropic({ baseURL: one.url, apiKey: one.apiKey }).messages;
    const { id } = await direct.create({
      model: 'claude-haiku-4-5',
      max_tokens: 9,
      messages: [{ role: 'user', content: 'say hi' }],
      diagnostics: { previous_message_id: null },
    });
    assert.equal((await ask(id)).dropped, DROPPED);
  });

  test('cannot be hidden from the gateway', async () => {
    const { message } = await ask(null);
    const rest = '"model":"smart","max_tokens":9,"messages":[{"role":"user","content":"x"}]';
    const before = one.requests.length;
    for (const diagnostics of [
      `"diagn\\u006fstics":{"previous_message_id":"${message.id}"}`,
      `"DIAGNOSTICS":{"previous_message_id":"${message.id}"}`,
      `"diagnostics":{"previous_m\\u0065ssage_id":"${message.id}"}`,
      `"diagnostics":{"previous_message_id":null,"previous_message_id":"${message.id}"}`,
      `"diagnostics":null,"diagnostics":{"previous_message_id":"${message.id}"}`,
    ]) {
      const response = await fetch(`${gateway.url}/v1/messages`, {
        method: 'POST',
        headers: {
          'x-api-key': KEYS.other,
          'content-type': 'application/json',
          'anthropic-version': '2023-06-01',
        },
        body: `{${rest},${diagnostics}}`,
      });
      assert.equal(response.status, 400, diagnostics);
    }
    assert.equal(one.requests.length, before, 'the provider was asked');
  });

  test('does not stand in the way of another account when its provider fails', async () => {
    const { message } = await ask(null, { model: 'safe' });
    one.setBehaviour('fail 503', 10);
    const { dropped, response } = await ask(message.id, { model: 'safe' });
    one.setBehaviour(undefined);
    assert.equal(response.headers.get('x-fairlead-target'), 'two/claude-haiku-4-5');
    assert.equal(dropped, DROPPED);
    assert.deepEqual(sentTo(two).diagnostics, { previous_message_id: null });
  });

  test('is answered without the comparison while the store is away', async (context) => {
    const folder = makeTempDirectory(context);
    const config = {
      providers: {
        one: { adapter: 'anthropic', baseUrl: one.url, accounts: [{ name: 'main', apiKey: one.apiKey }] },
      },
    };
    const other = await startGateway(config, undefined, { folder });
    const client = new Anthropic({ baseURL: other.url, apiKey: TEST_KEY, maxRetries: 0 }).messages;
    const send = (previous: string | null) =>
      client
        .create({
          model: 'one/claude-haiku-4-5',
          max_tokens: 9,
          messages: [{ role: 'user', content: 'say hi' }],
          diagnostics: { previous_message_id: previous },
        })
        .withResponse();
    const { data } = await send(null);
    const database = new DatabaseSync(join(folder, 'fairlead.db'));
    database.exec('drop table upstream_objects');
    database.close();
    const { response } = await send(data.id);
    assert.equal(response.headers.get('x-fairlead-dropped'), DROPPED);
    await other.stop();
  });

  test('is answered by a provider that compares nothing, which is told', async () => {
    const { message } = await ask(null);
    assert.equal((await ask(message.id, { model: 'unlike' })).dropped, 'diagnostics');
  });

  test('is not compared with another tenant’s where reasoning is cleaned out of it', async () => {
    const tools = [{ name: 'weather', input_schema: { type: 'object' as const, properties: {} } }];
    const asked = { role: 'user' as const, content: 'think about it\ncall weather {}' };
    const { content } = await clientOf('acme').create({
      ...{ model: 'thinking', max_tokens: 2000, tools, messages: [asked] },
      thinking: { type: 'enabled', budget_tokens: 1024 },
    });
    const call = content.find((block) => block.type === 'tool_use') ?? assert.fail('no tool was called');
    const foreign = (await ask(null, { who: 'other' })).message.id;
    const { response } = await clientOf('acme')
      .create({
        ...{ model: 'smart', max_tokens: 2000, tools },
        messages: [
          asked,
          { role: 'assistant', content: [call] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: call.id, content: 'Sunny.' }] },
        ],
        diagnostics: { previous_message_id: foreign },
      })
      .withResponse();
    assert.match(response.headers.get('x-fairlead-dropped') ?? '', /diagnostics\.previous_message_id/);
    assert.deepEqual(sentTo(one).diagnostics, { previous_message_id: null });
  });
});
