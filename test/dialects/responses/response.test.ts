import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Completion, FinishReason } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { isObject, type JsonObject } from '../../../src/conversation/json.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { responses } from '../../../src/dialects/responses/index.ts';

function completionOf(
  parts: Part[],
  more: Partial<Completion> = {},
  finish: FinishReason = 'stop',
): Completion {
  return { id: 'chatcmpl-1', model: 'm-1', created: 7, choices: [{ index: 0, parts, finish }], ...more };
}

function outputOf(parts: Part[], finish: FinishReason = 'stop'): unknown {
  return responses.encodeResponse(completionOf(parts, {}, finish))['output'];
}

test('a text of another dialect is a message with ids made from the completion and the place', () => {
  const parts: Part[] = [
    { type: 'reasoning', text: 'Hm.' },
    { type: 'text', text: 'Hi', citations: [{ url: 'https://a.example', title: 'A', start: 0, end: 2 }] },
    { type: 'refusal', text: 'No more.' },
    { type: 'tool_call', id: 'call_1', kind: 'function', name: 'f', arguments: '' },
    { type: 'tool_call', id: 'call_2', kind: 'custom', name: 'sh', arguments: 'ls' },
  ];
  assert.deepEqual(outputOf(parts), [
    {
      type: 'reasoning',
      id: 'rs_chatcmpl-1__fl1__0',
      summary: [{ type: 'summary_text', text: 'Hm.' }],
    },
    {
      id: 'msg_chatcmpl-1__fl1__1',
      type: 'message',
      status: 'completed',
      role: 'assistant',
      content: [
        {
          type: 'output_text',
          text: 'Hi',
          annotations: [
            { type: 'url_citation', start_index: 0, end_index: 2, url: 'https://a.example', title: 'A' },
          ],
          logprobs: [],
        },
        { type: 'refusal', refusal: 'No more.' },
      ],
    },
    {
      id: 'fc_chatcmpl-1__fl1__2',
      type: 'function_call',
      call_id: 'call_1',
      name: 'f',
      status: 'completed',
      arguments: '{}',
    },
    {
      id: 'ctc_chatcmpl-1__fl1__3',
      type: 'custom_tool_call',
      call_id: 'call_2',
      name: 'sh',
      status: 'completed',
      input: 'ls',
    },
  ]);
});

test('an image that a model made is the item of the tool that makes images', () => {
  const source = { kind: 'data', mediaType: 'image/png', base64: 'AAAA' } as const;
  assert.deepEqual(outputOf([{ type: 'image', source }]), [
    {
      id: 'ig_chatcmpl-1__fl1__0',
      type: 'image_generation_call',
      status: 'completed',
      output_format: 'png',
      result: 'AAAA',
    },
  ]);
});

test('what is of another dialect alone has no item', () => {
  assert.deepEqual(
    outputOf([{ type: 'opaque', dialect: 'messages', value: { type: 'server_tool_use' } }]),
    [],
  );
});

const STATUSES: [FinishReason, string, unknown][] = [
  ['stop', 'completed', null],
  ['length', 'incomplete', { reason: 'max_output_tokens' }],
  ['context_length', 'incomplete', { reason: 'max_output_tokens' }],
  ['content_filter', 'incomplete', { reason: 'content_filter' }],
  ['tool_calls', 'completed', null],
];

for (const [finish, status, details] of STATUSES) {
  test(`an answer that ends with ${finish} is ${status}`, () => {
    const body = responses.encodeResponse(completionOf([{ type: 'text', text: 'x' }], {}, finish));
    assert.deepEqual([body['status'], body['incomplete_details']], [status, details]);
    const [message] = body['output'] as JsonObject[];
    assert.equal(message?.['status'], status);
    const read = finish === 'context_length' ? 'length' : finish === 'tool_calls' ? 'stop' : finish;
    assert.equal(responses.decodeResponse(body).choices[0]?.finish, read);
  });
}

test('an answer with calls ends so that they are called', () => {
  const body = responses.encodeResponse(
    completionOf([{ type: 'tool_call', id: 'c', kind: 'function', name: 'f', arguments: '{}' }]),
  );
  assert.equal(responses.decodeResponse(body).choices[0]?.finish, 'tool_calls');
});

test('an end of which nobody says why is incomplete without a reason, as OpenAI leaves it out', () => {
  const body = responses.encodeResponse(completionOf([{ type: 'text', text: 'x' }], {}, 'other'));
  assert.deepEqual([body['status'], body['incomplete_details']], ['incomplete', {}]);
  assert.equal((body['output'] as JsonObject[])[0]?.['status'], 'incomplete');
  assert.equal(responses.decodeResponse(body).choices[0]?.finish, 'other');
});

test('an end that we do not know stays as it was', () => {
  const body = {
    id: 'resp_1',
    object: 'response',
    status: 'incomplete',
    incomplete_details: { reason: 'max_tool_calls' },
    output: [],
  };
  const completion = responses.decodeResponse(body);
  assert.equal(completion.choices[0]?.finish, 'other');
  const again = responses.encodeResponse(completion);
  assert.deepEqual(
    [again['status'], again['incomplete_details']],
    ['incomplete', { reason: 'max_tool_calls' }],
  );
});

test('the response repeats what the request said, and says what it did not say as OpenAI does', () => {
  const tools = [{ type: 'function', name: 'f', parameters: {}, strict: null }];
  const request = {
    model: 'smart',
    input: 'Hi',
    instructions: 'Be brief.',
    tools,
    tool_choice: 'required',
    temperature: 0.2,
    reasoning: { effort: 'low' },
    text: { verbosity: 'low' },
    metadata: { a: 'b' },
    store: false,
    previous_response_id: 'resp_0',
    parallel_tool_calls: false,
    truncation: 'auto',
    max_output_tokens: 99,
  };
  const body = responses.encodeResponse(completionOf([]), request);
  const { model: _, input: __, reasoning, text, ...repeated } = request;
  for (const [key, value] of Object.entries(repeated)) assert.deepEqual(body[key], value, key);
  assert.deepEqual(body['reasoning'], { ...reasoning, summary: null });
  assert.deepEqual(body['text'], { format: { type: 'text' }, ...text });
  assert.equal(body['model'], 'm-1');
  assert.equal(body['id'], 'resp_chatcmpl-1');
  const bare = responses.encodeResponse(completionOf([]));
  assert.deepEqual([bare['tools'], bare['tool_choice'], bare['top_p']], [[], 'auto', 1]);
});

test('usage is taken apart and put together again, with what the provider said beyond it', () => {
  const usage = {
    input_tokens: 10,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 9,
    output_tokens_details: { reasoning_tokens: 3 },
    total_tokens: 19,
    cost: 0.5,
  };
  const completion = responses.decodeResponse({ id: 'r', status: 'completed', output: [], usage });
  const counts = { ...NO_USAGE, input: 6, cacheRead: 4, output: 6, reasoning: 3 };
  assert.deepEqual(completion.usage, { ...counts, saidMicroUsd: 500_000 });
  assert.deepEqual(responses.encodeResponse(completion)['usage'], usage);
});

test('log probabilities stand with the text, in both directions', () => {
  const logprobs = [{ token: 'x', logprob: -1, bytes: [120], top_logprobs: [] }];
  const completion = completionOf([{ type: 'text', text: 'x' }]);
  const [choice] = completion.choices;
  assert.ok(choice);
  choice.logprobs = { content: logprobs, refusal: null };
  const body = responses.encodeResponse(completion);
  const [message] = body['output'] as { content: JsonObject[] }[];
  assert.deepEqual(message?.content[0]?.['logprobs'], logprobs);
  assert.deepEqual(responses.decodeResponse(body).choices[0]?.logprobs, choice.logprobs);
});

test('what is no response, or a failed one, is an error', () => {
  for (const body of [null, {}, { object: 'chat.completion', choices: [] }, 'text', []]) {
    assert.throws(() => responses.decodeResponse(body), { kind: 'upstream_unavailable' });
  }
  const failed = {
    id: 'resp_1',
    status: 'failed',
    error: { code: 'rate_limit_exceeded', message: 'Too many' },
    output: [],
  };
  assert.throws(() => responses.decodeResponse(failed), {
    kind: 'upstream_rate_limited',
    message: 'Too many',
    code: 'rate_limit_exceeded',
  });
  assert.throws(() => responses.decodeResponse({ id: 'resp_1', status: 'cancelled', output: [] }), {
    kind: 'upstream_unavailable',
  });
});

test('the summary pieces of reasoning are one text, and stay apart for clients of this dialect', () => {
  const item = {
    type: 'reasoning',
    id: 'rs_1',
    summary: [
      { type: 'summary_text', text: 'One' },
      { type: 'summary_text', text: 'Two' },
    ],
    encrypted_content: 'gAAA',
  };
  const completion = responses.decodeResponse({ id: 'resp_1', status: 'completed', output: [item] });
  const [part] = completion.choices[0]?.parts ?? [];
  assert.ok(part?.type === 'reasoning');
  assert.equal(part.text, 'One\n\nTwo');
  assert.deepEqual(part.encrypted, { dialect: 'responses', value: 'gAAA' });
  assert.deepEqual(responses.encodeResponse(completion)['output'], [item]);
});

test('an item of a built-in tool comes through whole', () => {
  const output = [
    { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'q' } },
    { type: 'from_the_future', id: 'x_1', any: [1] },
  ];
  const completion = responses.decodeResponse({ id: 'resp_1', status: 'completed', output });
  assert.deepEqual(responses.encodeResponse(completion)['output'], output);
});

test('errors are those of OpenAI', () => {
  const error = responses.encodeError(
    (() => {
      try {
        responses.decodeRequest({ model: 'm', input: [{ type: 'item_reference', id: 'msg_1' }] }, {});
      } catch (thrown) {
        return thrown as never;
      }
      throw new Error('an unresolved reference was taken');
    })(),
  );
  assert.ok(isObject(error['error']));
  assert.equal(error['error']['param'], 'input[0].id');
});
