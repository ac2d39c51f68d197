import assert from 'node:assert/strict';
import { test } from 'node:test';
import { passThrough as chat } from '../../src/dialects/chat/pass-through.ts';
import { eventField, withData } from '../../src/dialects/event-bytes.ts';
import { passThrough as gemini } from '../../src/dialects/gemini/pass-through.ts';

const BOM = '\uFEFF';

test('a byte order mark before a stream hides nothing of its first event', () => {
  assert.equal(eventField(`${BOM}data: {"a":1}\n\n`, 'data'), '{"a":1}');
  assert.equal(eventField(`${BOM}event: x\ndata: 1\n\n`, 'event'), 'x');
  assert.equal(withData(`${BOM}data: 1\nid: 7\n\n`, '2'), 'id: 7\ndata: 2\n\n');
});

test('it is relayed as it came', () => {
  const bytes = Buffer.from(
    `${BOM}data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}}\n\n`,
  );
  const scanner = gemini.streamScanner({ hideUsage: false });
  assert.equal(scanner.scan(bytes), bytes);
  assert.deepEqual([scanner.hasOutput, scanner.finished, scanner.usage?.output], [true, true, 5]);
  const failing = chat.streamScanner({ hideUsage: false });
  failing.scan(Buffer.from(`${BOM}data: {"error":{"message":"Busy"}}\n\n`));
  assert.equal(failing.failure?.message, 'Busy');
});
