import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_USAGE } from '../../../src/conversation/usage.ts';
import { passThrough } from '../../../src/dialects/chat/pass-through.ts';
import { findTopLevelFields } from '../../../src/dialects/request-fields.ts';

function prepare(text: string, options: { stream: boolean }): string {
  const body = Buffer.from(text);
  const spans = findTopLevelFields(body, passThrough.fields);
  return passThrough.prepareRequest(body, spans, { model: 'gpt-x', ...options }).toString();
}

test('only the model changes: unknown fields, numbers, order and spacing stay as they came', () => {
  assert.equal(
    prepare('{ "future":[1e999, 12345678901234567890], "model" : "smart" ,"messages":[]}', { stream: false }),
    '{ "future":[1e999, 12345678901234567890], "model" : "gpt-x" ,"messages":[]}',
  );
});

test('a stream is asked to report its usage, and other stream options are kept', () => {
  assert.equal(
    prepare('{"model":"smart","stream":true}', { stream: true }),
    '{"stream_options":{"include_usage":true},"model":"gpt-x","stream":true}',
  );
  assert.equal(
    prepare('{"stream_options":{"include_obfuscation":false},"model":"smart","stream":true}', {
      stream: true,
    }),
    '{"stream_options":{"include_obfuscation":false,"include_usage":true},"model":"gpt-x","stream":true}',
  );
  assert.equal(
    prepare('{"model":"smart","stream":true,"stream_options":null}', { stream: true }),
    '{"model":"gpt-x","stream":true,"stream_options":{"include_usage":true}}',
  );
});

test('the usage of a whole answer is found, also behind tool arguments that speak of "usage"', () => {
  const answer = {
    choices: [{ message: { tool_calls: [{ function: { arguments: '{"usage":{"prompt_tokens":9}}' } }] } }],
    usage: { prompt_tokens: 10, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 4 } },
    service_tier: 'usage',
  };
  for (const space of [0, 2]) {
    assert.deepEqual(passThrough.readUsage(Buffer.from(JSON.stringify(answer, null, space))), {
      ...NO_USAGE,
      input: 6,
      cacheRead: 4,
      output: 3,
    });
  }
  assert.equal(passThrough.readUsage(Buffer.from('{"choices":[],"usage":null}')), undefined);
  assert.equal(passThrough.readUsage(Buffer.from('{"usage":')), undefined);
});

const ROLE =
  'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n';
const TEXT =
  'data: {"choices":[{"index":0,"delta":{"content":"Hi \\"usage\\": {"},"finish_reason":null}],"usage":null}\n\n';
const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n';
const DONE = 'data: [DONE]\n\n';

function scanAll(events: string[], hideUsage: boolean) {
  const scanner = passThrough.streamScanner({ hideUsage });
  const relayed = events.map((event) => scanner.scan(Buffer.from(event)).toString()).join('');
  return { scanner, relayed };
}

test('what stands behind the last blank line is an event only if it is whole', () => {
  const { scanner } = scanAll([ROLE, TEXT], true);
  for (const whole of [FINISH.trimEnd(), DONE.trimEnd(), `event: x\r\n${FINISH.trimEnd()}\r\n`]) {
    assert.equal(scanner.isWholeEvent(Buffer.from(whole)), true, whole);
  }
  for (const cut of ['', 'da', 'data: ', FINISH.slice(0, 30), 'data: [DO', ': a comment']) {
    assert.equal(scanner.isWholeEvent(Buffer.from(cut)), false, cut);
  }
});

test('usage is found in a stream and shown only to clients that asked for it', () => {
  const events = [ROLE, TEXT, FINISH, USAGE, DONE];
  const shown = scanAll(events, false);
  assert.equal(shown.relayed, events.join(''));
  const hidden = scanAll(events, true);
  assert.equal(hidden.relayed, [ROLE, TEXT, FINISH, DONE].join(''));
  for (const { scanner } of [shown, hidden]) {
    assert.deepEqual(scanner.usage, { ...NO_USAGE, input: 5, output: 2 });
    assert.ok(scanner.finished && scanner.terminated && scanner.hasOutput);
    assert.equal(scanner.closing(), '');
  }
});

test('a burst of all events in one packet is read the same', () => {
  const { scanner, relayed } = scanAll([ROLE + TEXT + FINISH + USAGE + DONE], true);
  assert.equal(relayed, [ROLE, TEXT, FINISH, DONE].join(''));
  assert.deepEqual(scanner.usage, { ...NO_USAGE, input: 5, output: 2 });
});

test('usage that stands in a chunk with choices stays: hiding it would hide them', () => {
  const both =
    'data: {"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}\n\n';
  const { scanner, relayed } = scanAll([both], true);
  assert.equal(relayed, both);
  assert.equal(scanner.usage?.input, 5);
});

test('role chunks and comments are no output; text, reasoning and tool calls are', () => {
  assert.equal(scanAll([ROLE, ': OPENROUTER PROCESSING\n\n'], true).scanner.hasOutput, false);
  for (const delta of [
    '{"content":"x"}',
    '{"reasoning_content":"x"}',
    '{"tool_calls":[{"index":0}]}',
    '{"refusal":"no"}',
  ]) {
    const event = `data: {"choices":[{"index":0,"delta":${delta}}]}\n\n`;
    assert.equal(scanAll([ROLE, event], true).scanner.hasOutput, true, delta);
  }
});

test('a stream that says neither a finish reason nor [DONE] has not finished', () => {
  assert.equal(scanAll([ROLE, TEXT], true).scanner.finished, false);
});

test('a finish reason without [DONE] is completed', () => {
  const { scanner } = scanAll([ROLE, TEXT, FINISH], true);
  assert.ok(scanner.finished && !scanner.terminated);
  assert.equal(scanner.closing(), DONE);
});

test('an error inside the stream is noticed, first or later', () => {
  const error = 'data: {"error":{"message":"overloaded","code":503}}\n\n';
  assert.match(scanAll([error], true).scanner.failure?.message ?? '', /overloaded/);
  assert.match(scanAll([ROLE, TEXT, error], true).scanner.failure?.message ?? '', /overloaded/);
});
