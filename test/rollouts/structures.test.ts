import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { adminClient } from '../support/admin.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/** What the model answers: a text, or a call of a tool with these arguments. */
type Answer = { text: string } | { tool: string; arguments: string };

let answer: Answer = { text: '' };
/** By model, what it answers instead. */
const others = new Map<string, Answer>();

function messageOf(said: Answer): JsonObject {
  if ('text' in said) return { role: 'assistant', content: said.text };
  const call = { name: said.tool, arguments: said.arguments };
  return {
    role: 'assistant',
    content: null,
    tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: call }],
  };
}

const upstream = await startRawUpstream((response, body) => {
  const { model, stream } = JSON.parse(body) as { model: string; stream?: boolean };
  const said = others.get(model) ?? answer;
  const message = messageOf(said);
  const finish = 'text' in said ? 'stop' : 'tool_calls';
  const usage = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };
  const head = { id: 'c', created: 1, model: 'm' };
  if (!stream) {
    response.setHeader('content-type', 'application/json');
    const choices = [{ index: 0, message, finish_reason: finish }];
    response.end(JSON.stringify({ ...head, object: 'chat.completion', choices, usage }));
    return;
  }
  response.setHeader('content-type', 'text/event-stream');
  const chunk = (choices: JsonObject[]) =>
    response.write(
      `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, usage: null })}\n\n`,
    );
  chunk([{ index: 0, delta: message, finish_reason: null }]);
  chunk([{ index: 0, delta: {}, finish_reason: finish }]);
  response.end('data: [DONE]\n\n');
});
after(upstream.close);

async function start(gates: object = {}): Promise<TestGateway> {
  const gateway = await startGateway({
    providers: { up: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl } },
    models: { smart: { targets: ['up/old'] } },
    rollouts: {
      upgrade: {
        ...{ model: 'smart', stable: 'up/old', candidate: 'up/new' },
        ...{ steps: [{ weight: 50, hold: '10m' }], gates: { p50LatencyRatio: 100, ...gates } },
      },
    },
  });
  after(gateway.stop);
  await adminClient(gateway.url).must('POST', '/rollouts/upgrade/start');
  return gateway;
}

const SCHEMA = {
  type: 'object',
  properties: { city: { type: 'string' } },
  required: ['city'],
  additionalProperties: false,
};
const OPEN_API_SCHEMA = {
  type: 'OBJECT',
  properties: { city: { type: 'STRING', nullable: true } },
  required: ['city'],
};
const TALK = [{ role: 'user', content: 'Where?' }];
const CONTENTS = [{ role: 'user', parts: [{ text: 'Where?' }] }];
const FORMAT = { type: 'json_schema', schema: SCHEMA };

interface Form {
  path: string;
  streamPath?: string;
  body: JsonObject;
}

/** A request for an answer that fits the schema, as each door takes it. */
const OUTPUTS: Record<string, Form> = {
  'chat response_format': {
    path: '/v1/chat/completions',
    body: {
      ...{ model: 'smart', messages: TALK },
      response_format: { type: 'json_schema', json_schema: { name: 'place', schema: SCHEMA } },
    },
  },
  'responses text.format': {
    path: '/v1/responses',
    body: { model: 'smart', input: 'Where?', text: { format: { ...FORMAT, name: 'place' } } },
  },
  'messages output_config': {
    path: '/v1/messages',
    body: { model: 'smart', max_tokens: 99, messages: TALK, output_config: { format: FORMAT } },
  },
  'messages output_format': {
    path: '/v1/messages',
    body: { model: 'smart', max_tokens: 99, messages: TALK, output_format: FORMAT },
  },
  'gemini responseSchema': {
    path: '/v1beta/models/smart:generateContent',
    streamPath: '/v1beta/models/smart:streamGenerateContent?alt=sse',
    body: {
      contents: CONTENTS,
      generationConfig: { responseMimeType: 'application/json', responseSchema: OPEN_API_SCHEMA },
    },
  },
  'gemini responseJsonSchema': {
    path: '/v1beta/models/smart:generateContent',
    streamPath: '/v1beta/models/smart:streamGenerateContent?alt=sse',
    body: {
      contents: CONTENTS,
      generationConfig: { responseMimeType: 'application/json', responseJsonSchema: SCHEMA },
    },
  },
};

/** A request with a tool, as each door takes it. */
const TOOLS: Record<string, Form> = {
  chat: {
    path: '/v1/chat/completions',
    body: {
      ...{ model: 'smart', messages: TALK },
      tools: [{ type: 'function', function: { name: 'find', parameters: SCHEMA } }],
    },
  },
  responses: {
    path: '/v1/responses',
    body: {
      ...{ model: 'smart', input: 'Where?' },
      tools: [{ type: 'function', name: 'find', parameters: SCHEMA, strict: false }],
    },
  },
  messages: {
    path: '/v1/messages',
    body: {
      ...{ model: 'smart', max_tokens: 99, messages: TALK },
      tools: [{ name: 'find', input_schema: SCHEMA }],
    },
  },
  gemini: {
    path: '/v1beta/models/smart:generateContent',
    streamPath: '/v1beta/models/smart:streamGenerateContent?alt=sse',
    body: {
      contents: CONTENTS,
      tools: [{ functionDeclarations: [{ name: 'find', parameters: OPEN_API_SCHEMA }] }],
    },
  },
};

const gateway = await start();
let made = 0;

/** What the record says of the structure of an answer to a call. */
async function flagsOf({ path, streamPath, body }: Form, stream: boolean, said: Answer): Promise<string[]> {
  answer = said;
  const sent = stream && streamPath === undefined ? { ...body, stream } : body;
  const key = { 'x-api-key': 'sk-fl-test-key-of-acme-000000000000' };
  const headers = path.startsWith('/v1beta') ? { 'x-goog-api-key': key['x-api-key'] } : {};
  const response = await gateway.post((stream ? streamPath : undefined) ?? path, sent, { headers });
  assert.equal(response.status, 200, await response.clone().text());
  await response.text();
  made += 1;
  const id = response.headers.get('x-request-id');
  const record = (await gateway.calls(made)).find((one) => one.id === id);
  return (record?.rollout?.flags ?? []).filter((flag) => /^(output|tools)_/.test(flag));
}

for (const [name, form] of Object.entries(OUTPUTS)) {
  describe(`an answer in JSON that a call wants with ${name}`, () => {
    for (const stream of [false, true]) {
      test(`is held against the call's own schema (${stream ? 'streamed' : 'whole'})`, async () => {
        assert.deepEqual(await flagsOf(form, stream, { text: '{"city":"Rome"}' }), ['output_judged']);
        for (const text of ['{"town":"Rome"}', 'Rome'])
          assert.deepEqual(await flagsOf(form, stream, { text }), ['output_judged', 'output_invalid'], text);
      });
    }
  });
}

for (const [name, form] of Object.entries(TOOLS)) {
  describe(`a tool call at the door of ${name}`, () => {
    for (const stream of [false, true]) {
      test(`is held against the tool's schema (${stream ? 'streamed' : 'whole'})`, async () => {
        const call = (text: string, tool = 'find') => flagsOf(form, stream, { tool, arguments: text });
        const invalid = ['tools_judged', 'tools_invalid'];
        assert.deepEqual(await call('{"city":"Rome"}'), ['tools_judged']);
        assert.deepEqual(await call('{"city":1}'), invalid);
        assert.deepEqual(await call('{}'), invalid);
        assert.deepEqual(await call('{"city":"Rome"}', 'search'), invalid, 'no such tool');
        assert.deepEqual(await flagsOf(form, stream, { text: 'Rome' }), [], 'no call');
      });
    }
  });
}

test('an answer that is to be JSON of any kind is only that', async () => {
  const form = {
    path: '/v1/chat/completions',
    body: { model: 'smart', messages: TALK, response_format: { type: 'json_object' } },
  };
  assert.deepEqual(await flagsOf(form, false, { text: '{"any":1}' }), ['output_judged']);
  assert.deepEqual(await flagsOf(form, false, { text: 'Sure: {}' }), ['output_judged', 'output_invalid']);
});

test('free text, and what a schema says nothing of, is not judged', async () => {
  const chat = '/v1/chat/completions';
  const plain = { model: 'smart', messages: TALK };
  assert.deepEqual(await flagsOf({ path: chat, body: plain }, false, { text: 'Rome' }), []);
  const custom = { ...plain, tools: [{ type: 'custom', custom: { name: 'shell' } }] };
  assert.deepEqual(
    await flagsOf({ path: chat, body: custom }, false, { tool: 'fairlead_custom_shell', arguments: '{}' }),
    [],
  );
  const circle = { type: 'json_schema', json_schema: { name: 'a', schema: { $ref: '#' } } };
  const body = { ...plain, response_format: circle };
  assert.deepEqual(await flagsOf({ path: chat, body }, false, { text: '{}' }), []);
});

for (const [kind, form, good, bad] of [
  ['outputs', OUTPUTS['chat response_format'], { text: '{"city":"Rome"}' }, { text: '{}' }],
  [
    'tool calls',
    TOOLS['messages'],
    { tool: 'find', arguments: '{"city":"Rome"}' },
    { tool: 'find', arguments: '{}' },
  ],
] as const) {
  test(`a candidate of invalid ${kind} is rolled back for that`, async () => {
    assert.ok(form);
    const own = await start({ minCalls: 5 });
    answer = good;
    others.set('new', bad);
    for (let user = 0; user < 600; user++) {
      const body = {
        ...form.body,
        ...(kind === 'outputs' ? { user: `u${user}` } : { metadata: { user_id: `u${user}` } }),
      };
      const response = await own.post(form.path, body);
      assert.equal(response.status, 200, await response.text());
      if (response.headers.get('x-fairlead-rollout') === null) break;
    }
    others.clear();
    const { body } = await adminClient(own.url).must('GET', '/rollouts');
    const [rollout] = body['data'] as { phase: string; reason: { failure?: { what: string } } }[];
    assert.equal(rollout?.phase, 'rolled_back');
    assert.equal(rollout.reason.failure?.what, `invalid ${kind}`);
  });
}
