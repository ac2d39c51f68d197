import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { betaTool } from '@anthropic-ai/sdk/helpers/beta/json-schema';
import { isObject, type JsonObject, tryParseJson } from '../../src/conversation/json.ts';
import { startFakeAnthropic } from '../support/fake-anthropic.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const UPSTREAM_KEY = 'sk-upstream-secret-0123456789';
/** What Anthropic answers to a thread that it cannot hold. */
const UNSUPPORTED = {
  type: 'invalid_request_error',
  message: 'Threads do not go with this request.',
  details: { error_code: 'thread_unsupported_request', unsupported: ['inference_hooks'] },
};
let refusal: { status: number; error: JsonObject } | undefined;
let inStream = false;

const ANSWER = {
  ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', stop_sequence: null },
  usage: { input_tokens: 1, output_tokens: 1 },
};
const event = (type: string, fields: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const BEGINS =
  event('message_start', { message: { ...ANSWER, content: [], stop_reason: null } }) +
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }) +
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'ok' } });

/** An Anthropic that threads nothing, and refuses what it is told to. */
const upstream = await startRawUpstream((response, text) => {
  const body = tryParseJson(text);
  const asked = isObject(body) ? body : {};
  const refused = refusal ?? (asked['thread'] ? { status: 400, error: UNSUPPORTED } : undefined);
  if (refused) {
    if (inStream) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(BEGINS + event('error', { error: refused.error }));
      return;
    }
    response.writeHead(refused.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ type: 'error', error: refused.error, request_id: 'req_1' }));
    return;
  }
  const isDone = JSON.stringify(asked['messages']).includes('tool_result');
  const content = isDone
    ? [{ type: 'text', text: 'Done.' }]
    : [{ type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} }];
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ ...ANSWER, content, stop_reason: isDone ? 'end_turn' : 'tool_use' }));
});
const fake = await startFakeAnthropic();
const gateway = await startGateway({
  providers: {
    raw: {
      adapter: 'anthropic',
      baseUrl: upstream.baseUrl.replace(/\/v1$/, ''),
      accounts: [{ name: 'main', apiKey: UPSTREAM_KEY }],
    },
    anthropic: { baseUrl: fake.url, accounts: [{ name: 'main', apiKey: fake.apiKey }] },
  },
  models: { missing: { targets: ['raw/x'] } },
});
const client = new Anthropic({ baseURL: gateway.url, apiKey: TEST_KEY, maxRetries: 0 });
after(async () => {
  await gateway.stop();
  await Promise.all([upstream.close(), fake.close()]);
});

const weather = betaTool({
  name: 'weather',
  description: 'Tells the weather.',
  inputSchema: { type: 'object', properties: { city: { type: 'string' } } },
  run: () => 'Sunny.',
});
const ask = (model = 'raw/x') =>
  client.beta.messages.create({ model, max_tokens: 9, messages: [{ role: 'user', content: 'Hi' }] });

async function refuse(status: number, error: JsonObject, model?: string): Promise<unknown> {
  refusal = { status, error };
  try {
    return await ask(model).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
  } finally {
    refusal = undefined;
  }
}

describe('Anthropic’s SDK recovers through the gateway as it does without', () => {
  test('from a thread that its provider cannot hold', async () => {
    const runner = client.beta.messages.toolRunner({
      model: 'raw/x',
      max_tokens: 100,
      messages: [{ role: 'user', content: 'What is the weather?' }],
      tools: [weather],
    });
    const { content } = await runner;
    assert.deepEqual(content, [{ type: 'text', text: 'Done.' }]);
  });

  test('from a thread that its provider has lost', async () => {
    const thread = client.beta.messages.thread({ model: 'anthropic/claude-haiku-4-5', max_tokens: 100 });
    await thread.send({ role: 'user', content: 'say one' });
    fake.forgetThreads();
    await thread.send({ role: 'user', content: 'say two' });
    const [lost, sentAgain] = fake.requests.slice(-2);
    assert.deepEqual([lost?.status, sentAgain?.status], [404, 200]);
    assert.match(String(sentAgain?.rawBody), /say one.*say two/);
  });
});

test('the details of an error reach its client as they are, but for our secrets', async () => {
  const details = { error_code: 'thread_unsupported_request', unsupported: ['thinking'], note: UPSTREAM_KEY };
  const error = await refuse(400, { ...UNSUPPORTED, details });
  assert.ok(error instanceof Anthropic.ThreadUnsupportedRequestError);
  assert.deepEqual({ ...error.details, note: '' }, { ...details, note: '' });
  assert.ok(!JSON.stringify(error.details).includes(UPSTREAM_KEY));
});

test('a code beside the type changes nothing of what the type means', async () => {
  const details = { error_code: 'compaction_unavailable' };
  const error = await refuse(529, { type: 'overloaded_error', message: 'Later.', details });
  assert.ok(error instanceof Anthropic.CompactionUnavailableError, `${error}`);
  assert.equal(error.status, 529);
});

test('a 404 with a code of its own is not about the model', async () => {
  const details = { error_code: 'thread_not_found' };
  const message = 'No thread of this model was found.';
  const error = await refuse(404, { type: 'not_found_error', message, details }, 'missing');
  assert.ok(error instanceof Anthropic.ThreadNotFoundError, `${error}`);
  assert.match(`${await refuse(404, { type: 'not_found_error', message: 'model: x' }, 'missing')}`, /502/);
});

test('an error that comes in place of a stream’s output has its details, too', async () => {
  const details = { error_code: 'compaction_unavailable' };
  inStream = true;
  refusal = { status: 529, error: { type: 'overloaded_error', message: 'Later.', details } };
  const { path, body } = {
    path: '/v1/messages',
    body: { model: 'raw/x', max_tokens: 9, stream: true, messages: [{ role: 'user', content: 'Hi' }] },
  };
  const answer = await gateway.post(path, body);
  const text = await answer.text();
  refusal = undefined;
  inStream = false;
  assert.equal(answer.status, 529, text);
  assert.match(text, /"type":"overloaded_error".*"details":\{"error_code":"compaction_unavailable"\}/);
});

test('a caller of another dialect has the code', async () => {
  const details = { error_code: 'image_dimensions_too_large' };
  refusal = { status: 400, error: { type: 'invalid_request_error', message: 'Too big.', details } };
  const messages = [{ role: 'user', content: 'Hi' }];
  const answer = await gateway.post('/v1/chat/completions', { model: 'raw/x', messages });
  refusal = undefined;
  const { error } = (await answer.json()) as { error: JsonObject };
  assert.deepEqual([answer.status, error['code']], [400, 'image_dimensions_too_large']);
});
