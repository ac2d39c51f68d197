import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { type TestContext, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';
import type { JsonObject } from '../../src/conversation/json.ts';
import type { UsageRecord } from '../../src/usage/record.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

type Act = (response: ServerResponse) => unknown;

const begin = (response: ServerResponse) => response.writeHead(200, { 'content-type': 'text/event-stream' });
const sse = (data: unknown, event?: string) =>
  `${event === undefined ? '' : `event: ${event}\n`}data: ${JSON.stringify(data)}\n\n`;

function chunk(delta: object, more: object = {}): string {
  const choices = [{ index: 0, delta, finish_reason: null, ...more }];
  return sse({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices });
}

const ROLE = chunk({ role: 'assistant', content: '' });
const said = (...words: string[]) => words.map((content) => chunk({ content })).join('');
const STOP = chunk({}, { finish_reason: 'stop' });
const used = (prompt_tokens: number, completion_tokens: number) => {
  const usage = { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
  return sse({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [], usage });
};

/** Says this and is gone. */
const breakOff =
  (text: string): Act =>
  (response) => {
    begin(response).write(text);
    // What was written is to arrive before the reset.
    setTimeout(() => response.destroy(), 20);
  };

const chatSays =
  (...words: string[]): Act =>
  (response) =>
    begin(response).end(`${ROLE}${said(...words)}${STOP}${used(20, words.length)}data: [DONE]\n\n`);

const claudeStart = () =>
  sse(
    {
      type: 'message_start',
      message: {
        ...{ id: 'msg_2', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5', content: [] },
        ...{ stop_reason: null, stop_sequence: null, usage: { input_tokens: 30, output_tokens: 1 } },
      },
    },
    'message_start',
  );
const claudeText = (...words: string[]) =>
  [
    sse(
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
      'content_block_start',
    ),
    ...words.map((text) =>
      sse(
        { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } },
        'content_block_delta',
      ),
    ),
  ].join('');
const claudeEnd = (output: number) =>
  sse({ type: 'content_block_stop', index: 0 }, 'content_block_stop') +
  sse(
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: output },
    },
    'message_delta',
  ) +
  sse({ type: 'message_stop' }, 'message_stop');
const claudeSays =
  (...words: string[]): Act =>
  (response) =>
    begin(response).end(claudeStart() + claudeText(...words) + claudeEnd(words.length));

const fail =
  (status: number): Act =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end('{"error":{"message":"Not now"}}');

/** A provider that does with each request what it was told to. */
async function startProvider(context: TestContext) {
  const acts: Act[] = [];
  const bodies: JsonObject[] = [];
  const paths: string[] = [];
  const upstream = await startRawUpstream((response, body, { url = '' }) => {
    bodies.push(JSON.parse(body) as JsonObject);
    paths.push(url);
    (acts.shift() ?? assert.fail('one request too many'))(response);
  });
  context.after(() => upstream.close());
  return { acts, bodies, paths, baseUrl: upstream.baseUrl };
}

async function setUp(context: TestContext, model: object = {}, tenants?: object) {
  const [plain, mistral, claude] = [
    await startProvider(context),
    await startProvider(context),
    await startProvider(context),
  ];
  const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];
  const gateway = await startGateway({
    providers: {
      plain: { adapter: 'openai-compatible', baseUrl: plain.baseUrl, accounts },
      mistral: { baseUrl: mistral.baseUrl, accounts },
      moonshot: { baseUrl: mistral.baseUrl, accounts },
      deepseek: { baseUrl: mistral.baseUrl, accounts },
      anthropic: { baseUrl: claude.baseUrl.replace('/v1', ''), accounts },
    },
    models: {
      ...Object.fromEntries(
        Object.entries({
          mistral: ['mistral/mistral-large'],
          moonshot: ['moonshot/moonshot-v1-8k'],
          deepseek: ['deepseek/deepseek-chat'],
          claude: ['anthropic/claude-sonnet-4-5'],
          mixed: ['plain/x', 'anthropic/claude-sonnet-4-5'],
          several: ['plain/x', 'mistral/mistral-large', 'anthropic/claude-sonnet-4-5'],
          newer: ['plain/x', 'anthropic/claude-opus-4-6'],
          other: ['plain/x'],
        }).map(([name, targets]) => [name, { targets, retries: 2, continueStreams: true, ...model }]),
      ),
    },
    prices: Object.fromEntries(
      ['plain', 'mistral', 'moonshot', 'deepseek', 'anthropic'].map((name) => [
        `${name}/*`,
        { input: 1, output: 2 },
      ]),
    ),
    ...(tenants && { tenants }),
  });
  context.after(() => gateway.stop());
  const openai = new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey: TEST_KEY, maxRetries: 0 });
  const anthropic = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
  const google = new GoogleGenAI({ apiKey: TEST_KEY, httpOptions: { baseUrl: gateway.url } });
  return { plain, mistral, claude, gateway, openai, anthropic, google };
}

type World = Awaited<ReturnType<typeof setUp>>;

const messages = [{ role: 'user' as const, content: 'Count to five.' }];

/** What each door's own SDK makes of a stream: its text, how it ended and what was used. */
const DOORS: Record<
  string,
  (world: World, model: string) => Promise<[text: string, end: unknown, used: unknown]>
> = {
  chat: async ({ openai }, model) => {
    const stream = openai.chat.completions.stream({
      ...{ model, messages, max_tokens: 100 },
      stream_options: { include_usage: true },
    });
    const { choices, usage } = await stream.finalChatCompletion();
    const [choice] = choices;
    return [choice?.message.content ?? '', choice?.finish_reason, usage?.completion_tokens];
  },
  responses: async ({ openai }, model) => {
    const stream = openai.responses.stream({ model, input: 'Count to five.', max_output_tokens: 100 });
    const { output_text, status, usage } = await stream.finalResponse();
    return [output_text, status, usage?.output_tokens];
  },
  messages: async ({ anthropic }, model) => {
    const stream = anthropic.messages.stream({ model, messages, max_tokens: 100 });
    const { content, stop_reason, usage } = await stream.finalMessage();
    assert.equal(content.length, 1);
    const [block] = content;
    return [block?.type === 'text' ? block.text : '', stop_reason, usage.output_tokens];
  },
  gemini: async ({ google }, model) => {
    const stream = await google.models.generateContentStream({
      ...{ model, contents: 'Count to five.' },
      config: { maxOutputTokens: 100 },
    });
    let text = '';
    let end: unknown;
    let used: unknown;
    for await (const part of stream) {
      text += part.text ?? '';
      end = part.candidates?.[0]?.finishReason ?? end;
      used = part.usageMetadata?.candidatesTokenCount ?? used;
    }
    return [text, end, used];
  },
  completions: async ({ openai }, model) => {
    const stream = await openai.completions.create({
      model,
      prompt: 'Count to five.',
      stream: true,
      max_tokens: 100,
    });
    let text = '';
    let end: unknown;
    for await (const { choices } of stream) {
      text += choices[0]?.text ?? '';
      end = choices[0]?.finish_reason ?? end;
    }
    return [text, end, undefined];
  },
};

const ENDS: Record<string, unknown> = {
  ...{ chat: 'stop', responses: 'completed', messages: 'end_turn', gemini: 'STOP', completions: 'stop' },
};

function outcomesOf({ attempts }: UsageRecord): string[] {
  return attempts.map(({ target, outcome, reason }) => [target, outcome, reason].filter(Boolean).join(' '));
}

for (const [door, ask] of Object.entries(DOORS)) {
  test(`${door}: Claude goes on with what another provider began, and the client has one answer`, async (context) => {
    const world = await setUp(context);
    world.plain.acts.push(breakOff(ROLE + said('One, ', 'two, ')));
    world.claude.acts.push(claudeSays(' three', ', four, five.'));
    const [text, end, used] = await ask(world, 'mixed');
    assert.deepEqual([text, end], ['One, two, three, four, five.', ENDS[door]]);
    const [body] = world.claude.bodies;
    assert.deepEqual(body?.['messages'], [
      { role: 'user', content: [{ type: 'text', text: 'Count to five.' }] },
      { role: 'assistant', content: [{ type: 'text', text: 'One, two,' }] },
    ]);
    // Where the stream is relayed the event that says the role counts as one, too.
    assert.equal(body?.['max_tokens'], door === 'chat' ? 97 : 98);
    const [record] = await world.gateway.calls(1);
    assert.ok(record);
    assert.deepEqual(outcomesOf(record), [
      'plain/x upstream_unavailable closed_early',
      'anthropic/claude-sonnet-4-5 ok',
    ]);
    assert.deepEqual([record.outcome, record.target], ['ok', 'anthropic/claude-sonnet-4-5']);
    // What the first used is an estimate: its input by size, a token for each piece of its text.
    const [first] = record.attempts;
    assert.ok(first?.usage?.estimated && first.usage.output >= 2);
    assert.deepEqual(
      [record.usage?.input, record.usage?.output],
      [first.usage.input + 30, first.usage.output + 2],
    );
    assert.equal(record.costMicroUsd, (record.usage?.input ?? 0) + 2 * (record.usage?.output ?? 0));
    if (used !== undefined) assert.equal(used, record.usage?.output);
  });
}

test('where a provider sends many tokens an event, the rest is asked for with as much less, and they are billed', async (context) => {
  const world = await setUp(context);
  for (const door of ['chat', 'messages']) {
    world.plain.acts.push(breakOff(ROLE + said('One, two, three, four, five, six, seven,')));
    world.claude.acts.push(claudeSays(' eight.'));
    const [text] = (await DOORS[door]?.(world, 'mixed')) ?? [];
    assert.equal(text, 'One, two, three, four, five, six, seven, eight.');
    assert.equal(world.claude.bodies.at(-1)?.['max_tokens'], 90, door);
  }
  for (const { attempts } of await world.gateway.calls(2)) assert.equal(attempts[0]?.usage?.output, 10);
});

test('chat, relayed: Mistral goes on with its own answer, of which it repeats what it is given', async (context) => {
  const world = await setUp(context);
  world.mistral.acts.push(breakOff(ROLE + said('One, ', 'two, ')));
  world.mistral.acts.push(chatSays('One, t', 'wo', ', three', '.'));
  const response = await world.gateway.post('/v1/chat/completions', {
    model: 'mistral',
    messages,
    stream: true,
  });
  const text = await response.text();
  assert.equal(response.headers.get('x-fairlead-attempts'), '1');
  const words = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, word]) => word);
  assert.equal(words.join(''), 'One, two, three.');
  assert.equal(text.split('"role"').length, 2, 'one beginning');
  assert.equal(text.split('"finish_reason":"stop"').length, 2, 'one end');
  assert.ok(text.endsWith('data: [DONE]\n\n'));
  assert.ok(!text.includes('"usage":{'), 'nobody asked for it');
  const [first, second] = world.mistral.bodies;
  assert.deepEqual(first?.['messages'], messages);
  assert.deepEqual(second?.['messages'], [
    ...messages,
    { role: 'assistant', content: 'One, two,', prefix: true },
  ]);
});

test('chat, relayed: Moonshot goes on, and repeats nothing', async (context) => {
  const world = await setUp(context);
  world.mistral.acts.push(breakOff(ROLE + said('ha', 'ha')));
  world.mistral.acts.push(chatSays('haha', '!'));
  const [text] = (await DOORS['chat']?.(world, 'moonshot')) ?? [];
  assert.equal(text, 'hahahaha!');
  assert.deepEqual(world.mistral.bodies[1]?.['messages'], [
    ...messages,
    { role: 'assistant', content: 'haha', partial: true },
  ]);
});

test('chat, relayed: DeepSeek goes on at its other path, and repeats nothing', async (context) => {
  const world = await setUp(context);
  world.mistral.acts.push(breakOff(ROLE + said('ha', 'ha ')));
  world.mistral.acts.push(chatSays(' ha', '!'));
  const [text] = (await DOORS['chat']?.(world, 'deepseek')) ?? [];
  assert.equal(text, 'haha ha!');
  assert.deepEqual(world.mistral.paths, ['/v1/chat/completions', '/beta/chat/completions']);
  const prefix = { role: 'assistant', content: 'haha', prefix: true };
  assert.deepEqual(world.mistral.bodies[1]?.['messages'], [...messages, prefix]);
});

test('messages, relayed: Claude goes on with its own answer in the same block', async (context) => {
  const world = await setUp(context);
  world.claude.acts.push(breakOff(claudeStart() + claudeText('One, ', 'two, ')));
  world.claude.acts.push(
    (response) =>
      begin(response).end(
        sse({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }, 'error'),
      ),
    claudeSays('three', '.'),
  );
  const [text, end, used] = (await DOORS['messages']?.(world, 'claude')) ?? [];
  assert.deepEqual([text, end], ['One, two, three.', 'end_turn']);
  const [record] = await world.gateway.calls(1);
  assert.ok(record);
  assert.deepEqual(
    record.attempts.map(({ outcome }) => outcome),
    ['upstream_unavailable', 'upstream_unavailable', 'ok'],
  );
  assert.equal(record.attempts[1]?.usage, undefined, 'what generated nothing is not billed');
  assert.equal(used, record.usage?.output);
});

test('one that fails before it goes on is asked again, and those that cannot go on are not', async (context) => {
  const world = await setUp(context);
  world.plain.acts.push(breakOff(ROLE + said('One, ', 'two, ')));
  world.claude.acts.push(fail(503), claudeSays('three.'));
  const [text] = (await DOORS['chat']?.(world, 'mixed')) ?? [];
  assert.equal(text, 'One, two, three.');
  assert.deepEqual([world.plain.bodies.length, world.claude.bodies.length], [1, 2]);
});

const refusedWithin: Act = (response) =>
  begin(response).end(
    ROLE + sse({ error: { message: 'Prefix is not supported', type: 'invalid_request_error', code: null } }),
  );

for (const [how, refuse] of [
  ['', fail(400)],
  [' within a stream', refusedWithin],
] as const) {
  test(`where one provider refuses to go on${how}, another one may`, async (context) => {
    const world = await setUp(context);
    world.plain.acts.push(breakOff(ROLE + said('One, ', 'two, ')));
    world.mistral.acts.push(refuse);
    world.claude.acts.push(claudeSays('three.'));
    const [text] = (await DOORS['chat']?.(world, 'several')) ?? [];
    assert.equal(text, 'One, two, three.');
    const [record] = await world.gateway.calls(1);
    assert.deepEqual(
      record?.attempts.map(({ outcome }) => outcome),
      ['upstream_unavailable', 'upstream_rejected', 'ok'],
    );
  });
}

test('what goes on and is refused in the middle of it is as final as ever', async (context) => {
  const world = await setUp(context);
  world.plain.acts.push(breakOff(ROLE + said('One, ')));
  world.mistral.acts.push((response) => {
    begin(response).write(ROLE + said('One,', ' two,'));
    const error = { message: 'Not this', type: 'invalid_request_error', code: 'content_filter' };
    setTimeout(() => response.end(sse({ error })), 20);
  });
  const response = await world.gateway.post('/v1/chat/completions', {
    ...{ model: 'several', messages, stream: true },
  });
  assert.match((await response.text()).trimEnd().split('\n\n').at(-1) ?? '', /"message":"Not this"/);
  assert.equal(world.claude.bodies.length, 0);
});

test('what goes on may break off as well, and is gone on with in turn', async (context) => {
  const world = await setUp(context);
  world.mistral.acts.push(breakOff(ROLE + said('One, ')));
  world.mistral.acts.push(breakOff(ROLE + said('One, two,', ' thr')));
  world.mistral.acts.push(chatSays('One, two, thr', 'ee.'));
  const [text] = (await DOORS['responses']?.(world, 'mistral')) ?? [];
  assert.equal(text, 'One, two, three.');
  const [record] = await world.gateway.calls(1);
  const parts = record?.attempts.map(({ usage }) => usage?.input ?? 0) ?? [];
  assert.equal(
    record?.usage?.input,
    parts.reduce((sum, input) => sum + input, 20),
  );
});

test('a tool may be called behind what was gone on with', async (context) => {
  const world = await setUp(context);
  world.plain.acts.push(breakOff(ROLE + said('I will ')));
  world.claude.acts.push((response) =>
    begin(response).end(
      claudeStart() +
        claudeText('look.') +
        sse({ type: 'content_block_stop', index: 0 }, 'content_block_stop') +
        sse(
          {
            type: 'content_block_start',
            index: 1,
            content_block: { type: 'tool_use', id: 'toolu_1', name: 'look', input: {} },
          },
          'content_block_start',
        ) +
        sse(
          {
            type: 'content_block_delta',
            index: 1,
            delta: { type: 'input_json_delta', partial_json: '{"at":1}' },
          },
          'content_block_delta',
        ) +
        sse({ type: 'content_block_stop', index: 1 }, 'content_block_stop') +
        sse(
          { type: 'message_delta', delta: { stop_reason: 'tool_use' }, usage: { output_tokens: 9 } },
          'message_delta',
        ) +
        sse({ type: 'message_stop' }, 'message_stop'),
    ),
  );
  const tool = { name: 'look', input_schema: { type: 'object' as const } };
  const stream = world.anthropic.messages.stream({
    model: 'mixed',
    messages,
    max_tokens: 100,
    tools: [tool],
  });
  const { content, stop_reason } = await stream.finalMessage();
  assert.equal(stop_reason, 'tool_use');
  assert.deepEqual(
    content.map((block) => (block.type === 'tool_use' ? block.input : block.type === 'text' && block.text)),
    ['I will look.', { at: 1 }],
  );
});

const broken = ROLE + said('One, ', 'two');
const callBegun = chunk({
  tool_calls: [{ index: 0, id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a' } }],
});
const NOT_CONTINUED: [what: string, model: string, first: Act, body: object, config?: object][] = [
  ['without the config asking for it', 'mixed', breakOff(broken), {}, { continueStreams: false }],
  ['where no target can', 'other', breakOff(broken), {}],
  ['where Claude does not any more', 'newer', breakOff(broken), {}],
  ['behind a tool call', 'mixed', breakOff(broken + callBegun), {}],
  [
    'behind reasoning',
    'mixed',
    breakOff(chunk({ role: 'assistant', reasoning_content: 'Hm' }) + said('One')),
    {},
  ],
  ['behind the end of the text', 'mixed', breakOff(broken + chunk({}, { finish_reason: 'length' })), {}],
  ['with retries: 0', 'mixed', breakOff(broken), {}, { retries: 0 }],
  ['of structured output', 'mixed', breakOff(broken), { response_format: { type: 'json_object' } }],
  ['of a call that asks to think', 'mixed', breakOff(broken), { reasoning_effort: 'high' }],
  ['of several answers', 'mixed', breakOff(broken), { n: 2 }],
  [
    'of what the caller began itself',
    'mixed',
    breakOff(broken),
    { messages: [...messages, { role: 'assistant', content: 'Ze' }] },
  ],
];

for (const [what, model, first, body, config = {}] of NOT_CONTINUED) {
  test(`an answer is not gone on with ${what}: its stream ends with its error, as ever`, async (context) => {
    const { plain, claude, gateway } = await setUp(context, config);
    plain.acts.push(first);
    const response = await gateway.post('/v1/chat/completions', { model, messages, stream: true, ...body });
    const text = await response.text();
    assert.equal(response.status, 200);
    const last = text.trimEnd().split('\n\n').at(-1) ?? '';
    assert.match(last, /^data: \{"error":/);
    assert.deepEqual([plain.bodies.length, claude.bodies.length], [1, 0]);
    const [record] = await gateway.calls(1);
    assert.equal(record?.attempts.length, 1);
    assert.ok((record?.usage?.output ?? 0) > 0);
  });
}

test('where nobody goes on after all, the stream ends with the error for which it broke off, and all is accounted', async (context) => {
  const { plain, mistral, claude, gateway } = await setUp(context);
  plain.acts.push(breakOff(broken));
  for (const { acts } of [mistral, claude]) acts.push(fail(400));
  const response = await gateway.post('/v1/chat/completions', { model: 'several', messages, stream: true });
  const text = await response.text();
  // Of what others refuse to go on with the client knows nothing.
  assert.match(text.trimEnd().split('\n\n').at(-1) ?? '', /^data: \{"error":\{"message":"[^"]*'plain'/);
  const [record] = await gateway.calls(1);
  assert.deepEqual(
    [record?.outcome, record?.status, record?.attempts.map(({ outcome }) => outcome)],
    ['upstream_unavailable', 200, ['upstream_unavailable', 'upstream_rejected', 'upstream_rejected']],
  );
  const first = record?.attempts[0]?.usage;
  assert.ok(first);
  assert.deepEqual([record?.usage?.input, record?.usage?.output], [first.input, first.output]);
});

test('what goes on as no stream is no answer', async (context) => {
  const { plain, claude, gateway } = await setUp(context, { retries: 1 });
  plain.acts.push(breakOff(broken));
  claude.acts.push((response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(chatAnswer('two, three'));
  });
  const response = await gateway.post('/v1/chat/completions', { model: 'mixed', messages, stream: true });
  assert.match((await response.text()).trimEnd().split('\n\n').at(-1) ?? '', /^data: \{"error":/);
});

test('a client that leaves while another goes on ends that, and is charged for both', async (context) => {
  const { plain, claude, gateway } = await setUp(context);
  plain.acts.push(breakOff(broken));
  let left: Promise<void> | undefined;
  claude.acts.push((response) => {
    left = new Promise((resolve) => response.once('close', () => resolve()));
    begin(response).write(claudeStart() + claudeText(', three'));
  });
  const abort = new AbortController();
  const response = await gateway.post(
    '/v1/chat/completions',
    { model: 'mixed', messages, stream: true },
    { signal: abort.signal },
  );
  let text = '';
  try {
    for await (const bytes of response.body ?? []) {
      text += Buffer.from(bytes).toString();
      if (text.includes('three')) abort.abort();
    }
  } catch (error) {
    assert.equal((error as Error).name, 'AbortError');
  }
  await left;
  const [record] = await gateway.calls(1);
  assert.deepEqual([record?.outcome, record?.status], ['cancelled', 499]);
  const [first, second] = record?.attempts ?? [];
  assert.deepEqual([first?.outcome, second?.outcome], ['upstream_unavailable', 'cancelled']);
  assert.ok((record?.usage?.output ?? 0) > (first?.usage?.output ?? 0));
});

test('a limit of calls at once has its place back', async (context) => {
  const limits = { concurrentCalls: 1, budgets: [{ tokens: 1_000_000, per: 'day' as const }] };
  const keys = [{ name: 'app', secret: TEST_KEY }];
  const world = await setUp(context, {}, { acme: { models: ['*'], limits, keys } });
  for (let call = 0; call < 3; call += 1) {
    world.plain.acts.push(breakOff(ROLE + said('One, ')));
    world.claude.acts.push(claudeSays('two.'));
    const [text] = (await DOORS['chat']?.(world, 'mixed')) ?? [];
    assert.equal(text, 'One, two.');
  }
});
