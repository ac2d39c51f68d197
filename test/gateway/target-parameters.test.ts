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
    five: { targets: [{ target: 'openai/gpt-5.1', parameters }] },
    c: { targets: [{ target: 'anthropic/claude-opus-4-7', parameters: { ...parameters, topK: 5 } }] },
    t: { targets: [{ target: 'anthropic/claude-sonnet-4', parameters: { temperature: 1.5, topP: 0.5 } }] },
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

test('a default of one of two that a model takes does not take the place of the other, which the caller says', async () => {
  const told = JSON.parse(await ask('/v1/chat/completions', `{"model":"a",${CHAT},"top_p":0.5}`));
  assert.deepEqual([told.temperature, told.top_p, told.max_tokens], [undefined, 0.5, 77]);
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

/** What of their defaults models of the caller's own dialect refuse, always or beside what a call says. */
const REFUSED: [what: string, path: string, body: string, told: object, dropped: string | null][] = [
  [
    'a reasoning model takes no temperature',
    '/v1/chat/completions',
    `{"model":"r",${CHAT}}`,
    { max_completion_tokens: 77 },
    'temperature',
  ],
  [
    'nor at the responses door',
    '/v1/responses',
    '{"model":"r","input":"hi"}',
    { max_output_tokens: 77 },
    'temperature',
  ],
  [
    'a model that need not reason takes one',
    '/v1/chat/completions',
    `{"model":"five",${CHAT},"reasoning_effort":"none"}`,
    { max_completion_tokens: 77, temperature: 0.25, reasoning_effort: 'none' },
    null,
  ],
  [
    'and none when it reasons',
    '/v1/chat/completions',
    `{"model":"five",${CHAT},"reasoning_effort":"low"}`,
    { max_completion_tokens: 77, reasoning_effort: 'low' },
    'temperature',
  ],
  [
    'the same in the words of responses',
    '/v1/responses',
    '{"model":"five","input":"hi","reasoning":{"effort":"low"}}',
    { max_output_tokens: 77, reasoning: { effort: 'low' } },
    'temperature',
  ],
  ['OpenAI knows no top_k', '/v1/chat/completions', `{"model":"k",${CHAT}}`, {}, 'topK'],
  [
    'newer models of Claude take no sampling parameters',
    '/v1/messages',
    `{"model":"c","max_tokens":9,${CHAT}}`,
    { max_tokens: 9 },
    'temperature, topK',
  ],
  [
    'a model that takes one of two is told one, and none beside the caller’s',
    '/v1/messages',
    `{"model":"a","max_tokens":9,"top_p":0.5,${CHAT}}`,
    { max_tokens: 9, top_p: 0.5 },
    'temperature',
  ],
  [
    'Claude takes a temperature of up to 1',
    '/v1/messages',
    `{"model":"t","max_tokens":9,${CHAT}}`,
    { max_tokens: 9, temperature: 1, top_p: 0.5 },
    null,
  ],
  [
    'and less beside thinking',
    '/v1/messages',
    `{"model":"t","max_tokens":9000,"thinking":{"type":"enabled","budget_tokens":2000},${CHAT}}`,
    { max_tokens: 9000, thinking: { type: 'enabled', budget_tokens: 2000 }, temperature: 1 },
    'topP',
  ],
];

for (const [what, path, body, told, dropped] of REFUSED) {
  test(`${path}: ${what}`, async () => {
    sent.length = 0;
    const headers = { authorization: `Bearer ${TEST_KEY}`, 'content-type': 'application/json' };
    const response = await fetch(`${gateway.url}${path}`, { method: 'POST', headers, body });
    await response.text();
    const { model: _m, messages: _s, input: _i, ...rest } = JSON.parse(sent[0] ?? '{}');
    assert.deepEqual(rest, told);
    assert.equal(response.headers.get('x-fairlead-dropped'), dropped);
  });
}
