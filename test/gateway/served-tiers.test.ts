import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { ADMIN_KEY, startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const POOR = 'sk-fl-key-of-poor-000000000000000';
const MILLION = 1_000_000;

type Answer = (response: ServerResponse, body: string, request: IncomingMessage) => unknown;

async function setUp(answer: Answer = serve, config: { prices?: object; usd?: number } = {}) {
  const upstream = await startRawUpstream(answer);
  const root = upstream.baseUrl.replace(/\/v1$/, '');
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const gateway = await startGateway({
    providers: {
      openai: { baseUrl: upstream.baseUrl, accounts },
      anthropic: { baseUrl: root, accounts },
      gemini: { baseUrl: root, accounts },
      // The same models, which no list has a price of.
      up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
    },
    models: { both: { targets: ['up/broken', 'openai/gpt-5'] } },
    ...(config.prices && { prices: config.prices }),
    tenants: {
      acme: { models: ['*'], keys: [{ name: 'app', secret: TEST_KEY }] },
      poor: {
        models: ['*'],
        limits: { budgets: [{ usd: config.usd ?? 100, per: 'month' }] },
        keys: [{ name: 'app', secret: POOR }],
      },
    },
  });
  closing.push(upstream.close, gateway.stop);
  return { upstream, gateway };
}

/** A provider that serves each call in the tier that it asks for, and counts a million tokens each way. */
function serve(response: ServerResponse, body: string, { url = '' }: IncomingMessage): void {
  const asked = JSON.parse(body);
  const isStream = asked.stream === true || url.includes('stream');
  response.setHeader('content-type', isStream ? 'text/event-stream' : 'application/json');
  response.end(isStream ? streamOf(url, asked) : JSON.stringify(answerOf(url, asked)));
}

const chatUsage = { prompt_tokens: MILLION, completion_tokens: MILLION, total_tokens: 2 * MILLION };

function answerOf(url: string, asked: Record<string, string>): object {
  const { model = 'm', service_tier: tier = 'default' } = asked;
  if (url.includes('messages')) return messageOf(asked);
  if (url.includes('responses')) {
    const usage = { input_tokens: MILLION, output_tokens: MILLION, total_tokens: 2 * MILLION };
    return {
      id: 'resp_1',
      object: 'response',
      status: 'completed',
      model,
      service_tier: tier,
      output: [],
      usage,
    };
  }
  if (url.includes('enerateContent')) {
    const usageMetadata = {
      promptTokenCount: MILLION,
      candidatesTokenCount: MILLION,
      serviceTier: asked['serviceTier'] ?? 'standard',
    };
    const content = { role: 'model', parts: [{ text: 'x' }] };
    return { candidates: [{ index: 0, content, finishReason: 'STOP' }], usageMetadata };
  }
  const choices = [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }];
  return {
    id: 'c',
    object: 'chat.completion',
    created: 1,
    model,
    service_tier: tier,
    choices,
    usage: chatUsage,
  };
}

function messageOf({ model = 'm', speed = 'standard', inference_geo = 'global' }: Record<string, string>) {
  const usage = {
    input_tokens: MILLION,
    output_tokens: MILLION,
    service_tier: 'standard',
    speed,
    inference_geo,
  };
  return {
    ...{ id: 'msg_1', type: 'message', role: 'assistant', model, stop_sequence: null },
    ...{ content: [{ type: 'text', text: 'x' }], stop_reason: 'end_turn', usage },
  };
}

function streamOf(url: string, asked: Record<string, string>): string {
  const { model = 'm', service_tier: tier = 'default' } = asked;
  if (url.includes('messages')) {
    const { usage, ...message } = messageOf(asked);
    const start = { ...message, content: [], stop_reason: null, usage: { ...usage, output_tokens: 1 } };
    return [
      { type: 'message_start', message: start },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'x' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: MILLION } },
      { type: 'message_stop' },
    ]
      .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      .join('');
  }
  if (url.includes('responses')) {
    const response = answerOf(url, asked);
    const events = [
      { type: 'response.created', response: { ...response, status: 'in_progress', usage: null } },
      { type: 'response.completed', response },
    ];
    return events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('');
  }
  if (url.includes('enerateContent')) return `data: ${JSON.stringify(answerOf(url, asked))}\n\n`;
  const head = { id: 'c', object: 'chat.completion.chunk', created: 1, model, service_tier: tier };
  const choice = { index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: 'stop' };
  const chunks = [
    { ...head, choices: [choice] },
    { ...head, choices: [], usage: chatUsage },
  ];
  return `${chunks.map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`;
}

const hi = [{ role: 'user', content: 'Hi' }];
const DOORS = {
  chat: { path: '/v1/chat/completions', body: { messages: hi, max_tokens: 10 } },
  responses: { path: '/v1/responses', body: { input: 'Hi', store: false, max_output_tokens: 10 } },
  messages: { path: '/v1/messages', body: { messages: hi, max_tokens: 10 } },
};
const gemini = (model: string, stream: boolean) =>
  `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`;

const OPUS = 'anthropic/claude-opus-4-6';
const CASES: [
  door: keyof typeof DOORS,
  model: string,
  asked: object,
  tier: string | undefined,
  usd: number | null,
][] = [
  ['messages', OPUS, {}, undefined, 30],
  ['messages', OPUS, { speed: 'fast' }, 'fast', 180],
  ['messages', OPUS, { inference_geo: 'us' }, 'us', 33],
  ['messages', OPUS, { speed: 'fast', inference_geo: 'us' }, 'fast+us', 198],
  ['chat', OPUS, { service_tier: 'priority' }, undefined, 30],
  ['chat', 'openai/gpt-5', {}, undefined, 11.25],
  ['chat', 'openai/gpt-5', { service_tier: 'priority' }, 'priority', 22.5],
  ['chat', 'openai/gpt-5', { service_tier: 'flex' }, 'flex', 5.625],
  ['chat', 'openai/gpt-5', { service_tier: 'scale' }, 'scale', null],
  ['responses', 'openai/gpt-5', { service_tier: 'priority' }, 'priority', 22.5],
  ['responses', 'up/m', { service_tier: 'flex' }, 'flex', null],
  ['messages', 'openai/gpt-5', { speed: 'fast' }, undefined, 11.25],
];

for (const stream of [false, true]) {
  test(`calls are recorded with the tier that they were served in, at its price: ${stream ? 'streams' : 'whole answers'}`, async () => {
    const { gateway } = await setUp();
    for (const [door, model, asked, ,] of CASES) {
      const { path, body } = DOORS[door];
      const answer = await gateway.post(path, { ...body, model, stream, ...asked });
      assert.equal(answer.status, 200, await answer.text());
    }
    const body = { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }], serviceTier: 'flex' };
    await (await gateway.post(gemini('gemini%2Fgemini-2.5-flash', stream), body)).text();
    const calls = (await gateway.calls(CASES.length + 1)).reverse();
    for (const [index, [door, model, asked, tier, usd]] of CASES.entries()) {
      const { usage, costMicroUsd } = calls[index] ?? {};
      assert.equal(usage?.tier, tier, `${door} ${model} ${JSON.stringify(asked)}`);
      assert.equal(
        costMicroUsd,
        usd === null ? null : usd * MILLION,
        `${door} ${model} ${JSON.stringify(asked)}`,
      );
    }
    assert.equal(calls.at(-1)?.usage?.tier, 'flex');
    assert.equal(calls.at(-1)?.costMicroUsd, 1.4 * MILLION);
  });
}

test('exports show the tier', async () => {
  const { gateway } = await setUp();
  const { path, body } = DOORS.messages;
  await (await gateway.post(path, { ...body, model: OPUS, speed: 'fast' })).text();
  await gateway.calls(1);
  const csv = await (await gateway.get('/admin/v1/calls?format=csv', ADMIN_KEY)).text();
  const [titles = '', row = ''] = csv.split('\r\n');
  assert.equal(row.split(',')[titles.split(',').indexOf('tier')], 'fast');
  const ndjson = await (await gateway.get('/admin/v1/calls?format=ndjson', ADMIN_KEY)).text();
  assert.equal(JSON.parse(ndjson).usage.tier, 'fast');
});

test('what nobody counted is taken to be of the tier that was asked for', async () => {
  const { gateway } = await setUp((response, body, request) => {
    if (!request.url?.includes('chat')) return serve(response, body, request);
    response.setHeader('content-type', 'application/json');
    const choices = [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }];
    response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'gpt-5', choices }));
  });
  const { path, body } = DOORS.chat;
  const words = [{ role: 'user', content: 'word '.repeat(1000) }];
  for (const asked of [{}, { service_tier: 'priority' }]) {
    await (await gateway.post(path, { ...body, messages: words, model: 'openai/gpt-5', ...asked })).text();
  }
  const [priority, standard] = await gateway.calls(2);
  assert.equal(priority?.usage?.estimated, true);
  assert.equal(priority?.usage?.tier, 'priority');
  assert.equal(standard?.usage?.tier, undefined);
  assert.equal(priority?.costMicroUsd, 2 * (standard?.costMicroUsd ?? Number.NaN));
});

test('a client that leaves a stream pays the tier that it asked for', async () => {
  const { gateway } = await setUp((response) => {
    response.setHeader('content-type', 'text/event-stream');
    const choice = { index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: null };
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [choice] };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  });
  const { path, body } = DOORS.chat;
  const leave = new AbortController();
  const asked = { ...body, model: 'openai/gpt-5', stream: true, service_tier: 'priority' };
  const answer = await gateway.post(path, asked, { signal: leave.signal });
  await answer.body?.getReader().read();
  leave.abort();
  const [call] = await gateway.calls(1);
  assert.equal(call?.status, 499);
  assert.equal(call?.usage?.tier, 'priority');
});

/** Up to a thousand tokens come of it, as far as it can be known before. */
const poorly = (asked: object) => ({ ...asked, max_tokens: 1000, messages: hi });
const asPoor = { headers: { 'x-api-key': POOR, authorization: `Bearer ${POOR}` } };

for (const [tier, status] of [
  ['priority', 402],
  ['auto', 200],
  ['flex', 200],
] as const) {
  test(`a budget of $1.50 gives ${status} to a call that may cost $1 and asks for the tier ${tier}`, async () => {
    const prices = { 'up/*': { input: 0, output: 1000, tiers: { priority: 2, flex: 0.5 } } };
    const { gateway } = await setUp(serve, { usd: 1.5, prices });
    const asked = poorly({ model: 'up/m', service_tier: tier });
    const answer = await gateway.post(DOORS.chat.path, asked, asPoor);
    assert.equal(answer.status, status, await answer.text());
  });
}

test('a tier without a price is refused to whom money is limited, and to nobody else', async () => {
  const { gateway, upstream } = await setUp();
  const { path } = DOORS.chat;
  for (const [model, asked, param] of [
    ['openai/gpt-5', { service_tier: 'scale' }, 'service_tier'],
    ['both', { service_tier: 'scale' }, 'service_tier'],
  ] as const) {
    const refused = await gateway.post(path, poorly({ model, ...asked }), asPoor);
    const { error } = (await refused.json()) as { error: Record<string, string> };
    assert.equal(refused.status, 400);
    assert.deepEqual([error['param'], error['code']], [param, 'tier_without_price']);
    assert.match(error['message'] ?? '', /tier 'scale'/);
  }
  assert.equal(upstream.requests.length, 0);
  // Neither would be told of the tier, or has a price.
  for (const model of [OPUS, 'up/m']) {
    const answer = await gateway.post(path, poorly({ model, service_tier: 'scale' }), asPoor);
    assert.equal(answer.status, 200, await answer.text());
  }
  const answer = await gateway.post(path, poorly({ model: 'openai/gpt-5', service_tier: 'scale' }));
  assert.equal(answer.status, 200, await answer.text());
});

test('a budget counts a tier that nobody asked for and that has no price at the standard one', async () => {
  const { gateway } = await setUp(
    (response, body, request) => {
      serve(response, JSON.stringify({ ...JSON.parse(body), service_tier: 'scale' }), request);
    },
    { usd: 11 },
  );
  const { path } = DOORS.chat;
  const first = await gateway.post(path, poorly({ model: 'openai/gpt-5' }), asPoor);
  assert.equal(first.status, 200, await first.text());
  const [call] = await gateway.calls(1);
  assert.equal(call?.usage?.tier, 'scale');
  assert.equal(call?.costMicroUsd, null);
  const second = await gateway.post(path, poorly({ model: 'openai/gpt-5' }), asPoor);
  assert.equal(second.status, 402, await second.text());
});

/** What the beginning of a stream says, and a whole answer that counts nothing. */
const UNCOUNTED = {
  chat: (tier: string) => {
    const choice = { index: 0, delta: { role: 'assistant', content: 'x' }, finish_reason: null };
    const head = { id: 'c', created: 1, model: 'm', service_tier: tier };
    const message = { role: 'assistant', content: 'x' };
    return {
      events: `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [choice] })}\n\n`,
      answer: {
        ...head,
        object: 'chat.completion',
        choices: [{ index: 0, message, finish_reason: 'stop' }],
      },
    };
  },
  responses: (tier: string) => {
    const response = { id: 'r', object: 'response', status: 'in_progress', model: 'm', output: [] };
    const item = { id: 'm', type: 'message', role: 'assistant', status: 'completed' };
    const content = [{ type: 'output_text', text: 'x', annotations: [] }];
    const events = [
      { type: 'response.created', sequence_number: 0, response: { ...response, service_tier: tier } },
      { type: 'response.output_item.added', output_index: 0, item: { ...item, content: [] } },
      { type: 'response.output_text.delta', output_index: 0, content_index: 0, item_id: 'm', delta: 'x' },
    ];
    return {
      events: events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
      answer: {
        ...response,
        status: 'completed',
        service_tier: tier,
        output: [{ ...item, content }],
      },
    };
  },
};

for (const [door, api] of [
  ['chat', 'chat'],
  ['messages', 'chat'],
  ['responses', 'responses'],
] as const) {
  for (const stream of [true, false]) {
    const how = stream ? 'a stream that its client leaves' : 'a whole answer';
    test(`what nobody counted is of the tier that the answer names: ${how}, ${door}`, async () => {
      let served = 'priority';
      const { gateway } = await setUp((response) => {
        const { events, answer } = UNCOUNTED[api](served);
        response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
        if (stream) response.write(events);
        else response.end(JSON.stringify(answer));
      });
      const { path, body } = DOORS[door];
      const ask = async (asked: object) => {
        const leave = new AbortController();
        const answer = await gateway.post(
          path,
          { ...body, ...asked, model: 'openai/gpt-5', stream },
          { signal: leave.signal },
        );
        assert.equal(answer.status, 200);
        if (stream) await answer.body?.getReader().read();
        else await answer.text();
        leave.abort();
      };
      await ask({});
      const [priority] = await gateway.calls(1);
      assert.equal(priority?.usage?.estimated, true);
      assert.equal(priority?.usage?.tier, 'priority');
      let calls = 1;
      // It asked for more than it got. What leaves it to the account says nothing.
      for (const [said, tier] of [
        ['default', undefined],
        ['auto', door === 'messages' ? undefined : 'priority'],
      ] as const) {
        served = said;
        await ask(door === 'messages' ? {} : { service_tier: 'priority' });
        const [newest] = await gateway.calls(++calls);
        assert.equal(newest?.usage?.tier, tier, said);
      }
    });
  }
}

test('a budget counts such a tier also where an attempt before it used something', async () => {
  const { gateway } = await setUp(
    (response, body, request) => {
      if (!body.includes('broken')) {
        return serve(response, JSON.stringify({ ...JSON.parse(body), service_tier: 'scale' }), request);
      }
      response.setHeader('content-type', 'application/json');
      const error = { message: 'overloaded', code: 503 };
      response.end(JSON.stringify({ error, usage: chatUsage }));
    },
    { usd: 11, prices: { 'up/*': { input: 1, output: 1 } } },
  );
  const first = await gateway.post(DOORS.chat.path, poorly({ model: 'both' }), asPoor);
  assert.equal(first.status, 200, await first.text());
  const [call] = await gateway.calls(1);
  assert.equal(call?.costMicroUsd, null);
  const second = await gateway.post(DOORS.chat.path, poorly({ model: 'openai/gpt-5' }), asPoor);
  assert.equal(second.status, 402, await second.text());
});

test('what an attempt used before another followed has its own tier, and its price', async () => {
  const prices = { 'up/*': { input: 1, output: 1, tiers: { priority: 3 } } };
  const { gateway } = await setUp(
    (response, body, request) => {
      if (!body.includes('broken')) return serve(response, body, request);
      response.setHeader('content-type', 'application/json');
      const error = { message: 'overloaded', code: 503 };
      response.end(JSON.stringify({ error, usage: chatUsage, service_tier: 'priority' }));
    },
    { prices },
  );
  const asked = poorly({ model: 'both', service_tier: 'flex' });
  const answer = await gateway.post(DOORS.chat.path, asked);
  assert.equal(answer.status, 200, await answer.text());
  const [call] = await gateway.calls(1);
  assert.equal(call?.attempts[0]?.usage?.tier, 'priority');
  assert.equal(call?.attempts[0]?.costMicroUsd, 6 * MILLION);
  assert.equal(call?.usage?.tier, 'flex', 'of the last');
  assert.equal(call?.usage?.input, 2 * MILLION);
  assert.equal(call?.costMicroUsd, (6 + 5.625) * MILLION);
});
