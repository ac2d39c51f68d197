import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { withoutAccountIds } from '../../src/gateway/account-ids.ts';
import { startGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const MESSAGE =
  'Rate limit reached for gpt-4.1 in organization org-AbC123 on requests per min (RPM): Limit 3, Used 3. Please try again in 1s.';
const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
const SAID = 'It is of organization org-Said1. é';
const upstream = await startRawUpstream((response, body) => {
  if (body.includes('"stream":true')) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm' };
    const choices = [{ index: 0, delta: { content: SAID }, finish_reason: null }];
    response.write(event({ ...chunk, choices }));
    const failure = event({ error: { message: MESSAGE, type: 'requests' } });
    // Once the stream has begun; the second time with more of it.
    setTimeout(() => response.end(event({ ...chunk, choices }) + failure), 200);
    return;
  }
  response.writeHead(429, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({ error: { message: MESSAGE, type: 'requests', code: 'rate_limit_exceeded' } }),
  );
});
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: upstream.baseUrl, accounts: [{ name: 'a', apiKey: 'sk-upstream-secret-0123456789' }] },
  },
});
after(() => Promise.all([gateway.stop(), upstream.close()]));

const messages = [{ role: 'user', content: 'Hi' }];
for (const [path, body] of [
  ['/v1/chat/completions', { messages }],
  ['/v1/messages', { messages, max_tokens: 9 }],
  ['/v1/responses', { input: 'Hi' }],
  ['/v1/embeddings', { input: 'Hi' }],
] as const) {
  test(`a tenant is not told whose account it was, but all else: ${path}`, async () => {
    const answer = await gateway.post(path, { model: 'openai/gpt-4.1', ...body });
    const text = await answer.text();
    assert.equal(answer.status, 429, text);
    assert.doesNotMatch(text, /AbC123/);
    assert.match(text, /Rate limit reached for gpt-4\.1 in organization .* on requests per min/);
  });
}

test('nor in a stream that breaks off; what the model said stays', async () => {
  const body = { model: 'openai/gpt-4.1', messages, stream: true };
  const text = await (await gateway.post('/v1/chat/completions', body)).text();
  assert.ok(text.includes(SAID), text);
  assert.match(text, /Rate limit reached for gpt-4\.1 in organization \[redacted\] on/);
});

describe('what names the operator’s account', () => {
  for (const [said, id] of [
    [MESSAGE, 'org-AbC123'],
    ['Rate limit reached for model `x` in organization `org_01jabc` service tier `on_demand`', 'org_01jabc'],
    ['Project `proj_a1B2` does not have access to model `gpt-5`', 'proj_a1B2'],
    [
      'This would exceed the rate limit for your organization (6f9619ff-8b86-d011-b42d-00cf4fc964ff) of 50,000 tokens',
      '6f9619ff-8b86-d011-b42d-00cf4fc964ff',
    ],
    ["Quota exceeded for consumer 'project_number:123456789'.", '123456789'],
    ['Publisher Model `projects/acme-prod/locations/us/models/x` was not found.', 'acme-prod'],
    ['User: arn:aws:iam::123456789012:user/gateway is not authorized', '123456789012'],
  ] as const) {
    test(`is left out: ${said}`, () => {
      const told = withoutAccountIds(said);
      assert.ok(!told.includes(id), told);
      const [before = '', behind = ''] = said.split(id);
      assert.ok(told.startsWith(before) && told.endsWith(behind), told);
    });
  }

  for (const said of [
    "Invalid 'tools[0].function.name': 'org-chart' does not match the pattern.",
    'The project is over its limit. Ask your organization for more.',
    'No such file: file-abc123',
  ]) {
    test(`all else stays: ${said}`, () => assert.equal(withoutAccountIds(said), said));
  }
});
