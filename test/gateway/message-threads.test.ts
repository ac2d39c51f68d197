import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { BetaMessageThreadParam } from '@anthropic-ai/sdk/resources/beta/messages';
import { THREADS_BETA } from '../support/anthropic/threads.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';

const [one, two, openai, gemini] = await Promise.all([
  startFakeAnthropic({ apiKey: 'key-of-account-one-00000' }),
  startFakeAnthropic({ apiKey: 'key-of-account-two-00000' }),
  startFakeOpenAi(),
  startFakeGemini(),
]);
const fakes = [one, two, openai, gemini];
const KEYS = {
  acme: TEST_KEY,
  /** May call the same models, but not all of the provider. */
  limited: 'sk-fl-limited-key-00000000000000000',
  all: 'sk-fl-key-of-another-tenant-0000000',
};
type Who = keyof typeof KEYS;
const tenant = (secret: string, models: string[]) => ({ models, keys: [{ name: 'app', secret }] });
const gateway = await startGateway({
  providers: {
    one: { adapter: 'anthropic', baseUrl: one.url, accounts: [{ name: 'main', apiKey: one.apiKey }] },
    two: { adapter: 'anthropic', baseUrl: two.url, accounts: [{ name: 'main', apiKey: two.apiKey }] },
    openai: { baseUrl: openai.url, accounts: [{ name: 'main', apiKey: openai.apiKey }] },
    gemini: { baseUrl: gemini.url, accounts: [{ name: 'main', apiKey: gemini.apiKey }] },
  },
  models: {
    smart: { targets: ['one/claude-haiku-4-5'] },
    other: { targets: ['two/claude-haiku-4-5'] },
    spread: { targets: ['one/claude-haiku-4-5', 'two/claude-haiku-4-5'], strategy: 'weighted' },
    safe: { targets: ['one/claude-haiku-4-5', 'openai/gpt-4.1'] },
    thinking: { targets: ['gemini/gemini-2.5-flash'] },
    unlike: { targets: ['openai/gpt-4.1', 'one/claude-haiku-4-5'] },
  },
  tenants: {
    acme: tenant(KEYS.acme, ['smart', 'other', 'spread', 'safe', 'unlike', 'thinking']),
    limited: tenant(KEYS.limited, ['smart', 'other', 'spread']),
    all: tenant(KEYS.all, ['*']),
  },
});
after(async () => {
  await gateway.stop();
  await Promise.all(fakes.map((fake) => fake.close()));
});

const clientOf = (who: Who) =>
  new Anthropic({ baseURL: gateway.url, apiKey: KEYS[who], maxRetries: 0 }).beta.messages;
const asked = () => fakes.reduce((sum, { requests }) => sum + requests.length, 0);
const ask = (who: Who, thread: BetaMessageThreadParam, model = 'smart') =>
  clientOf(who).create({
    model,
    max_tokens: 100,
    messages: [{ role: 'user', content: 'say hi' }],
    thread,
    betas: [THREADS_BETA],
  });
const goOn = (id: string): BetaMessageThreadParam => ({ type: 'continue', previous_message_id: id });

/** In the words for a thread that nobody has, which clients answer by sending all of it, and without asking a provider. */
async function assertNotFound(call: () => Promise<unknown>): Promise<void> {
  const before = asked();
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof Anthropic.ThreadNotFoundError, `${error}`);
    assert.deepEqual(error.details, { error_code: 'thread_not_found' });
    return true;
  });
  assert.equal(asked(), before, 'a provider was asked');
}

describe('a message thread', () => {
  for (const [how, send] of [
    ['whole', (client: Anthropic.Beta.Messages) => client.thread(PARAMS).send(SECRET)],
    ['streamed', (client: Anthropic.Beta.Messages) => client.thread(PARAMS).stream(SECRET).finalMessage()],
  ] as const) {
    test(`is its tenant’s, and no other’s: ${how}`, async () => {
      const { id } = await send(clientOf('acme'));
      await assertNotFound(() => ask('limited', goOn(id)));
      await assertNotFound(() => ask('all', goOn(id)));
      const own = await ask('acme', goOn(id));
      await assertNotFound(() => ask('limited', goOn(own.id)));
      await ask('acme', goOn(own.id));
    });
  }

  test('that was not made through the gateway is nobody’s, whatever may be called', async () => {
    const direct = new Anthropic({ baseURL: one.url, apiKey: one.apiKey }).beta.messages;
    const { id } = await direct.thread({ ...PARAMS, model: 'claude-haiku-4-5' }).send(SECRET);
    await assertNotFound(() => ask('all', goOn(id)));
    await assertNotFound(() => ask('acme', goOn(id)));
  });

  test('cannot be hidden from the gateway', async () => {
    const { id } = await clientOf('acme').thread(PARAMS).send(SECRET);
    const before = asked();
    const message = '"model":"smart","max_tokens":9,"messages":[{"role":"user","content":"x"}]';
    for (const thread of [
      `"thr\\u0065ad":{"type":"continue","previous_message_id":"${id}"}`,
      `"THREAD":{"type":"continue","previous_message_id":"${id}"}`,
      `"thread":{"type":"continue","previous_m\\u0065ssage_id":"${id}"}`,
      `"thread":{"type":"continue","previous_message_id":"msg_x","previous_message_id":"${id}"}`,
      `"thread":{"type":"create"},"thread":{"type":"continue","previous_message_id":"${id}"}`,
    ]) {
      const response = await fetch(`${gateway.url}/v1/messages`, {
        method: 'POST',
        headers: {
          'x-api-key': KEYS.limited,
          'content-type': 'application/json',
          'anthropic-version': '2023-06-01',
          'anthropic-beta': THREADS_BETA,
        },
        body: `{${message},${thread}}`,
      });
      assert.ok(response.status === 400 || response.status === 404, `${thread}: ${response.status}`);
    }
    assert.equal(asked(), before, 'a provider was asked');
  });

  test('stays at the account that holds it', async () => {
    const thread = clientOf('acme').thread({ ...PARAMS, model: 'spread' });
    const ids: (string | null)[] = [];
    const before = asked();
    for (let turn = 0; turn < 8; turn++) {
      ids.push(thread.previousMessageId);
      await thread.send({ role: 'user', content: `say ${turn}` });
    }
    assert.equal(asked() - before, 8, 'a thread was lost, and sent again');
    assert.equal(new Set(ids).size, 8);
  });

  test('is not found by a model that does not lead to its account: its client sends all of it', async () => {
    const { id } = await clientOf('acme').thread(PARAMS).send(SECRET);
    await assertNotFound(() => ask('acme', goOn(id), 'other'));
    const thread = clientOf('acme').thread(PARAMS);
    await thread.send({ role: 'user', content: 'say one' });
    await thread.send({ role: 'user', content: 'say two' }, { model: 'other' });
    assert.equal(two.requests.at(-1)?.status, 200);
    assert.match(String(two.requests.at(-1)?.rawBody), /say one.*say two.*"type":"create"/);
  });

  test('is made where the model leads to a provider that holds any', async () => {
    const { response } = await ask('acme', { type: 'create' }, 'unlike').withResponse();
    assert.equal(response.headers.get('x-fairlead-target'), 'one/claude-haiku-4-5');
  });

  for (const [when, turns] of [
    ['from the start', 0],
    ['once it is under way', 1],
  ] as const) {
    test(`does not stand in the way of another target when its provider fails ${when}`, async () => {
      const thread = clientOf('acme').thread({
        ...PARAMS,
        model: 'safe',
        unsupportedRequestBehavior: 'continue_unthreaded',
      });
      for (let turn = 0; turn < turns; turn++) await thread.send({ role: 'user', content: 'say one' });
      one.setBehaviour('fail 503', 10);
      const { content } = await thread.send({ role: 'user', content: 'say two' });
      one.setBehaviour(undefined);
      assert.deepEqual(content, [{ type: 'text', text: 'Echo: say two' }]);
      assert.equal(String(openai.requests.at(-1)?.rawBody).includes('say one'), turns > 0);
    });
  }

  for (const stream of [false, true]) {
    test(`that begins with another provider’s tool calls is gone on with, too, ${stream ? 'streamed' : 'whole'}`, async () => {
      const schema = { type: 'object' as const, properties: { city: { type: 'string' } } };
      const tools = [{ name: 'weather', input_schema: schema }];
      const asked = { role: 'user' as const, content: 'think about it\ncall weather {"city":"Ulm"}' };
      const client = clientOf('acme');
      const { content } = await client.create({
        ...{ model: 'thinking', max_tokens: 2000, tools, messages: [asked] },
        thinking: { type: 'enabled', budget_tokens: 1024 },
      });
      const call = content.find((block) => block.type === 'tool_use') ?? assert.fail('no tool was called');
      assert.ok(call.id.length > 60, 'the id carries nothing');
      const result = { type: 'tool_result' as const, tool_use_id: call.id, content: 'Sunny.' };
      const thread = client.thread({
        ...{ ...PARAMS, max_tokens: 2000, tools },
        messages: [asked, { role: 'assistant', content: [call] }, { role: 'user', content: [result] }],
      });
      const send = (text?: string) => {
        const turn = text === undefined ? undefined : { role: 'user' as const, content: text };
        return stream ? thread.stream(turn).finalMessage() : thread.send(turn);
      };
      await send();
      await send('say two');
      assert.match(String(one.requests.at(-1)?.rawBody), /"type":"continue"/);
      assert.doesNotMatch(String(one.requests.at(-1)?.rawBody), /Sunny/);
    });
  }

  test('is told of its provider’s failure where there is no other', async () => {
    const { id } = await ask('acme', { type: 'create' });
    one.setBehaviour('fail 529', 3);
    await assert.rejects(ask('acme', goOn(id)), { status: 529 });
    one.setBehaviour(undefined);
  });
});

const PARAMS = { model: 'smart', max_tokens: 100, system: 'A system secret.' };
const SECRET = { role: 'user' as const, content: 'say A-secret' };
