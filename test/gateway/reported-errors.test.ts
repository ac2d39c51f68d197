import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { afterEach, test } from 'node:test';
import { startGateway } from '../support/gateway.ts';
import { chatChunk, startRawUpstream } from '../support/raw-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const UPSTREAM_KEY = 'sk-upstream-secret-0123456789';
const EVENTS = 'text/event-stream';
const JSON_TYPE = 'application/json';

const data = (event: object) => `data: ${JSON.stringify(event)}\n\n`;
const named = (event: { type: string }) => `event: ${event.type}\n${data(event)}`;

interface Door {
  path: string;
  body: (model: string, stream: boolean) => object;
}

const DOORS = {
  chat: {
    path: '/v1/chat/completions',
    body: (model, stream) => ({ model, stream, messages: [{ role: 'user', content: 'Hi' }] }),
  },
  messages: {
    path: '/v1/messages',
    body: (model, stream) => ({
      model,
      stream,
      max_tokens: 9,
      messages: [{ role: 'user', content: 'Hi' }],
    }),
  },
  responses: { path: '/v1/responses', body: (model, stream) => ({ model, stream, input: 'Hi' }) },
} satisfies Record<string, Door>;

const QUOTA = {
  error: {
    message: 'You exceeded your current quota',
    type: 'insufficient_quota',
    code: 'insufficient_quota',
  },
};
const FAILED_RESPONSE = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'failed',
  model: 'm',
  output: [],
  error: { code: 'insufficient_quota', message: 'You exceeded your current quota' },
};
const CREDIT = { error: { code: 402, message: 'Insufficient credits.' } };
const anthropics = (type: string) =>
  named({ type: 'error', error: { type, message: `Said with ${UPSTREAM_KEY}` } } as { type: string });

const PAYMENT = 'upstream_payment_required';
const PERMISSION = 'upstream_permission_denied';
const CREDENTIALS = 'upstream_credentials_rejected';

/** In each provider's own form, behind a 200. */
const BEHIND_A_200: { adapter: string; type: string; sent: string; code: string }[] = [
  { adapter: 'openai', type: EVENTS, sent: data(QUOTA), code: PAYMENT },
  { adapter: 'openai', type: JSON_TYPE, sent: JSON.stringify(QUOTA), code: PAYMENT },
  {
    adapter: 'gemini',
    type: EVENTS,
    sent: data({
      error: { code: 429, status: 'RESOURCE_EXHAUSTED', message: 'Your prepayment credits are depleted.' },
    }),
    code: PAYMENT,
  },
  { adapter: 'openrouter', type: EVENTS, sent: `: OPENROUTER PROCESSING\n\n${data(CREDIT)}`, code: PAYMENT },
  { adapter: 'openrouter', type: JSON_TYPE, sent: JSON.stringify(CREDIT), code: PAYMENT },
  {
    adapter: 'openrouter',
    type: EVENTS,
    sent: data({ error: { code: 401, message: `No auth credentials found: ${UPSTREAM_KEY}` } }),
    code: CREDENTIALS,
  },
  { adapter: 'anthropic', type: EVENTS, sent: anthropics('billing_error'), code: PAYMENT },
  { adapter: 'anthropic', type: EVENTS, sent: anthropics('permission_error'), code: PERMISSION },
  { adapter: 'anthropic', type: EVENTS, sent: anthropics('authentication_error'), code: CREDENTIALS },
];

async function setUp(adapter: string, answer: (response: ServerResponse) => unknown) {
  const upstream = await startRawUpstream(answer);
  const { baseUrl } = upstream;
  const up = { adapter, baseUrl, accounts: [{ name: 'main', apiKey: UPSTREAM_KEY }] };
  const gateway = await startGateway({
    providers: { up },
    models: { m: { targets: ['up/x', 'echo/echo'] } },
  });
  closing.push(upstream.close, gateway.stop);
  return gateway;
}

async function answerWith(adapter: string, type: string, sent: string) {
  return await setUp(adapter, (response) => {
    response.writeHead(200, { 'content-type': type, 'x-request-id': 'req_of_provider' });
    response.end(sent);
  });
}

for (const { adapter, type, sent, code } of BEHIND_A_200) {
  for (const [name, { path, body }] of Object.entries(DOORS)) {
    if (name === 'responses' && adapter === 'openai') continue;
    test(`${adapter} refuses our account behind a 200 (${name}): ${sent}`, async () => {
      const gateway = await answerWith(adapter, type, sent);
      const stream = type === EVENTS;
      assert.equal((await gateway.post(path, body('m', stream))).status, 200, 'another target is tried');
      await assertAboutAccount(gateway, await gateway.post(path, body('up/y', stream)), code);
    });
  }
}

for (const [type, sent] of [
  [EVENTS, named({ type: 'response.failed', response: FAILED_RESPONSE } as { type: string })],
  [JSON_TYPE, JSON.stringify(FAILED_RESPONSE)],
] as const) {
  test(`openai refuses our account in a failed response: ${sent}`, async () => {
    const gateway = await answerWith('openai', type, sent);
    const { path, body } = DOORS.responses;
    const answer = await gateway.post(path, body('up/y', type === EVENTS));
    await assertAboutAccount(gateway, answer, PAYMENT);
  });
}

async function assertAboutAccount(
  gateway: Awaited<ReturnType<typeof setUp>>,
  answer: Response,
  code: string,
): Promise<void> {
  const text = await answer.text();
  assert.equal(answer.status, 502, text);
  assert.equal(answer.headers.get('x-should-retry'), 'false');
  assert.match(text, /The provider 'up' /);
  assert.match(text, /Tell the gateway's operator/);
  const alarm = `"level":50[^\\n]*"providerRequest":"req_of_provider"[^\\n]*"event":"${code}"`;
  assert.match(gateway.logs(), new RegExp(alarm));
  assert.equal(text.includes(UPSTREAM_KEY) || gateway.logs().includes(UPSTREAM_KEY), false);
}

test('a key that is refused inside a stream is out like one that is refused with a 401', async () => {
  const gateway = await answerWith('anthropic', EVENTS, anthropics('authentication_error'));
  const { path, body } = DOORS.messages;
  for (const _ of [1, 2]) assert.equal((await gateway.post(path, body('up/x', true))).status, 502);
  const [second, first] = await gateway.calls(2);
  assert.equal(first?.attempts.length, 1);
  assert.equal(second?.attempts.length, 0, 'the second call asks nobody');
  assert.match(gateway.logs(), /"event":"credential_rejected"/);
  assert.doesNotMatch(gateway.logs(), /"event":"credential_accepted"/);
});

const REFUSED_KEY = data({
  error: { message: `Incorrect API key provided: ${UPSTREAM_KEY}`, code: 'invalid_api_key' },
});

for (const sent of [data(QUOTA), REFUSED_KEY]) {
  test(`what a provider says of our account in the middle of a stream is told in our words: ${sent}`, async () => {
    const later = `${chatChunk('lo')}${sent}data: [DONE]\n\n`;
    const { text, logs } = await breakOff(DOORS.chat, chatChunk('Hel'), later);
    assert.match(text, /"content":"Hel".*"content":"lo".*"code":"upstream_/s);
    assert.doesNotMatch(text, /"code":"(?:insufficient_quota|invalid_api_key)"|DONE/);
    assert.match(logs, /"level":50[^\n]*"event":"upstream_/);
  });
}

test('events of a Responses stream count on where our words replace those about our account', async () => {
  const response = { ...FAILED_RESPONSE, status: 'in_progress', error: null };
  const delta = { item_id: 'm', output_index: 0, content_index: 0, delta: 'Hi' };
  const [created, text, failed] = [
    { type: 'response.created', response },
    { type: 'response.output_text.delta', ...delta },
    { type: 'response.failed', response: FAILED_RESPONSE },
  ].map((event, index) => named({ ...event, ...{ sequence_number: index } }));
  const told = await breakOff(DOORS.responses, `${created}${text}`, failed ?? '');
  const numbers = [...told.text.matchAll(/"sequence_number":(\d+)/g)].map(([, number]) => Number(number));
  assert.deepEqual(numbers, [0, 1, 2, 3]);
  assert.match(told.text, /event: error\n.*event: response\.failed\n/s);
  assert.doesNotMatch(told.text, /insufficient_quota/);
});

const PADDING = ': keep-alive\n\n'.repeat(20_000);

for (const [what, rest] of [
  ['nothing', ''],
  ['an error alone', named({ type: 'error', code: 'server_error', message: 'Oh' } as { type: string })],
]) {
  test(`a Responses stream that began with comments and ends with ${what} has its failed response`, async () => {
    const { text } = await breakOff(DOORS.responses, PADDING, rest ?? '');
    const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']) => JSON.parse(json));
    assert.deepEqual(
      events.map(({ type, sequence_number: number }) => [type, number]),
      [
        ['error', 0],
        ['response.failed', 1],
      ],
    );
    const { id, model, status, error } = events[1].response;
    assert.match(id, /^resp_\w+/);
    assert.deepEqual([model, status, error.code], ['x', 'failed', 'server_error']);
  });
}

/** What the client gets of a stream of which it has seen the beginning when the rest comes. */
async function breakOff({ path, body }: Door, beginning: string, rest: string) {
  const isSeen = Promise.withResolvers<void>();
  const gateway = await setUp('openai', async (response) => {
    response.writeHead(200, { 'content-type': EVENTS });
    response.write(beginning);
    await isSeen.promise;
    response.end(rest);
  });
  const answer = await gateway.post(path, body('up/x', true));
  assert.equal(answer.status, 200);
  isSeen.resolve();
  return { text: await answer.text(), logs: gateway.logs() };
}

test('the log has the words of what failed behind a 200, also of what is no error', async () => {
  for (const [sent, words] of [
    [data({ error: { message: 'Said in the stream', code: 'server_error' } }), 'Said in the stream'],
    [data({ error: { message: 'Rate limit reached', code: 'rate_limit_exceeded' } }), 'Rate limit reached'],
    [chatChunk(''), 'ended its stream before'],
    ['data: [DONE]\n\n', 'without an answer'],
  ] as const) {
    const gateway = await answerWith('openai', EVENTS, sent);
    const { path, body } = DOORS.chat;
    assert.notEqual((await gateway.post(path, body('up/x', true))).status, 200);
    const line = `"providerRequest":"req_of_provider"[^\\n]*"reason":"[^"]*${words}[^\\n]*"a provider failed"`;
    assert.match(gateway.logs(), new RegExp(line));
  }
});

test('a model that is missing behind a 200 is an alarm, too', async () => {
  const sent = data({ error: { message: 'The model x does not exist', code: 'model_not_found' } });
  const gateway = await answerWith('openai', EVENTS, sent);
  const { path, body } = DOORS.chat;
  assert.equal((await gateway.post(path, body('m', true))).status, 200);
  assert.match(gateway.logs(), /"level":50[^\n]*"event":"upstream_model_missing"/);
});
