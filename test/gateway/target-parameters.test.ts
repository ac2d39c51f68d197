import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const POOR = 'sk-fl-key-of-poor-000000000000000';
const sent: string[] = [];
const upstream = await startRawUpstream((response, body) => {
  sent.push(body);
  response.statusCode = body.includes('"failing"') ? 500 : 400;
  response.setHeader('content-type', 'application/json');
  response.end('{"error":{"message":"seen","type":"invalid_request_error"}}');
});
const root = upstream.baseUrl.replace(/\/v1$/, '');
const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
const parameters = { temperature: 0.25, maxOutputTokens: 77 };
const gateway = await startGateway({
  providers: {
    openai: { baseUrl: upstream.baseUrl, accounts },
    anthropic: { baseUrl: root, accounts },
    gemini: { baseUrl: root, accounts },
  },
  models: {
    r: { targets: [{ target: 'openai/o3', parameters }] },
    k: { targets: [{ target: 'openai/gpt-4.1', parameters: { topK: 5 } }] },
    plain: { targets: ['openai/gpt-4.1'] },
    two: {
      retries: 1,
      targets: [
        { target: 'openai/failing', parameters: { temperature: 0.5 } },
        { target: 'anthropic/claude-sonnet-4-5', parameters },
      ],
    },
    o: { targets: [{ target: 'openai/gpt-4.1', parameters }] },
    a: { targets: [{ target: 'anthropic/claude-sonnet-4-5', parameters }] },
    g: { targets: [{ target: 'gemini/gemini-2.5-flash', parameters }] },
  },
  tenants: {
    poor: {
      models: ['*'],
      limits: { tokensPerMinute: 1_000 },
      keys: [{ name: 'app', secret: POOR }],
    },
    acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function ask(path: string, body: string, key = TEST_KEY): Promise<string> {
  sent.length = 0;
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  await (await fetch(`${gateway.url}${path}`, { method: 'POST', headers, body })).text();
  return sent[0] ?? '';
}

const CHAT = '"messages":[{"role":"user","content":"hi"}]';
const GEMINI = '"contents":[{"role":"user","parts":[{"text":"hi"}]}]';

const RELAYED = [
  [
    '/v1/chat/completions',
    `{"model":"o", ${CHAT},"own":1.0}`,
    `{"max_completion_tokens":77,"temperature":0.25,"model":"gpt-4.1", ${CHAT},"own":1.0}`,
  ],
  [
    '/v1/chat/completions',
    `{"model":"o",${CHAT},"max_tokens":5,"temperature":1}`,
    `{"model":"gpt-4.1",${CHAT},"max_tokens":5,"temperature":1}`,
  ],
  [
    '/v1/responses',
    '{"model":"o","input":"hi"}',
    '{"max_output_tokens":77,"temperature":0.25,"model":"gpt-4.1","input":"hi"}',
  ],
  [
    '/v1/messages',
    `{"model":"a","max_tokens":9,${CHAT}}`,
    `{"temperature":0.25,"model":"claude-sonnet-4-5","max_tokens":9,${CHAT}}`,
  ],
  [
    '/v1beta/models/g:generateContent',
    `{${GEMINI},"generationConfig":{"temperature": 1.0}}`,
    `{${GEMINI},"generationConfig":{"maxOutputTokens":77,"temperature": 1.0}}`,
  ],
  [
    '/v1beta/models/g:generateContent',
    `{${GEMINI}}`,
    `{"generationConfig":{"maxOutputTokens":77,"temperature":0.25},${GEMINI}}`,
  ],
] as const;

for (const [path, body, expected] of RELAYED) {
  test(`${path} relays ${body} with what it does not say itself`, async () => {
    assert.equal(await ask(path, body), expected);
  });
}

test('a translated call is told the same, in the words of its target', async () => {
  const toClaude = JSON.parse(await ask('/v1/chat/completions', `{"model":"a",${CHAT}}`));
  assert.deepEqual([toClaude.max_tokens, toClaude.temperature], [77, 0.25]);
  const said = JSON.parse(await ask('/v1/messages', `{"model":"g","max_tokens":9,${CHAT}}`));
  assert.deepEqual(said.generationConfig, { maxOutputTokens: 9, temperature: 0.25 });
});

test('the most tokens of the parameters bound what is set aside for a call that names no limit', async () => {
  assert.equal(await ask('/v1/chat/completions', `{"model":"plain",${CHAT}}`, POOR), '');
  assert.match(
    await ask('/v1/chat/completions', `{"model":"o",${CHAT}}`, POOR),
    /"max_completion_tokens":77/,
  );
});

test('after a failure the next target is told its own', async () => {
  const body = `{"model":"two",${CHAT}}`;
  await ask('/v1/chat/completions', body);
  const [first, second] = sent.map((text) => JSON.parse(text));
  assert.deepEqual([first.temperature, first.max_completion_tokens], [0.5, undefined]);
  assert.deepEqual([second.temperature, second.max_tokens], [0.25, 77]);
});

test('a translated call to a model that takes no temperature is not told the default of one', async () => {
  const told = JSON.parse(await ask('/v1/messages', `{"model":"r","max_tokens":9,${CHAT}}`));
  assert.equal(told.temperature, undefined);
});

test('what the target has no word for is named', async () => {
  const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
  const body = '{"model":"k","input":"hi"}';
  const response = await fetch(`${gateway.url}/v1/responses`, { method: 'POST', headers, body });
  await response.text();
  assert.equal(response.headers.get('x-fairlead-dropped'), 'topK');
});
