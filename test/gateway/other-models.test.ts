import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const POOR = 'sk-fl-key-of-poor-000000000000000';
const MILLION = 1_000_000;
const [OPUS, HAIKU] = ['claude-opus-4-8', 'claude-haiku-4-5'];

/** A gateway whose upstream answers each request with these fields beside what every answer has, whole or streamed. */
async function setUp(fields: object, config: { prices?: object; usd?: number } = {}) {
  const upstream = await startRawUpstream((response, body, { url = '' }) =>
    answer(response, { url, asked: JSON.parse(body), fields }),
  );
  const root = upstream.baseUrl.replace(/\/v1$/, '');
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const gateway = await startGateway({
    providers: {
      openai: { baseUrl: upstream.baseUrl, accounts },
      openrouter: { baseUrl: upstream.baseUrl, accounts },
      anthropic: { baseUrl: root, accounts },
    },
    ...(config.prices && { prices: config.prices }),
    tenants: {
      acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
      poor: {
        models: ['*'],
        limits: { budgets: [{ usd: config.usd ?? 1, per: 'month' }] },
        keys: [{ name: 'app', secret: POOR }],
      },
    },
  });
  closing.push(upstream.close, gateway.stop);
  return { upstream, gateway };
}

interface Exchange {
  url: IncomingMessage['url'];
  asked: { model: string; stream?: boolean };
  fields: object;
}

function answer(response: ServerResponse, { url = '', asked, fields }: Exchange): void {
  const make = url.includes('messages') ? message : url.includes('responses') ? modelResponse : completion;
  const whole = { ...make(asked.model), ...fields };
  response.setHeader('content-type', asked.stream ? 'text/event-stream' : 'application/json');
  response.end(asked.stream ? streamOf(whole) : JSON.stringify(whole));
}

function message(model: string) {
  return {
    ...{ id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null },
    ...{ content: [{ type: 'text', text: 'x' }], stop_reason: 'end_turn' },
    usage: { input_tokens: 100, output_tokens: 10 },
  };
}

function modelResponse(model: string) {
  const usage = { input_tokens: 100, output_tokens: 10, total_tokens: 110 };
  return { id: 'resp_1', object: 'response', status: 'completed', model, output: [], usage };
}

function completion(model: string) {
  const choices = [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }];
  const usage = { prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 };
  return { id: 'c', object: 'chat.completion', created: 1, model, choices, usage };
}

function streamOf(whole: Record<string, unknown>): string {
  const { usage, choices, ...head } = whole;
  if (head['type'] === 'message') {
    const start = { ...head, content: [], stop_reason: null, usage: { input_tokens: 100, output_tokens: 1 } };
    return [
      { type: 'message_start', message: start },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage },
      { type: 'message_stop' },
    ]
      .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      .join('');
  }
  if (head['object'] === 'response') {
    const events = [
      { type: 'response.created', response: { ...head, status: 'in_progress', usage: null } },
      { type: 'response.completed', response: whole },
    ];
    return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
  }
  const said = { index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: 'stop' };
  const chunk = { ...head, object: 'chat.completion.chunk' };
  const chunks = [
    { ...chunk, choices: [said] },
    { ...chunk, choices: [], usage },
  ];
  return `${chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')}data: [DONE]\n\n`;
}

const hi = [{ role: 'user', content: 'Hi' }];
const asPoor = { headers: { 'x-api-key': POOR, authorization: `Bearer ${POOR}` } };

const advised = {
  usage: {
    ...{ input_tokens: 100, output_tokens: 10 },
    iterations: [
      { type: 'message', input_tokens: 100, output_tokens: 10 },
      { type: 'advisor_message', model: OPUS, input_tokens: MILLION, output_tokens: 50_000 },
    ],
  },
};
const advisor = { type: 'advisor_20260301', name: 'advisor', model: OPUS };
const askHaiku = { model: `anthropic/${HAIKU}`, max_tokens: 10, messages: hi };

for (const stream of [false, true]) {
  for (const path of ['/v1/messages', '/v1/chat/completions']) {
    test(`what an advisor used is paid at its price: ${path}, ${stream ? 'a stream' : 'a whole answer'}`, async () => {
      const { gateway } = await setUp(advised);
      const tools = path === '/v1/messages' ? { tools: [advisor] } : {};
      await (await gateway.post(path, { ...askHaiku, ...tools, stream })).text();
      const [call] = await gateway.calls(1);
      assert.equal(call?.usage?.input, MILLION + 100);
      assert.equal(call?.usage?.output, 50_010);
      // Haiku's 1 and 5, Opus's 5 and 25 dollars a million.
      assert.equal(call?.costMicroUsd, 100 + 50 + 5 * MILLION + 1.25 * MILLION);
      assert.equal(call?.attempts[0]?.costMicroUsd, call?.costMicroUsd, 'and is not priced anew');
    });
  }
}

test('an advisor without a price makes the cost unknown', async () => {
  const iterations = [{ type: 'advisor_message', model: 'nobody-knows', input_tokens: 7, output_tokens: 1 }];
  const { gateway } = await setUp({ usage: { input_tokens: 100, output_tokens: 10, iterations } });
  await (await gateway.post('/v1/messages', { ...askHaiku, tools: [advisor] })).text();
  const [call] = await gateway.calls(1);
  assert.equal(call?.usage?.input, 107);
  assert.equal(call?.costMicroUsd, null);
});

test('money is reserved for an advisor, at its price and as often as it may be asked', async () => {
  const { gateway, upstream } = await setUp(advised, { usd: 0.2 });
  const ask = (bounds: object) =>
    gateway.post('/v1/messages', { ...askHaiku, tools: [{ ...advisor, ...bounds }] }, asPoor);
  // 25 dollars a million times 4,096 tokens are a tenth of a dollar, twice which is too much.
  const often = await ask({ max_uses: 2 });
  assert.equal(often.status, 402, await often.text());
  const wordy = await ask({ max_tokens: 9000 });
  assert.equal(wordy.status, 402, await wordy.text());
  assert.equal(upstream.requests.length, 0);
  const first = await ask({});
  assert.equal(first.status, 200, await first.text());
  const second = await ask({});
  assert.equal(second.status, 402, 'what the first really used is counted');
  await second.text();
});

test('a model in a tool whose price is not known is refused to whom money is limited, and to nobody else', async () => {
  const { gateway, upstream } = await setUp(advised);
  const tools = [{ ...advisor, model: 'nobody-knows' }];
  const refused = await gateway.post('/v1/messages', { ...askHaiku, tools }, asPoor);
  const { error } = (await refused.json()) as { error: Record<string, string> };
  assert.equal(refused.status, 400);
  assert.match(error['message'] ?? '', /'tools\[0\]\.model' has the model 'nobody-knows' used/);
  assert.equal(upstream.requests.length, 0);
  const free = await gateway.post('/v1/messages', { ...askHaiku, tools });
  assert.equal(free.status, 200, await free.text());
});

const drawn = {
  tools: [{ type: 'image_generation', model: 'gpt-image-1' }],
  tool_usage: {
    image_gen: {
      ...{ input_tokens: 1000, input_tokens_details: { image_tokens: 0, text_tokens: 1000 } },
      ...{ output_tokens: MILLION, total_tokens: MILLION + 1000 },
    },
  },
};
const draw = { model: 'openai/gpt-5', input: 'Draw', store: false, max_output_tokens: 100 };
/** An item of the input that adds tools. */
const added = (tools: object[]) => ({ type: 'additional_tools', role: 'developer', tools });
const imageTool = { type: 'image_generation', model: 'gpt-image-1' };

for (const [size, output] of [
  ['a small answer', []],
  ['a large one', [{ type: 'image_generation_call', id: 'ig_1', result: 'A'.repeat(100_000) }]],
] as const) {
  for (const stream of [false, true]) {
    test(`tokens of images that a tool drew are recorded, and make the cost unknown: ${size}, stream: ${stream}`, async () => {
      const { gateway } = await setUp({ ...drawn, output });
      await (await gateway.post('/v1/responses', { ...draw, tools: [imageTool], stream })).text();
      const [call] = await gateway.calls(1);
      assert.equal(call?.usage?.input, 1100);
      assert.equal(call?.usage?.output, MILLION + 10);
      assert.equal(call?.costMicroUsd, null);
    });
  }
}

test('images cost what the config says of their model', async () => {
  const prices = { 'openai/gpt-image-1': { input: 10, output: 40 } };
  const { gateway } = await setUp(drawn, { prices, usd: 1 });
  const first = await gateway.post('/v1/responses', { ...draw, tools: [imageTool] }, asPoor);
  assert.equal(first.status, 200, await first.text());
  const [call] = await gateway.calls(1);
  assert.equal(call?.costMicroUsd, 100 * 1.25 + 10 * 10 + 1000 * 10 + 40 * MILLION);
  const second = await gateway.post('/v1/responses', { ...draw, tools: [imageTool] }, asPoor);
  assert.equal(second.status, 402, await second.text());
});

test('a tool that draws is refused to whom money is limited, unless the price of its model is set', async () => {
  const { gateway, upstream } = await setUp(drawn);
  for (const tool of [imageTool, { type: 'image_generation' }]) {
    for (const [asked, path] of [
      [{ tools: [tool] }, 'tools[0]'],
      [{ input: [{ role: 'user', content: 'Draw' }, added([tool])] }, 'input[1].tools[0]'],
    ] as const) {
      const refused = await gateway.post('/v1/responses', { ...draw, ...asked }, asPoor);
      const { error } = (await refused.json()) as { error: Record<string, string> };
      assert.equal(refused.status, 400);
      assert.deepEqual([error['param'], error['code']], [path, 'model_without_price']);
    }
  }
  assert.equal(upstream.requests.length, 0);
});

test('no spelling hides a model from who limits money', async () => {
  const { gateway, upstream } = await setUp(drawn);
  const message = JSON.stringify({ ...askHaiku, tools: [advisor] });
  const response = JSON.stringify({ ...draw, tools: [imageTool] });
  const later = JSON.stringify({ ...draw, input: [added([imageTool])] });
  for (const [path, body] of [
    ['/v1/messages', message.replace('"model":"claude-opus', '"mod\\u0065l":"claude-opus')],
    ['/v1/messages', message.replace('"name":"advisor"', '"name":"advisor","model":"claude-haiku-4-5"')],
    ['/v1/responses', response.replace('"image_generation"', '"image_gener\\u0061tion"')],
    ['/v1/responses', later.replace('"additional_tools"', '"addition\\u0061l_tools"')],
    [
      '/v1/responses',
      later.replace('"type":"image_generation"', '"type":"function","type":"image_generation"'),
    ],
    ['/v1/responses', response.replace('"image_generation"', '"image_generation","type":"function"')],
  ] as const) {
    const refused = await gateway.post(path, body, asPoor);
    assert.equal(refused.status, 400, `${body}\n${await refused.text()}`);
  }
  assert.equal(upstream.requests.length, 0);
});

test('a budget counts what nobody can price at the price of the model that was called, at least', async () => {
  // The tool is one of a stored prompt: nothing of the request tells.
  const { gateway } = await setUp(drawn, { usd: 5 });
  const first = await gateway.post('/v1/responses', draw, asPoor);
  assert.equal(first.status, 200, await first.text());
  const second = await gateway.post('/v1/responses', draw, asPoor);
  assert.equal(second.status, 402, await second.text());
});

const [askRouter, ask4] = [
  { model: 'openrouter/openai/gpt-4.1-mini', max_tokens: 10, messages: hi },
  { model: 'openai/gpt-4.1', max_tokens: 10, messages: hi },
];
const million = { input_tokens: MILLION, output_tokens: MILLION };
const chatMillion = { prompt_tokens: MILLION, completion_tokens: MILLION, total_tokens: 2 * MILLION };
const fellBack = [
  { type: 'message', model: HAIKU, input_tokens: 90, output_tokens: 0 },
  { type: 'fallback_message', model: OPUS, ...million },
];

for (const [what, door, asked, fields, usd] of [
  [
    'says so',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: OPUS }] },
    { model: OPUS, usage: million },
    30,
  ],
  [
    'says so among its iterations',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: OPUS }] },
    { usage: { ...million, iterations: fellBack } },
    30,
  ],
  [
    'followed one that had begun to answer',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: OPUS }] },
    { usage: { ...million, iterations: [{ ...fellBack[0], ...million }, fellBack[1]] } },
    36,
  ],
  [
    'answers fast',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: OPUS, speed: 'fast' }] },
    { model: OPUS, usage: { ...million, speed: 'fast' } },
    60,
  ],
  [
    'is the one that was called, with its version',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: OPUS }] },
    { model: `${HAIKU}-20251001`, usage: million },
    6,
  ],
  [
    'is one of a list',
    '/v1/chat/completions',
    { ...ask4, models: ['gpt-4.1-mini'] },
    { model: 'gpt-4.1-mini-2025-04-14', usage: chatMillion },
    2,
  ],
  [
    'is one that nobody has a price of',
    '/v1/chat/completions',
    { ...ask4, models: ['nobody-knows'] },
    { model: 'nobody-knows', usage: chatMillion },
    null,
  ],
  [
    'was not looked for, as no other was named',
    '/v1/chat/completions',
    ask4,
    { model: 'a-name-of-its-own', usage: chatMillion },
    10,
  ],
] as const) {
  for (const stream of [false, true]) {
    test(`the model that answered is paid: it ${what}, stream: ${stream}`, async () => {
      const { gateway } = await setUp(fields);
      const answered = await gateway.post(door, { ...asked, stream });
      assert.equal(answered.status, 200, await answered.text());
      const [call] = await gateway.calls(1);
      assert.equal(call?.costMicroUsd, usd === null ? null : usd * MILLION);
    });
  }
}

for (const stream of [false, true]) {
  test(`what OpenRouter says that a call cost is its cost, stream: ${stream}`, async () => {
    const said = (usage: object) => setUp({ usage: { ...chatMillion, ...usage } });
    for (const [usage, usd] of [
      [{ cost: 0.5 }, 0.5],
      [{ cost: 0.05, is_byok: true, cost_details: { upstream_inference_cost: 1 } }, 1.05],
      [{ cost: 0.05, is_byok: true }, 2],
      [{ cost: -1 }, 2],
      [{}, 2],
    ] as const) {
      const { gateway } = await said(usage);
      await (await gateway.post('/v1/chat/completions', { ...askRouter, stream })).text();
      const [call] = await gateway.calls(1);
      assert.equal(call?.costMicroUsd, usd * MILLION, JSON.stringify(usage));
      assert.equal(call?.usage?.input, MILLION);
    }
  });
}

test("nobody else's word for the cost is taken, nor OpenRouter's where the config has a price", async () => {
  const prices = { 'openrouter/*': { input: 7, output: 7 } };
  const { gateway } = await setUp({ usage: { ...chatMillion, cost: 0.5 } }, { prices });
  for (const asked of [ask4, askRouter]) await (await gateway.post('/v1/chat/completions', asked)).text();
  const [router, openai] = await gateway.calls(2);
  assert.equal(openai?.costMicroUsd, 10 * MILLION);
  assert.equal(router?.costMicroUsd, 14 * MILLION);
});

for (const [what, door, asked, usd, status] of [
  ['one', '/v1/messages', { fallbacks: [{ model: OPUS }] }, 0.04, 200],
  ['one that may say more', '/v1/messages', { fallbacks: [{ model: OPUS, max_tokens: 2000 }] }, 0.04, 402],
  ['one that is fast', '/v1/messages', { fallbacks: [{ model: OPUS, speed: 'fast' }] }, 0.04, 402],
  ['two', '/v1/messages', { fallbacks: [{ model: OPUS }, { model: OPUS }] }, 0.04, 402],
  ['a list', '/v1/chat/completions', { models: [OPUS, HAIKU] }, 0.04, 200],
] as const) {
  test(`money is reserved for models that may answer instead: ${what}`, async () => {
    const prices = {
      [`anthropic/${OPUS}`]: { input: 0, output: 30, tiers: { fast: 2 } },
      [`openrouter/${OPUS}`]: { input: 0, output: 30 },
      '*/*': { input: 0, output: 1 },
    };
    const { gateway } = await setUp({}, { prices, usd });
    const model = door === '/v1/messages' ? `anthropic/${HAIKU}` : 'openrouter/m';
    const answered = await gateway.post(door, { model, max_tokens: 1000, messages: hi, ...asked }, asPoor);
    assert.equal(answered.status, status, await answered.text());
  });
}

for (const [what, door, asked, param, code] of [
  [
    'a model',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: 'nobody-knows' }] },
    'fallbacks[0]',
    'model_without_price',
  ],
  [
    'a tier of one',
    '/v1/messages',
    { ...askHaiku, fallbacks: [{ model: 'claude-haiku-4-5', speed: 'fast' }] },
    'fallbacks[0].speed',
    'tier_without_price',
  ],
  [
    'one of a list',
    '/v1/chat/completions',
    { ...ask4, models: ['gpt-5', 'x'] },
    'models[1]',
    'model_without_price',
  ],
] as const) {
  test(`what may answer and has no price is refused to whom money is limited: ${what}`, async () => {
    const { gateway, upstream } = await setUp({});
    const refused = await gateway.post(door, asked, asPoor);
    const { error } = (await refused.json()) as { error: Record<string, string> };
    assert.equal(refused.status, 400);
    assert.match(error['message'] ?? '', new RegExp(`^'${param.replaceAll(/[[\].]/g, '\\$&')}'`));
    if (door !== '/v1/messages') assert.deepEqual([error['param'], error['code']], [param, code]);
    assert.equal(upstream.requests.length, 0);
    const free = await gateway.post(door, asked);
    assert.equal(free.status, 200, await free.text());
  });
}
