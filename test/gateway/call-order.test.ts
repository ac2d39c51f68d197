import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { startRawUpstream } from '../support/raw-upstream.ts';

/** What a chat server streams: a call without arguments, and one behind it. */
const NO_ARGUMENTS = [
  { index: 0, id: 'call_a', type: 'function', function: { name: 'get_time', arguments: '' } },
  { index: 1, id: 'call_b', type: 'function', function: { name: 'get_weather', arguments: '' } },
  { index: 1, function: { arguments: '{"city":' } },
  { index: 1, function: { arguments: '"x"}' } },
];
/** The names first, then the arguments of each. */
const LATE_ARGUMENTS = [
  { index: 0, id: 'call_a', type: 'function', function: { name: 'get_time', arguments: '' } },
  { index: 1, id: 'call_b', type: 'function', function: { name: 'get_weather', arguments: '' } },
  { index: 1, function: { arguments: '{"city":"x"}' } },
  { index: 0, function: { arguments: '{"zone":"y"}' } },
];
/** The second comes first. */
const LATE_CALL = [NO_ARGUMENTS[1], NO_ARGUMENTS[0], NO_ARGUMENTS[2], NO_ARGUMENTS[3]];

let calls: readonly unknown[] = [];
const upstream = await startRawUpstream((response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (delta: object, finish: string | null = null) => {
    const choices = [{ index: 0, delta, finish_reason: finish }];
    const chunk = { id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  for (const call of calls) send({ tool_calls: [call] });
  send({}, 'tool_calls');
  response.end('data: [DONE]\n\n');
});
const gateway = await startGateway({
  providers: {
    compat: {
      adapter: 'openai-compatible',
      baseUrl: upstream.baseUrl,
      accounts: [{ name: 'main', apiKey: 'k' }],
    },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});

const parameters = { type: 'object', properties: {} };
const NAMES = ['get_time', 'get_weather'];
const DOORS: [door: string, path: string, body: object, named: RegExp][] = [
  [
    'messages',
    '/v1/messages',
    {
      ...{ model: 'compat/m', max_tokens: 50, stream: true, messages: [{ role: 'user', content: 'Hi' }] },
      tools: NAMES.map((name) => ({ name, input_schema: parameters })),
    },
    /"type":"tool_use","id":"[^"]*","name":"(\w+)"/g,
  ],
  [
    'responses',
    '/v1/responses',
    {
      ...{ model: 'compat/m', stream: true, input: 'Hi' },
      tools: NAMES.map((name) => ({ type: 'function', name, parameters, strict: false })),
    },
    /response\.output_item\.added[^\n]*\ndata:[^\n]*"name":"(\w+)"/g,
  ],
  [
    'gemini',
    '/v1beta/models/compat%2Fm:streamGenerateContent?alt=sse',
    {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      tools: [{ functionDeclarations: NAMES.map((name) => ({ name, parameters })) }],
    },
    /"functionCall":\{[^{]*"name":"(\w+)"/g,
  ],
];

for (const [door, path, body, named] of DOORS) {
  for (const [what, sent] of [
    ['one has no arguments', NO_ARGUMENTS],
    ['the arguments come late', LATE_ARGUMENTS],
    ['the first comes late', LATE_CALL],
  ] as const) {
    test(`calls of a stream are told in their order at the ${door} door, where ${what}`, async () => {
      calls = sent;
      const response = await gateway.post(path, body, { headers: { 'x-goog-api-key': TEST_KEY } });
      const text = await response.text();
      assert.equal(response.status, 200, text);
      assert.deepEqual(
        [...text.matchAll(named)].map(([, name]) => name),
        NAMES,
        text,
      );
      if (what === 'the arguments come late') assert.match(text, /zone/);
    });
  }
}
