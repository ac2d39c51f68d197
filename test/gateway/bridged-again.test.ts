import assert from 'node:assert/strict';
import { after, beforeEach, test } from 'node:test';
import { writeCarriedId } from '../../src/conversation/carried-reasoning.ts';
import type { JsonObject } from '../../src/conversation/json.ts';
import { startGateway, TEST_KEY } from '../support/gateway.ts';
import { chatAnswer, startRawUpstream } from '../support/raw-upstream.ts';

/*
 * Clients that were written for an earlier model, at a newer one in their own dialect, whose requests cannot pass as they are: a call in their
 * history holds what another provider signed, or what their provider refuses is left out.
 */

const USAGE = { input_tokens: 3, output_tokens: 2 };
const ANSWERS: [path: RegExp, answer: object][] = [
  [/count_tokens|count-tokens:rawPredict/, { input_tokens: 3 }],
  [/count-tokens/, { inputTokens: 3 }],
  [
    /\/converse$/,
    {
      output: { message: { role: 'assistant', content: [{ text: 'Hi' }] } },
      stopReason: 'end_turn',
      usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 },
    },
  ],
  [
    /\/v1\/messages/,
    {
      ...{
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'm',
        content: [{ type: 'text', text: 'Hi' }],
      },
      ...{ stop_reason: 'end_turn', stop_sequence: null, usage: USAGE },
    },
  ],
  [
    /\/responses/,
    {
      ...{ id: 'resp_1', object: 'response', status: 'completed', model: 'm', created_at: 1, usage: USAGE },
      output: [
        {
          ...{ type: 'message', id: 'msg_1', role: 'assistant', status: 'completed' },
          content: [{ type: 'output_text', text: 'Hi', annotations: [] }],
        },
      ],
    },
  ],
  [
    /:generateContent/,
    {
      candidates: [{ index: 0, content: { role: 'model', parts: [{ text: 'Hi' }] }, finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 },
    },
  ],
];

/** What is answered before anything else: 400 with these bodies. */
let refusals: string[] = [];
const upstream = await startRawUpstream((response, _body, request) => {
  const refusal = refusals.shift();
  response.writeHead(refusal === undefined ? 200 : 400, { 'content-type': 'application/json' });
  const answer = ANSWERS.find(([path]) => path.test(request.url ?? ''))?.[1];
  response.end(refusal ?? (answer ? JSON.stringify(answer) : chatAnswer('Hi')));
});
const origin = upstream.baseUrl.slice(0, -'/v1'.length);
const accounts = [{ name: 'main', apiKey: 'upstream-key' }];
const gateway = await startGateway({
  models: { warm: { targets: [{ target: 'openai/gpt-5', parameters: { temperature: 0.2 } }] } },
  providers: {
    openai: { baseUrl: upstream.baseUrl, accounts },
    anthropic: { baseUrl: origin, accounts },
    gemini: { baseUrl: origin, accounts },
    bedrock: { baseUrl: origin, region: 'us-east-1', accounts },
    vertex: {
      ...{ baseUrl: origin, project: 'p', location: 'global' },
      accounts: [{ name: 'main', apiKey: 'access-token' }],
    },
    compat: { adapter: 'openai-compatible', baseUrl: upstream.baseUrl, accounts },
    vllm: { baseUrl: upstream.baseUrl, accounts },
    azure: { adapter: 'azure-openai', baseUrl: origin, accounts },
  },
});
after(async () => {
  await gateway.stop();
  await upstream.close();
});
beforeEach(() => {
  refusals = [];
  upstream.requests.length = 0;
});

/** What another provider signed, in the id of its call. */
const SIGNED = writeCarriedId('call_1', {
  reasoning: [],
  signature: { dialect: 'gemini', value: 'c2lnbmF0dXJl' },
});

const CHAT_HISTORY = [
  { role: 'user', content: 'What time is it?' },
  {
    role: 'assistant',
    tool_calls: [{ id: SIGNED, type: 'function', function: { name: 'now', arguments: '{}' } }],
  },
  { role: 'tool', tool_call_id: SIGNED, content: '12:00' },
];
const RESPONSES_HISTORY = [
  { role: 'user', content: 'What time is it?' },
  { type: 'function_call', call_id: SIGNED, name: 'now', arguments: '{}' },
  { type: 'function_call_output', call_id: SIGNED, output: '12:00' },
];
const MESSAGES_HISTORY = [
  { role: 'user', content: 'What time is it?' },
  { role: 'assistant', content: [{ type: 'tool_use', id: SIGNED, name: 'now', input: {} }] },
  { role: 'user', content: [{ type: 'tool_result', tool_use_id: SIGNED, content: '12:00' }] },
];
const GEMINI_HISTORY = [
  { role: 'user', parts: [{ text: 'What time is it?' }] },
  {
    role: 'model',
    parts: [
      {
        functionCall: { id: 'call_1', name: 'now', args: {} },
        thoughtSignature: Buffer.from(SIGNED.slice('call_1'.length)).toString('base64'),
      },
    ],
  },
  { role: 'user', parts: [{ functionResponse: { id: 'call_1', name: 'now', response: { time: '12:00' } } }] },
];
const EARLIER_TOOLS = [
  { type: 'bash_20241022', name: 'bash' },
  { type: 'text_editor_20250124', name: 'str_replace_editor' },
];

async function send(path: string, body: object): Promise<{ sent: JsonObject; dropped: string[] }> {
  const response = await gateway.post(path, body, {
    headers: { 'anthropic-version': '2023-06-01', 'x-goog-api-key': TEST_KEY },
  });
  assert.equal(response.status, 200, await response.text());
  const sent = JSON.parse(upstream.requests.at(-1)?.body ?? '') as JsonObject;
  assert.ok(!JSON.stringify(sent).includes('__fl1__'));
  return { sent, dropped: response.headers.get('x-fairlead-dropped')?.split(', ') ?? [] };
}

test('chat: an effort that the model has not is fitted, and named', async () => {
  const body = { model: 'openai/gpt-5', messages: CHAT_HISTORY, reasoning_effort: 'max' };
  const { sent, dropped } = await send('/v1/chat/completions', body);
  assert.equal(sent['reasoning_effort'], 'high');
  assert.ok(dropped.includes('reasoning_effort=high'), String(dropped));
});

test('chat: an effort is left out for a model that does not reason', async () => {
  const body = { model: 'openai/gpt-4.1', messages: CHAT_HISTORY, reasoning_effort: 'max' };
  const { sent, dropped } = await send('/v1/chat/completions', body);
  assert.ok(!('reasoning_effort' in sent));
  assert.ok(dropped.includes('reasoning_effort'), String(dropped));
});

test('responses: sampling and efforts are bridged', async () => {
  const { sent, dropped } = await send('/v1/responses', {
    ...{ model: 'openai/gpt-5', input: RESPONSES_HISTORY, temperature: 0.2, top_p: 0.5 },
    reasoning: { effort: 'max' },
  });
  assert.deepEqual([sent['temperature'], sent['top_p']], [undefined, undefined]);
  assert.deepEqual(sent['reasoning'], { effort: 'high' });
  for (const name of ['temperature', 'top_p', 'reasoning.effort=high'])
    assert.ok(dropped.includes(name), String(dropped));
});

test('responses: a model that does not reason is not asked to', async () => {
  const { sent } = await send('/v1/responses', {
    ...{ model: 'openai/gpt-4.1', input: RESPONSES_HISTORY, reasoning: { effort: 'low' } },
    include: ['reasoning.encrypted_content'],
  });
  assert.ok(!('reasoning' in sent) && !('include' in sent), JSON.stringify(sent));
});

test('responses: nor when it is asked again without foreign reasoning', async () => {
  refusals = [
    '{"error":{"message":"Encrypted content is not supported with this model.","type":"invalid_request_error"}}',
  ];
  const { sent, dropped } = await send('/v1/responses', {
    ...{ model: 'openai/gpt-4.1', input: 'Hi', reasoning: { effort: 'low', summary: 'auto' } },
    include: ['reasoning.encrypted_content'],
  });
  assert.equal(upstream.requests.length, 2);
  assert.ok(!('reasoning' in sent) && !('include' in sent), JSON.stringify(sent));
  assert.ok(dropped.includes('reasoning') && dropped.includes('include[0]'), String(dropped));
});

/** As `claude-opus-4-7` takes them. */
function checkTools(tools: JsonObject[]): void {
  assert.equal(tools[0]?.['type'], 'bash_20250124');
  assert.ok(!tools.some((tool) => String(tool['type']).startsWith('text_editor_')), JSON.stringify(tools));
}

test('messages: tools of earlier versions and a budget of thinking are bridged', async () => {
  const { sent } = await send('/v1/messages', {
    ...{ model: 'anthropic/claude-opus-4-7', max_tokens: 5_000, messages: MESSAGES_HISTORY },
    ...{ tools: EARLIER_TOOLS, thinking: { type: 'enabled', budget_tokens: 3_000 } },
  });
  checkTools(sent['tools'] as JsonObject[]);
  assert.deepEqual(sent['thinking'], { type: 'adaptive', display: 'summarized' });
});

test('gemini: penalties, log probabilities and the limit are bridged', async () => {
  const newer = await send('/v1beta/models/gemini%2Fgemini-3-pro-preview:generateContent', {
    contents: GEMINI_HISTORY,
    generationConfig: { presencePenalty: 0.5, maxOutputTokens: 999_999 },
  });
  assert.deepEqual(newer.sent['generationConfig'], { maxOutputTokens: 65_536 });
  assert.ok(newer.dropped.includes('generationConfig.presencePenalty'), String(newer.dropped));
  const { sent } = await send('/v1beta/models/gemini%2Fgemini-2.5-flash:generateContent', {
    contents: GEMINI_HISTORY,
    generationConfig: { responseLogprobs: true },
  });
  assert.ok(!JSON.stringify(sent).includes('ogprobs'), JSON.stringify(sent));
});

const AT_BEDROCK = 'bedrock/us.anthropic.claude-opus-4-7-20260101-v1:0';

test('messages at Bedrock: the same is bridged as at Anthropic', async () => {
  const { sent } = await send('/v1/messages', {
    ...{ model: AT_BEDROCK, max_tokens: 5_000, messages: [{ role: 'user', content: 'Hi' }] },
    ...{ tools: EARLIER_TOOLS, thinking: { type: 'enabled', budget_tokens: 2_048 } },
  });
  const fields = sent['additionalModelRequestFields'] as JsonObject;
  checkTools(fields['tools'] as JsonObject[]);
  assert.deepEqual(fields['thinking'], { type: 'adaptive', display: 'summarized' });
  assert.match(JSON.stringify(sent['toolConfig']), /str_replace_editor/);
});

for (const model of [
  'anthropic/claude-opus-4-7',
  'vertex/claude-opus-4-7',
  'bedrock/anthropic.claude-opus-4-7',
]) {
  test(`a count is of what the model takes: ${model}`, async () => {
    const { sent } = await send('/v1/messages/count_tokens', {
      ...{ model, messages: [{ role: 'user', content: 'Hi' }], tools: EARLIER_TOOLS },
      thinking: { type: 'enabled', budget_tokens: 2_048 },
    });
    const text = JSON.stringify(sent);
    assert.ok(!/budget_tokens|20241022|text_editor_2025/.test(text), text);
    assert.match(text, /bash_20250124/);
  });
}

for (const model of [
  'compat/EleutherAI/gpt-neox-20b',
  'vllm/EleutherAI/gpt-j-6b',
  'vllm/AI-Sweden-Models/gpt-sw3-126m',
  'openai/gpt-audio',
  'azure/gpt-prod',
]) {
  test(`a caller of another dialect gets to ${model} what it says`, async () => {
    const { sent } = await send('/v1/messages', {
      ...{ model, max_tokens: 50, messages: [{ role: 'user', content: 'Hi' }], system: 'Be short.' },
      ...{ temperature: 0.2, stop_sequences: ['END'] },
    });
    assert.equal(sent['temperature'], 0.2);
    assert.deepEqual(sent['stop'], ['END']);
    assert.ok(!('reasoning_effort' in sent), JSON.stringify(sent));
  });
}

for (const model of ['compat/me/gpt-5-distill', 'compat/o1-mini-replica', 'vllm/gpt-5.5', 'azure/gpt-mini']) {
  test(`what passes through to ${model} stays as it is`, async () => {
    const body = { messages: [{ role: 'user', content: 'Hi' }], temperature: 0.2, logprobs: true };
    const { sent, dropped } = await send('/v1/chat/completions', { model, ...body });
    assert.deepEqual([sent['temperature'], sent['logprobs'], dropped], [0.2, true, []]);
  });
}

test('at Bedrock what is refused for its signature is asked again without it', async () => {
  refusals = [
    '{"message":"The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block"}',
  ];
  const { sent } = await send('/v1/messages', {
    ...{ model: AT_BEDROCK, max_tokens: 5_000 },
    messages: [
      { role: 'user', content: 'Hi' },
      {
        role: 'assistant',
        content: [
          { type: 'thinking', thinking: 'Hm.', signature: 'c2lnbmF0dXJl' },
          { type: 'text', text: 'Hello' },
        ],
      },
      { role: 'user', content: 'Again' },
    ],
  });
  assert.equal(upstream.requests.length, 2);
  assert.match(upstream.requests[0]?.body ?? '', /c2lnbmF0dXJl/);
  assert.ok(!JSON.stringify(sent).includes('c2lnbmF0dXJl'), JSON.stringify(sent));
});

const refuse = (message: string) => [JSON.stringify({ error: { message, type: 'invalid_request_error' } })];

test('a model that does not reason is asked again without the reasoning of another', async () => {
  refusals = refuse('Reasoning input items can only be provided to a reasoning or computer use model.');
  const { sent } = await send('/v1/responses', {
    model: 'openai/gpt-4.1',
    input: [
      { role: 'user', content: 'Hi' },
      { type: 'reasoning', summary: [], encrypted_content: 'c2VhbGVk' },
      { role: 'assistant', content: 'Hello' },
      { role: 'user', content: 'Again' },
    ],
  });
  assert.equal(upstream.requests.length, 2);
  assert.ok(!JSON.stringify(sent).includes('c2VhbGVk'), JSON.stringify(sent));
});

const CHAT_REASONING = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello', reasoning_content: 'Hm.' },
  { role: 'user', content: 'Again' },
] as const;

for (const field of ['reasoning_content', 'reasoning'] as const) {
  test(`a server that takes no reasoning is asked again without it, which is named as the client has it: ${field}`, async () => {
    refusals = refuse(`'messages.1' : property '${field}' is unsupported`);
    const [user, { reasoning_content: thought, ...assistant }, again] = CHAT_REASONING;
    const messages = [user, { ...assistant, [field]: thought }, again];
    const { sent, dropped } = await send('/v1/chat/completions', { model: 'compat/m', messages });
    assert.ok(!JSON.stringify(sent).includes('Hm.') && !JSON.stringify(sent).includes('reasoning'));
    assert.deepEqual(dropped, [`messages[1].${field}`]);
  });
}

test('one that demands reasoning back is not asked again without it', async () => {
  refusals = refuse('The `reasoning_content` in the thinking mode must be passed back to the API.');
  const body = { model: 'compat/m', messages: CHAT_REASONING };
  const response = await gateway.post('/v1/chat/completions', body);
  assert.deepEqual([response.status, upstream.requests.length], [400, 1]);
  assert.equal(response.headers.get('x-fairlead-dropped'), null);
});

test('a thought that goes back without its signature is named by it, as a call is', async () => {
  refusals = [
    JSON.stringify({
      error: { code: 400, message: 'Corrupted thought signature.', status: 'INVALID_ARGUMENT' },
    }),
  ];
  const thoughtSignature = Buffer.from('signed').toString('base64');
  const { sent, dropped } = await send('/v1beta/models/gemini%2Fgemini-2.5-flash:generateContent', {
    contents: [
      { role: 'user', parts: [{ text: 'What time is it?' }] },
      {
        role: 'model',
        parts: [
          { text: 'Hm.', thought: true, thoughtSignature },
          { functionCall: { id: 'call_1', name: 'now', args: {} }, thoughtSignature },
        ],
      },
      {
        role: 'user',
        parts: [{ functionResponse: { id: 'call_1', name: 'now', response: { time: '12:00' } } }],
      },
    ],
  });
  assert.ok(!JSON.stringify(sent).includes(thoughtSignature), JSON.stringify(sent));
  assert.deepEqual(dropped, [
    'contents[1].parts[0].thoughtSignature',
    'contents[1].parts[1].thoughtSignature',
  ]);
});

for (const [path, history] of [
  ['/v1/responses', { input: RESPONSES_HISTORY }],
  ['/v1/chat/completions', { messages: CHAT_HISTORY }],
] as const) {
  test(`what the configuration says beside the caller is bridged, too: ${path}`, async () => {
    const { sent, dropped } = await send(path, { model: 'warm', ...history });
    assert.ok(!('temperature' in sent), JSON.stringify(sent));
    assert.ok(dropped.includes('temperature'), String(dropped));
  });
}

test('what is encoded again for a server that is not OpenAI\u2019s stays as it is, as what passes through', async () => {
  const body = { messages: CHAT_HISTORY, temperature: 0.2, reasoning_effort: 'max' };
  const { sent } = await send('/v1/chat/completions', { model: 'compat/gpt-5', ...body });
  assert.deepEqual([sent['temperature'], sent['reasoning_effort']], [0.2, 'max']);
});
