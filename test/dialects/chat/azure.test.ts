import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectEvents } from '../../../src/conversation/collect.ts';
import { chat } from '../../../src/dialects/chat/index.ts';
import { passThrough } from '../../../src/dialects/chat/pass-through.ts';
import { azureChunks } from '../../support/fake-azure.ts';

/** Chunks without choices, and choices without a delta, as Azure's content filter sends them. */
test('content filter chunks say nothing to a caller of another dialect, and break nothing', () => {
  const decoder = chat.streamDecoder();
  const events = azureChunks(true).flatMap((chunk) => decoder.push({ data: JSON.stringify(chunk) }));
  const { completion, error, ended } = collectEvents([
    ...events,
    ...decoder.push({ data: '[DONE]' }),
    ...decoder.end(),
  ]);
  assert.equal(error, undefined);
  assert.equal(ended, true);
  assert.deepEqual(
    completion.choices.map(({ parts, finish }) => ({ parts, finish })),
    [{ parts: [{ type: 'text', text: 'Hello' }], finish: 'stop' }],
  );
  assert.equal(completion.id, 'chatcmpl-1');
  assert.equal(completion.model, 'gpt-4.1-2025-04-14');
  assert.deepEqual([completion.usage?.input, completion.usage?.output], [7, 2]);
});

test('what the content filter sends beside the answer has a choice with a delta for clients of this dialect', () => {
  const scanner = passThrough.streamScanner({ hideUsage: false });
  for (const chunk of azureChunks(true)) {
    const relayed = scanner.scan(Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`)).toString();
    const { choices, usage, ...rest } = JSON.parse(relayed.slice('data: '.length)) as Record<string, unknown>;
    assert.ok(Array.isArray(choices));
    if (!usage) assert.ok(choices.length > 0);
    for (const choice of choices) assert.equal(typeof (choice as { delta: unknown }).delta, 'object');
    for (const [field, value] of Object.entries(rest))
      assert.deepEqual(chunk[field as keyof typeof chunk], value);
  }
});

test('an error after the prompt filter chunk still comes before any output', () => {
  const scanner = passThrough.streamScanner({ hideUsage: false });
  const [first, ...others] = azureChunks(false).map((chunk) =>
    Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`),
  );
  scanner.scan(first ?? Buffer.alloc(0));
  assert.equal(scanner.hasOutput, false);
  const failing = passThrough.streamScanner({ hideUsage: false });
  failing.scan(first ?? Buffer.alloc(0));
  failing.scan(Buffer.from('data: {"error":{"code":"429","message":"Too many tokens"}}\n\n'));
  assert.equal(failing.hasOutput, false);
  assert.match(failing.failure?.message ?? '', /Too many tokens/);
  for (const chunk of others) scanner.scan(chunk);
  assert.equal(scanner.hasOutput, true);
  assert.equal(scanner.finished, true);
});
