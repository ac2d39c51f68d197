import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startGateway } from '../support/gateway.ts';

const LLAMA = 'llama-3.3-70b-versatile';
const fakes = {
  openai: await startFakeOpenAi(),
  groq: await startFakeOpenAi({ kin: 'groq', models: [LLAMA] }),
  vllm: await startFakeOpenAi({ kin: 'vllm' }),
  cohere: await startFakeOpenAi({ kin: 'cohere' }),
};
const providerOf = ({ url, apiKey }: FakeProvider) => ({ baseUrl: url, accounts: [{ name: 'a', apiKey }] });
const gateway = await startGateway({
  providers: Object.fromEntries(Object.entries(fakes).map(([name, fake]) => [name, providerOf(fake)])),
});
after(() => Promise.all([gateway.stop(), ...Object.values(fakes).map((fake) => fake.close())]));

const DOORS: Record<string, [path: string, body: JsonObject]> = {
  messages: ['/v1/messages', { max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }] }],
  responses: ['/v1/responses', { input: 'Hi' }],
  chat: ['/v1/chat/completions', { messages: [{ role: 'user', content: 'Hi' }] }],
};

/** What a provider is sent for a tier that is asked for at a door, and what of it is told to the caller. */
async function ask(
  door: string,
  provider: keyof typeof fakes,
  model: string,
  tier: string,
): Promise<{ sent: unknown; dropped: string | null }> {
  const [path, body] = DOORS[door] ?? assert.fail(door);
  const answer = await gateway.post(path, { model: `${provider}/${model}`, service_tier: tier, ...body });
  assert.equal(answer.status, 200, await answer.text());
  const sent = fakes[provider].requests.at(-1)?.body;
  assert.ok(isObject(sent));
  return { sent: sent['service_tier'], dropped: answer.headers.get('x-fairlead-dropped') };
}

describe('Anthropic’s words for tiers become those of OpenAI', () => {
  for (const [provider, model] of [
    ['openai', 'gpt-4.1'],
    // By its Responses API.
    ['openai', 'o3-pro'],
    ['vllm', 'gpt-4.1'],
  ] as const) {
    test(`${provider}/${model}`, async () => {
      const standard = await ask('messages', provider, model, 'standard_only');
      assert.deepEqual(standard, { sent: 'default', dropped: null });
      assert.deepEqual(await ask('messages', provider, model, 'auto'), { sent: 'auto', dropped: null });
    });

    test(`a word that Anthropic has not is left out and named: ${provider}/${model}`, async () => {
      const other = await ask('messages', provider, model, 'batch');
      assert.deepEqual(other, { sent: undefined, dropped: 'service_tier' });
    });
  }

  test('are dropped where there are no tiers', async () => {
    const dropped = await ask('messages', 'cohere', 'gpt-4.1', 'standard_only');
    assert.deepEqual(dropped, { sent: undefined, dropped: 'service_tier' });
  });
});

describe('Groq has words of its own', () => {
  for (const [door, tier, sent] of [
    ['messages', 'standard_only', 'on_demand'],
    ['messages', 'auto', 'auto'],
    ['responses', 'default', 'on_demand'],
    ['chat', 'default', 'on_demand'],
    ['chat', 'flex', 'flex'],
    ['chat', 'performance', 'performance'],
    ['chat', 'on_demand', 'on_demand'],
  ] as const) {
    test(`${tier} of ${door} is ${sent}`, async () => {
      assert.deepEqual(await ask(door, 'groq', LLAMA, tier), { sent, dropped: null });
    });
  }

  for (const tier of ['priority', 'fast', 'scale']) {
    test(`and none for ${tier}, which is named`, async () => {
      for (const door of ['chat', 'responses']) {
        assert.deepEqual(await ask(door, 'groq', LLAMA, tier), { sent: undefined, dropped: 'service_tier' });
      }
    });
  }
});
