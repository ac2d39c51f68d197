import assert from 'node:assert/strict';
import { test } from 'node:test';
import { completionEvents } from '../../../src/conversation/collect.ts';
import type { CompletionEvent } from '../../../src/conversation/completion.ts';
import type { Part } from '../../../src/conversation/conversation.ts';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { accumulate, readEvents } from './sdk-oracle.ts';
import { encodeEvents, framesOf } from './streams.ts';

const START: CompletionEvent = { type: 'start', id: 'msg_1', model: 'm' };
const FINISH: CompletionEvent = { type: 'finish', choice: 0, reason: 'stop' };
const USAGE: CompletionEvent = { type: 'usage', usage: { ...NO_USAGE, input: 3, output: 5 } };
const END: CompletionEvent = { type: 'end' };

function begin(part: number, value: Part): CompletionEvent {
  return { type: 'part_start', choice: 0, part, value };
}

function more(part: number, delta: string): CompletionEvent {
  return { type: 'part_delta', choice: 0, part, delta };
}

function close(part: number): CompletionEvent {
  return { type: 'part_end', choice: 0, part };
}

function tool(id: string): Part {
  return { type: 'tool_call', id, name: 'look', kind: 'function', arguments: '' };
}

function outline(events: CompletionEvent[]): string[] {
  return framesOf(encodeEvents(events)).map(([event, { index, delta }]) => {
    const type = typeof delta === 'object' && delta !== null && 'type' in delta ? ` ${delta['type']}` : '';
    return `${event}${index === undefined ? '' : ` ${index}`}${type}`;
  });
}

test('the events of an answer come in the order of the API', () => {
  const events = [START, begin(0, { type: 'text', text: '' }), more(0, 'Hi'), close(0), FINISH, USAGE, END];
  assert.deepEqual(outline(events), [
    'message_start',
    'content_block_start 0',
    'content_block_delta 0 text_delta',
    'content_block_stop 0',
    'message_delta',
    'message_stop',
  ]);
  assert.deepEqual(framesOf(encodeEvents(events)).at(-2)?.[1], {
    type: 'message_delta',
    delta: { stop_reason: 'end_turn', stop_sequence: null },
    usage: {
      input_tokens: 3,
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 0 },
      output_tokens: 5,
    },
  });
});

test('each event’s name is its type', () => {
  for (const [event, data] of framesOf(encodeEvents([START, FINISH, END]))) assert.equal(data['type'], event);
});

test('calls that come in parallel are written one after the other', () => {
  const events = [
    START,
    begin(0, tool('a')),
    more(0, '{"x"'),
    begin(1, tool('b')),
    more(1, '{"y"'),
    more(0, ':1}'),
    more(1, ':2}'),
    close(1),
    close(0),
    { ...FINISH, reason: 'tool_calls' as const },
    END,
  ];
  assert.deepEqual(outline(events), [
    'message_start',
    'content_block_start 0',
    'content_block_delta 0 input_json_delta',
    'content_block_delta 0 input_json_delta',
    'content_block_stop 0',
    'content_block_start 1',
    'content_block_delta 1 input_json_delta',
    'content_block_delta 1 input_json_delta',
    'content_block_stop 1',
    'message_delta',
    'message_stop',
  ]);
});

test('the official SDK reads the stream', async () => {
  const parts: Part[] = [
    { type: 'reasoning', text: 'hm', signature: { dialect: 'messages', value: 'S' } },
    { type: 'text', text: 'Hi' },
    { type: 'tool_call', id: 't', name: 'look', kind: 'function', arguments: '{"a":[1,"ä"]}' },
    { type: 'tool_call', id: 'u', name: 'patch', kind: 'custom', arguments: 'free\n"text"' },
  ];
  const completion = {
    id: 'msg_1',
    model: 'm',
    choices: [{ index: 0, parts, finish: 'tool_calls' as const }],
    usage: { ...NO_USAGE, input: 3, cacheRead: 2, output: 5 },
  };
  const message = await accumulate(readEvents(encodeEvents(completionEvents(completion))));
  assert.deepEqual(message['content'], [
    { type: 'thinking', thinking: 'hm', signature: 'S' },
    { type: 'text', text: 'Hi' },
    { type: 'tool_use', id: 't', name: 'look', input: { a: [1, 'ä'] } },
    { type: 'tool_use', id: 'u', name: 'patch', input: { input: 'free\n"text"' } },
  ]);
  assert.equal(message['stop_reason'], 'tool_use');
  assert.equal((message['usage'] as Record<string, unknown>)['cache_read_input_tokens'], 2);
});

test('parts without a block in this dialect take no index', () => {
  const image: Part = { type: 'image', source: { kind: 'url', url: 'https://x.test' } };
  const events = [START, begin(0, image), close(0), begin(1, tool('a')), close(1), FINISH, END];
  assert.deepEqual(outline(events), [
    'message_start',
    'content_block_start 0',
    'content_block_stop 0',
    'message_delta',
    'message_stop',
  ]);
});

test('other choices than the first are passed over', () => {
  const other = begin(0, { type: 'text', text: '' });
  const events: CompletionEvent[] = [START, { ...other, choice: 1 } as CompletionEvent, FINISH, END];
  assert.deepEqual(outline(events), ['message_start', 'message_delta', 'message_stop']);
});

test('a failure in the middle is an error event, as the SDK expects one', () => {
  const error = new GatewayError('overloaded', 'Busy.');
  const bytes = encodeEvents([START, { type: 'error', error }]);
  assert.deepEqual(framesOf(bytes).at(-1), [
    'error',
    { type: 'error', error: { type: 'overloaded_error', message: 'Busy.' } },
  ]);
});

test('reasoning that nobody can read is a block that is whole from its start, and one that has text shows it', () => {
  const encrypted = { dialect: 'messages' as const, value: 'QUJD' };
  const redacted = begin(0, { type: 'reasoning', text: '', encrypted });
  const blocks = (...events: CompletionEvent[]) =>
    outline([START, ...events, FINISH, USAGE, END]).filter((line) => line.startsWith('content_block'));
  assert.deepEqual(blocks(redacted, close(0)), ['content_block_start 0', 'content_block_stop 0']);
  // As a whole answer is told as events: its text comes behind.
  assert.deepEqual(blocks(redacted, more(0, ''), close(0)), [
    'content_block_start 0',
    'content_block_stop 0',
  ]);
  const shown = [
    'content_block_start 0',
    'content_block_delta 0 thinking_delta',
    'content_block_delta 0 signature_delta',
    'content_block_stop 0',
  ];
  assert.deepEqual(blocks(redacted, more(0, 'Hm'), close(0)), shown);
  const frames = framesOf(encodeEvents([START, redacted, close(0), FINISH, USAGE, END]));
  assert.deepEqual(frames.find(([event]) => event === 'content_block_start')?.[1]['content_block'], {
    type: 'redacted_thinking',
    data: 'QUJD',
  });
});
