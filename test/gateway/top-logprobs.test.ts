import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startFakeGemini } from '../support/fake-gemini.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import type { FakeProvider } from '../support/fake-provider.ts';
import { startGateway } from '../support/gateway.ts';

const fakes = {
  openai: await startFakeOpenAi(),
  vllm: await startFakeOpenAi({ kin: 'vllm' }),
  gemini: await startFakeGemini(),
};
const providerOf = ({ url, apiKey }: FakeProvider) => ({ baseUrl: url, accounts: [{ name: 'a', apiKey }] });
const gateway = await startGateway({
  providers: Object.fromEntries(Object.entries(fakes).map(([name, fake]) => [name, providerOf(fake)])),
});
after(() => Promise.all([gateway.stop(), ...Object.values(fakes).map((fake) => fake.close())]));

const MODELS = { vllm: 'gpt-4.1', openai: 'gpt-4.1', gemini: 'gemini-2.0-flash' };
type Provider = keyof typeof MODELS;

async function ask(path: string, provider: Provider, body: JsonObject) {
  const model = `${provider}/${MODELS[provider]}`;
  const answer = await gateway.post(path.replace('MODEL', model), { model, ...body });
  assert.equal(answer.status, 200, await answer.text());
  const sent = fakes[provider].requests.at(-1)?.rawBody.toString() ?? '';
  return { sent, dropped: answer.headers.get('x-fairlead-dropped') };
}

describe('how many alternatives of probabilities that nobody asked for', () => {
  const input = { input: 'Hi', top_logprobs: 2 };

  for (const provider of ['vllm', 'gemini'] as const) {
    test(`is no error to a client of Responses, and is named: ${provider}`, async () => {
      const { sent, dropped } = await ask('/v1/responses', provider, input);
      assert.doesNotMatch(sent, /logprobs/i);
      assert.equal(dropped, 'top_logprobs');
    });

    test(`they go on with them: ${provider}`, async () => {
      const both = { ...input, include: ['message.output_text.logprobs'] };
      const { sent, dropped } = await ask('/v1/responses', provider, both);
      assert.match(sent, /"(top_)?logprobs":2/);
      assert.equal(dropped, null);
    });
  }

  test('is OpenAI’s to judge where it is asked itself', async () => {
    const { sent, dropped } = await ask('/v1/responses', 'openai', input);
    assert.match(sent, /"top_logprobs":2/);
    assert.equal(dropped, null);
  });

  for (const logprobs of [undefined, false]) {
    test(`is no other provider’s to refuse in words of its own: ${logprobs}`, async () => {
      const messages = [{ role: 'user', content: 'Hi' }];
      const asked = { messages, top_logprobs: 2, ...(logprobs === undefined ? {} : { logprobs }) };
      const { sent, dropped } = await ask('/v1/chat/completions', 'gemini', asked);
      assert.doesNotMatch(sent, /"logprobs"/);
      assert.equal(dropped, 'top_logprobs');
    });
  }

  test('the same of a client of Google’s', async () => {
    const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];
    const answer = await gateway.post('/v1beta/models/openai/gpt-4.1:generateContent', {
      contents,
      generationConfig: { logprobs: 2 },
    });
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(answer.headers.get('x-fairlead-dropped'), 'generationConfig.logprobs');
  });
});
