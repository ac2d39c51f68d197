import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

const USAGE = { input_tokens: 1, output_tokens: 1 };
let container = '';
let mode: 'accept' | 'fail at a' | 'refuse' | 'break off' | 'speak long' = 'accept';

const message = (containerId: string) => ({
  ...{ id: 'msg_1', type: 'message', role: 'assistant', model: 'm', stop_reason: 'end_turn', usage: USAGE },
  // What a model writes is no container of anybody's.
  content: [
    { type: 'tool_use', id: 'toolu_1', name: 'x', input: { container: { id: 'container_invented' } } },
  ],
  container: { id: containerId, expires_at: '2099-01-01T00:00:00Z' },
});
const event = (type: string, fields: object) =>
  `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`;
const messageBegins = (containerId: string) =>
  event('message_start', { message: { ...message(containerId), content: [], stop_reason: null } }) +
  event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }) +
  event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'ok' } });
const messageEnds =
  event('content_block_stop', { index: 0 }) +
  event('message_delta', { delta: { stop_reason: 'end_turn' }, usage: USAGE }) +
  event('message_stop', {});
const response = (containerId: string) => ({
  ...{ id: `resp_${containerId}`, object: 'response', status: 'completed', model: 'm', usage: USAGE },
  output: [{ type: 'code_interpreter_call', id: `ci_${containerId}`, container_id: containerId }],
});

const chatUsage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
/** More than is held until it is whole. */
const LONG = 'A'.repeat(6 * 1024 * 1024);
const spoken = (id: string, data: string) => ({
  ...{ id: 'chatcmpl_1', object: 'chat.completion', created: 1, model: 'm', usage: chatUsage },
  choices: [
    {
      index: 0,
      finish_reason: 'stop',
      message: {
        role: 'assistant',
        content: null,
        audio: { id, data, expires_at: 1_900_000_000, transcript: 'ok' },
      },
    },
  ],
});
const chunk = (delta: object, reason: string | null = null) =>
  `data: ${JSON.stringify({
    ...{ id: 'chatcmpl_1', object: 'chat.completion.chunk', created: 1, model: 'm' },
    choices: [{ index: 0, delta, finish_reason: reason }],
  })}\n\n`;
const speechBegins = (id: string) =>
  chunk({ role: 'assistant', content: '' }) +
  chunk({ audio: { id, transcript: 'o' } }) +
  chunk({ audio: { data: 'AAAA' } });
const speechEnds = `${chunk({ audio: { expires_at: 1_900_000_000 } })}${chunk({}, 'stop')}data: [DONE]\n\n`;

const upstream = await startRawUpstream((answer, body, { url = '', headers }) => {
  const atA = String(headers.authorization ?? headers['x-api-key']).includes('account-a');
  const refused = mode === 'refuse' ? 400 : mode === 'fail at a' && atA ? 503 : 200;
  const isStream = body.includes('"stream":true');
  answer.writeHead(refused, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
  if (refused !== 200) return answer.end('{"error":{"message":"No such container."}}');
  if (url.endsWith('/chat/completions')) {
    if (!isStream)
      return answer.end(JSON.stringify(spoken(container, mode === 'speak long' ? LONG : 'AAAA')));
    if (mode === 'break off') return answer.write(speechBegins(container), () => answer.destroy());
    return answer.end(speechBegins(container) + speechEnds);
  }
  if (url.endsWith('/responses')) return answer.end(JSON.stringify(response(container)));
  if (!isStream) return answer.end(JSON.stringify(message(container)));
  if (mode === 'break off') return answer.write(messageBegins(container), () => answer.destroy());
  return answer.end(messageBegins(container) + messageEnds);
});
const KEYS = {
  acme: TEST_KEY,
  other: 'sk-fl-key-of-another-tenant-0000000',
  limited: 'sk-fl-limited-key-00000000000000000',
};
type Who = keyof typeof KEYS;
const accounts = [
  // It is the first of nearly all calls.
  { name: 'a', apiKey: 'key-of-account-a-0000000', weight: 1e9 },
  { name: 'b', apiKey: 'key-of-account-b-0000000' },
];
const CLAUDE = 'anthropic/claude-sonnet-4-5';
const GPT = 'openai/gpt-4.1';
const KIN = 'kin/gpt-4.1';
const tenant = (secret: string, models: string[]) => ({ models, keys: [{ name: 'app', secret }] });
const gateway = await startGateway({
  providers: {
    anthropic: { baseUrl: upstream.baseUrl.replace(/\/v1$/, ''), accounts },
    openai: { baseUrl: upstream.baseUrl, accounts },
    kin: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
  },
  tenants: {
    acme: tenant(KEYS.acme, ['*']),
    other: tenant(KEYS.other, ['*']),
    limited: tenant(KEYS.limited, [CLAUDE, GPT, KIN]),
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

async function ask(who: Who, path: string, body: object) {
  const before = upstream.requests.length;
  const answer = await gateway.post(path, body, { headers: { authorization: `Bearer ${KEYS[who]}` } });
  const text = await answer.text().catch(() => 'broken off');
  const sent = upstream.requests.slice(before);
  const asked = sent.map(
    ({ headers }) => /account-(.)/.exec(String(headers.authorization ?? headers['x-api-key']))?.[1],
  );
  return { status: answer.status, text, asked };
}

const callClaude = (who: Who, fields: object = {}) =>
  ask(who, '/v1/messages', {
    model: CLAUDE,
    max_tokens: 9,
    messages: [{ role: 'user', content: 'x' }],
    ...fields,
  });
const callGpt = (who: Who, fields: object = {}) =>
  ask(who, '/v1/responses', { model: GPT, input: 'x', ...fields });
const inContainer = (id: string) => ({ tools: [{ type: 'code_interpreter', container: id }] });

describe('a container that an answer of Anthropic tells of', () => {
  for (const [how, fields] of [
    ['whole', {}],
    ['streamed', { stream: true }],
    ['streamed and broken off', { stream: true }],
  ] as const) {
    test(`is its tenant’s, and no other’s: ${how}`, async () => {
      container = `container_${how.replaceAll(' ', '_')}`;
      mode = how.endsWith('off') ? 'break off' : 'accept';
      const made = await callClaude('limited', fields);
      assert.equal(made.status, 200, made.text);
      mode = 'accept';
      const stolen = await callClaude('other', { container });
      assert.equal(stolen.status, 404, stolen.text);
      assert.deepEqual(stolen.asked, []);
      const own = await callClaude('limited', { container });
      assert.equal(own.status, 200, own.text);
    });
  }

  test('is not what a model wrote', async () => {
    container = 'container_real';
    await callClaude('limited');
    const { status } = await callClaude('other', { container: 'container_invented' });
    assert.equal(status, 200);
  });
});

test('what was made at one account is used there, whatever failed meanwhile', async () => {
  for (const call of [
    (fields?: object) => callGpt('acme', fields),
    (fields?: object) => callClaude('acme', fields),
  ]) {
    container = `cntr_${upstream.requests.length}`;
    mode = 'fail at a';
    assert.deepEqual((await call()).asked, ['a', 'b']);
    mode = 'accept';
    const again = await call({ ...inContainer(container), container });
    assert.deepEqual([again.status, again.asked], [200, ['b']], again.text);
  }
});

describe('what nobody made through the gateway', () => {
  for (const [what, named] of [
    ['container', (id: string) => inContainer(id)],
    ['conversation', (id: string) => ({ conversation: id })],
  ] as const) {
    test(`a ${what} is for the first whose call a provider accepts`, async () => {
      container = 'cntr_elsewhere';
      const id = `unseen_${what}`;
      mode = 'refuse';
      assert.equal((await callGpt('acme', named(id))).status, 400);
      mode = 'fail at a';
      assert.deepEqual((await callGpt('other', named(id))).asked, ['a', 'b']);
      mode = 'accept';
      assert.equal((await callGpt('acme', named(id))).status, 404);
      assert.deepEqual((await callGpt('other', named(id))).asked, ['b']);
    });
  }
});

describe('what a model said', () => {
  const SPEECH = { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } };
  const speak = (who: Who, fields: object = {}, model = GPT) =>
    ask(who, '/v1/chat/completions', {
      model,
      messages: [{ role: 'user', content: 'x' }],
      ...SPEECH,
      ...fields,
    });
  /** Is a function at servers of OpenAI's kin, so that their answers are translated. */
  const CUSTOM = { tools: [{ type: 'custom', custom: { name: 'x' } }] };
  const goOn = (who: Who, id: string, model = GPT) => {
    const said = { role: 'assistant', audio: { id } };
    const messages = [{ role: 'user', content: 'x' }, said, { role: 'user', content: 'go on' }];
    // Nobody has to ask for speech to name what was said.
    return ask(who, '/v1/chat/completions', { model, messages });
  };

  for (const [how, fields] of [
    ['whole', {}],
    ['streamed', { stream: true }],
    ['streamed and broken off', { stream: true }],
    ['whole and too large to be held', {}],
    ['translated', { model: KIN, ...CUSTOM }],
    ['translated and streamed', { model: KIN, ...CUSTOM, stream: true }],
  ] as const) {
    test(`can be named by its tenant, at the account that said it, and by no other: ${how}`, async () => {
      container = `audio_${how.replaceAll(/\W/g, '_')}`;
      mode = how.endsWith('off') ? 'break off' : how.endsWith('held') ? 'speak long' : 'accept';
      const made = await speak('limited', fields);
      assert.equal(made.status, 200, made.text);
      mode = 'accept';
      const model = 'model' in fields ? fields.model : GPT;
      const stolen = await goOn('other', container, model);
      assert.equal(stolen.status, 404, stolen.text);
      assert.deepEqual(stolen.asked, []);
      assert.match(stolen.text, /messages\[1\]\.audio/);
      for (let count = 0; count < 4; count++) {
        const own = await goOn('limited', container, model);
        assert.equal(own.status, 200, own.text);
        assert.deepEqual(own.asked, made.asked);
      }
    });
  }

  test('cannot be named where no answer to the tenant held it, even with the permission for all models', async () => {
    const { status, asked, text } = await goOn('acme', 'audio_of_nobody');
    assert.equal(status, 404, text);
    assert.deepEqual(asked, []);
  });

  test('is nothing to a provider of another dialect, which is not told of it', async () => {
    container = 'container_other_dialect';
    const { status, text } = await goOn('limited', 'audio_of_nobody', CLAUDE);
    assert.equal(status, 200, text);
    assert.ok(!upstream.requests.at(-1)?.body.includes('audio_of_nobody'));
  });

  test('is no matter in the words of tools', async () => {
    const parameters = { type: 'object', properties: { audio: { id: 'x', type: 'string' } } };
    const tools = [{ type: 'function', function: { name: 'say', parameters } }];
    const { status, text } = await speak('limited', { tools });
    assert.equal(status, 200, text);
  });
});
