import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Choice, Completion } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../../../src/conversation/json.ts';
import { scanAnswer } from '../../../src/dialects/answer-scan.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { passThrough } from '../../../src/dialects/chat/pass-through.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { objectsOf } from '../../support/values.ts';

function answer(message: JsonObject, choice: JsonObject = {}, more: JsonObject = {}): JsonObject {
  return {
    id: 'c-1',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...choice }],
    ...more,
  };
}

function decodeChoice(message: JsonObject, choice: JsonObject = {}): Choice | undefined {
  return chat.decodeResponse(answer(message, choice)).choices[0];
}

function encodeParts(...parts: Part[]): { message: JsonObject; finish: JsonValue | undefined } {
  const completion: Completion = { id: 'x', model: 'm', choices: [{ index: 0, parts, finish: 'stop' }] };
  const [choice] = objectsOf(chat.encodeResponse(completion)['choices']);
  return { message: choice?.['message'] as JsonObject, finish: choice?.['finish_reason'] };
}

const NO_ANSWERS: [what: string, body: JsonValue][] = [
  ['a list', []],
  ['a text', 'ok'],
  ['null', null],
  ['an object without choices', { id: 'x' }],
  ['null choices', { choices: null }],
  ['no choices', { choices: [] }],
];

for (const [what, body] of NO_ANSWERS) {
  test(`${what} is no answer`, () => {
    assert.throws(
      () => chat.decodeResponse(body),
      (error) => error instanceof GatewayError && error.kind === 'upstream_unavailable',
    );
  });
}

test('an error in place of an answer is that error', () => {
  const inside = {
    choices: [{ index: 0, error: { code: 429, message: 'Slow down' }, finish_reason: 'error' }],
  };
  for (const body of [{ error: { code: 429, message: 'Slow down' } }, inside]) {
    assert.throws(
      () => chat.decodeResponse(body),
      (error) =>
        error instanceof GatewayError &&
        error.kind === 'upstream_rate_limited' &&
        error.message === 'Slow down',
    );
  }
});

test('a choice that ended with an error is no answer, whatever was said until then', () => {
  const failed = { index: 0, message: { role: 'assistant', content: 'Hal' }, finish_reason: 'error' };
  for (const body of [{ choices: [failed] }, { choices: [{ ...failed, finish_reason: 'stop' }, failed] }]) {
    assert.throws(() => chat.decodeResponse(body), { kind: 'upstream_unavailable' });
    const bytes = Buffer.from(JSON.stringify(body));
    for (const scan of [scanAnswer(bytes), undefined])
      assert.equal(passThrough.readFailure?.(bytes, scan)?.kind, 'upstream_unavailable');
  }
  const spoken = {
    choices: [{ index: 0, message: { role: 'assistant', content: 'error' }, finish_reason: 'eos' }],
  };
  const bytes = Buffer.from(JSON.stringify(spoken));
  assert.equal(passThrough.readFailure?.(bytes, scanAnswer(bytes)), undefined);
});

const REASONING: [what: string, message: JsonObject][] = [
  ['reasoning_content', { reasoning_content: 'Hm' }],
  ['reasoning', { reasoning: 'Hm' }],
  ['reasoning, beside an empty reasoning_content', { reasoning: 'Hm', reasoning_content: '' }],
  ['reasoning as an object', { reasoning: { content: 'Hm', signature: 's' } }],
  [
    "a thinking chunk of Mistral's",
    { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'Hm' }] }] },
  ],
];

for (const [what, message] of REASONING) {
  test(`${what} is reasoning, and a client reads it as reasoning_content`, () => {
    assert.deepEqual(decodeChoice(message)?.parts, [{ type: 'reasoning', text: 'Hm' }]);
    const [choice] = objectsOf(chat.encodeResponse(chat.decodeResponse(answer(message)))['choices']);
    assert.deepEqual(choice?.['message'], {
      role: 'assistant',
      content: '',
      refusal: null,
      reasoning_content: 'Hm',
    });
  });
}

test('reasoning details of a chat provider are read as text and given on as they came', () => {
  const details = [
    { type: 'reasoning.summary', summary: 'Hm', format: 'openai-responses-v1', index: 0 },
    { type: 'reasoning.encrypted', data: 'x', id: 'rs_1', format: 'openai-responses-v1', index: 0 },
  ];
  const body = answer({ content: 'Yes', reasoning_details: details });
  assert.deepEqual(chat.decodeResponse(body).choices[0]?.parts[0], {
    type: 'reasoning',
    text: 'Hm',
    extra: { dialect: 'chat', fields: { reasoning_details: details } },
  });
  const written = chat.encodeResponse(chat.decodeResponse(body));
  assert.deepEqual(objectsOf(written['choices'])[0]?.['message'], {
    role: 'assistant',
    content: 'Yes',
    refusal: null,
    reasoning_content: 'Hm',
    reasoning_details: details,
  });
});

test('an answer that calls tools ends so, unless it was cut off', () => {
  const tool_calls = [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }];
  const ends = ['stop', 'tool_calls', 'length', 'content_filter', 'eos', null].map(
    (finish_reason) => decodeChoice({ content: null, tool_calls }, { finish_reason })?.finish,
  );
  assert.deepEqual(ends, [
    'tool_calls',
    'tool_calls',
    'length',
    'content_filter',
    'tool_calls',
    'tool_calls',
  ]);
  const call: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{}' };
  assert.equal(encodeParts(call).finish, 'tool_calls');
});

test('tool calls are read whatever a server leaves out of them', () => {
  const tool_calls = [
    { function: { name: 'f' } },
    { id: '', function: { name: 'g', arguments: { x: 1 } } },
    { id: 'c', type: 'custom', custom: { name: 'sh', input: 'ls' }, index: 2 },
    null,
  ];
  assert.deepEqual(decodeChoice({ tool_calls })?.parts, [
    { type: 'tool_call', id: 'call_c-1_0_0', kind: 'function', name: 'f', arguments: '' },
    { type: 'tool_call', id: 'call_c-1_0_1', kind: 'function', name: 'g', arguments: '{"x":1}' },
    {
      type: 'tool_call',
      id: 'c',
      kind: 'custom',
      name: 'sh',
      arguments: 'ls',
      extra: { dialect: 'chat', fields: { index: 2 } },
    },
  ]);
  const legacy = decodeChoice({ content: null, function_call: { name: 'f', arguments: '{}' } });
  assert.equal(legacy?.parts[0]?.type, 'tool_call');
  const function_call = { name: 'f', arguments: '{}' };
  const both = decodeChoice({ function_call, tool_calls: [{ id: 'a', function: function_call }] });
  assert.deepEqual(both?.parts, [
    { type: 'tool_call', id: 'a', kind: 'function', name: 'f', arguments: '{}' },
  ]);
  const none = decodeChoice({ content: 'Hi', function_call: { name: '', arguments: '' } });
  assert.deepEqual(none?.parts, [{ type: 'text', text: 'Hi' }]);
});

test('a client always gets arguments that are JSON', () => {
  const call: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '' };
  assert.deepEqual(encodeParts(call).message['tool_calls'], [
    { id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } },
  ]);
});

test('content is null beside calls and refusals, and the empty text where nothing was said', () => {
  const call: Part = { type: 'tool_call', id: 'a', name: 'f', kind: 'function', arguments: '{}' };
  assert.equal(encodeParts(call).message['content'], null);
  assert.equal(encodeParts({ type: 'refusal', text: 'No' }).message['content'], null);
  assert.equal(encodeParts().message['content'], '');
  assert.equal(encodeParts({ type: 'refusal', text: 'No' }).message['refusal'], 'No');
});

test('several texts are one content, and citations count their places in it', () => {
  const { message } = encodeParts(
    { type: 'text', text: 'One. ' },
    { type: 'text', text: 'Two.', citations: [{ url: 'https://a.example', title: 'A', quote: 'two' }] },
    {
      type: 'text',
      text: 'x',
      citations: [{ url: 'https://b.example', start: 0, end: 1 }, { title: 'no URL' }],
    },
  );
  assert.equal(message['content'], 'One. Two.x');
  assert.deepEqual(message['annotations'], [
    {
      type: 'url_citation',
      url_citation: { start_index: 5, end_index: 9, url: 'https://a.example', title: 'A', content: 'two' },
    },
    {
      type: 'url_citation',
      url_citation: { start_index: 9, end_index: 10, url: 'https://b.example', title: '' },
    },
  ]);
});

test('what the neutral model has no word for is given on: annotations of files, audio, fields of servers', () => {
  const cited = {
    type: 'url_citation',
    url_citation: { start_index: 0, end_index: 2, url: 'https://a.example', title: 'A' },
  };
  const file = { type: 'file', file: { hash: 'h' } };
  const audio = { id: 'audio_1', expires_at: 9, transcript: 'Yes', data: 'aGk=' };
  const images = [{ type: 'image_url', image_url: { url: 'https://a.example/a.png' } }];
  const message = {
    content: 'Hi',
    refusal: null,
    annotations: [cited, file],
    audio,
    images,
    executed_tools: [1],
  };
  const more = {
    service_tier: 'default',
    system_fingerprint: null,
    usage: {
      prompt_tokens: 1,
      completion_tokens: 2,
      total_tokens: 3,
      prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0, video_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0, accepted_prediction_tokens: 1 },
      cost: 0.5,
    },
  };
  const body = answer(message, { logprobs: null, native_finish_reason: 'STOP' }, more);
  assert.deepEqual(chat.encodeResponse(chat.decodeResponse(body)), body);
});

test('choices keep their numbers, and get them where a server says none', () => {
  const two = { ...answer({}), choices: [{ message: { content: 'a' } }, { message: { content: 'b' } }] };
  assert.deepEqual(
    chat.decodeResponse(two).choices.map(({ index }) => index),
    [0, 1],
  );
});

test('parts of a content list that are no text are kept, or named where a client has no word for them', () => {
  const reference = { type: 'reference', reference_ids: [1] };
  const content = [
    { type: 'text', text: 'As said in' },
    reference,
    { type: 'image_url', image_url: { url: 'data:image/png;base64,aGk=' } },
  ];
  const parts = decodeChoice({ content })?.parts;
  assert.deepEqual(parts, [
    { type: 'text', text: 'As said in' },
    { type: 'opaque', dialect: 'chat', value: reference },
    { type: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' } },
  ]);
  const dropped: string[] = [];
  messages.encodeResponse(chat.decodeResponse(answer({ content })), undefined, dropped);
  assert.deepEqual(dropped, ['answer.reference', 'answer.image']);

  const decoder = chat.streamDecoder();
  const chunk = { choices: [{ index: 0, delta: { content }, finish_reason: 'stop' }] };
  const events = [...decoder.push({ data: JSON.stringify(chunk) }), ...decoder.end()];
  const started = events.flatMap((event) => (event.type === 'part_start' ? [event.value.type] : []));
  assert.deepEqual(started, ['text', 'opaque', 'image']);
});
