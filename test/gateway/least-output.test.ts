import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { isObject, type JsonObject } from '../../src/conversation/json.ts';
import { startFakeOpenAi } from '../support/fake-openai.ts';
import { startGateway } from '../support/gateway.ts';

const openai = await startFakeOpenAi();
const gateway = await startGateway({
  providers: { openai: { baseUrl: openai.url, accounts: [{ name: 'a', apiKey: openai.apiKey }] } },
});
after(() => Promise.all([gateway.stop(), openai.close()]));

const model = 'openai/o3-pro';
const messages = [{ role: 'user', content: 'Hi' }];
const contents = [{ role: 'user', parts: [{ text: 'Hi' }] }];

/** Short answers of a model that only the Responses API serves, which wants to write 16 tokens at least. */
const ASKED: [path: string, body: JsonObject, told: string][] = [
  ['/v1/messages', { model, messages, max_tokens: 1 }, 'max_tokens=16'],
  ['/v1/chat/completions', { model, messages, max_tokens: 10 }, 'max_tokens=16'],
  ['/v1/chat/completions', { model, messages, max_completion_tokens: 15 }, 'max_completion_tokens=16'],
  ['/v1/completions', { model, prompt: 'Hi', max_tokens: 5 }, 'max_tokens=16'],
  [
    `/v1beta/models/${model}:generateContent`,
    { contents, generationConfig: { maxOutputTokens: 10 } },
    'generationConfig.maxOutputTokens=16',
  ],
];

for (const [path, body, told] of ASKED) {
  test(`${path} is answered, and told ${told}`, async () => {
    const answer = await gateway.post(path, body);
    assert.equal(answer.status, 200, await answer.text());
    assert.equal(answer.headers.get('x-fairlead-dropped'), told);
    const sent = openai.requests.at(-1)?.body;
    assert.equal(isObject(sent) && sent['max_output_tokens'], 16);
  });
}

test('a client of the Responses API is told by OpenAI', async () => {
  const answer = await gateway.post('/v1/responses', { model, input: 'Hi', max_output_tokens: 10 });
  assert.equal(answer.status, 400);
  assert.match(await answer.text(), /max_output_tokens/);
});
