import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const USER = { role: 'user', content: 'Hi' };

const DOORS = [
  {
    adapter: 'anthropic',
    path: '/v1/messages',
    body: { model: 'm', max_tokens: 9, messages: [USER] },
    answer: '{"type":"message","role":"assistant","content":[{"type":"text","text":"Hello"}],"usage":{}}',
  },
  {
    adapter: 'anthropic',
    path: '/v1/messages/count_tokens',
    body: { model: 'm', messages: [USER] },
    answer: '{"input_tokens":7}',
  },
  {
    adapter: 'gemini',
    path: '/v1beta/models/m:generateContent',
    body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
    answer: '{"candidates":[{"content":{"parts":[{"text":"Hello"}]},"finishReason":"STOP"}]}',
  },
  {
    adapter: 'gemini',
    path: '/v1beta/models/m:countTokens',
    body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
    answer: '{"totalTokens":7}',
  },
  {
    adapter: 'openai',
    path: '/v1/responses',
    body: { model: 'm', input: 'Hi' },
    answer: '{"id":"resp_1","object":"response","status":"completed","output":[],"error":null}',
  },
];

for (const { adapter, path, body, answer } of DOORS) {
  test(`${path}: what is no answer is followed by the next target`, async () => {
    const say = (text: string) =>
      startRawUpstream((response) => {
        response.setHeader('content-type', 'application/json');
        response.end(text);
      });
    const [poor, good] = [await say('{"message":"Internal error","code":500}'), await say(answer)];
    const providers = Object.fromEntries(
      Object.entries({ poor, good }).map(([name, { baseUrl }]) => [
        name,
        {
          adapter,
          baseUrl: adapter === 'openai' ? baseUrl : baseUrl.replace(/\/v1$/, ''),
          accounts: [{ name: 'main', apiKey: 'sk-key-of-the-provider' }],
        },
      ]),
    );
    const gateway = await startGateway({ providers, models: { m: { targets: ['poor/x', 'good/x'] } } });
    closing.push(poor.close, good.close, gateway.stop);
    const response = await gateway.post(path, body);
    assert.equal(await response.text(), answer);
    assert.equal(response.status, 200);
    const [record] = await gateway.calls();
    assert.deepEqual(
      record?.attempts.map(({ outcome }) => outcome),
      ['upstream_unavailable', 'ok'],
    );
  });
}
