import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectEvents } from '../../../src/conversation/collect.ts';
import { decodeResponse } from '../../../src/dialects/chat/response.ts';
import { ChatStreamDecoder } from '../../../src/dialects/chat/stream-decoder.ts';
import { ThinkTags } from '../../../src/dialects/chat/think-tags.ts';

/** What is thought and what is said, in one text each. */
function split(pieces: readonly string[]): { reasoning: string; text: string } {
  const tags = new ThinkTags();
  const chunks = [...pieces.flatMap((piece) => tags.read(piece)), ...tags.end()];
  const said = (kind: string) =>
    chunks
      .filter((chunk) => chunk.kind === kind)
      .map(({ text }) => text)
      .join('');
  return { reasoning: said('reasoning'), text: said('text') };
}

const TEXTS: [content: string, reasoning: string, text: string][] = [
  ['<think>\nHm.\n</think>\n\nYes.', 'Hm.\n', 'Yes.'],
  ['<think></think>Yes.', '', 'Yes.'],
  ['\n\n<think>a < b </thin</think> c', 'a < b </thin', 'c'],
  ['<think>cut off </th', 'cut off </th', ''],
  ['<thi', '', '<thi'],
  ['<thinking>No tag.', '', '<thinking>No tag.'],
  ['Write <think>x</think>.', '', 'Write <think>x</think>.'],
  ['<think>a</think>b<think>c</think>', 'a', 'b<think>c</think>'],
  [' plain ', '', ' plain '],
  ['', '', ''],
];

for (const [content, reasoning, text] of TEXTS) {
  test(`${JSON.stringify(content)}: thought and said, however it is cut`, () => {
    assert.deepEqual(split([content]), { reasoning, text });
    assert.deepEqual(split([...content]), { reasoning, text });
  });
}

test('property: the cuts between pieces change nothing', () => {
  const anyContent = fc.array(
    fc.constantFrom('<think>', '</think>', '<', '/', 'think', '>', '\n', ' ', 'é😀'),
  );
  fc.assert(
    fc.property(anyContent, fc.array(fc.nat(40)), (words, cuts) => {
      const content = words.join('');
      const at = [...cuts, content.length].map((cut) => Math.min(cut, content.length)).sort((a, b) => a - b);
      const pieces = at.map((cut, index) => content.slice(at[index - 1] ?? 0, cut));
      assert.deepEqual(split(pieces), split([content]));
    }),
  );
});

test('whole answers and streams give the same parts', () => {
  const content = '<think>\nHm.</think>\n\nYes.';
  const whole = decodeResponse(
    { id: 'c', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }] },
    { thinkTags: true },
  );
  const decoder = new ChatStreamDecoder({ thinkTags: true });
  const chunk = (delta: object, finish: string | null = null) => ({
    data: JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: finish }] }),
  });
  const { completion } = collectEvents([
    ...[...content].flatMap((piece) => decoder.push(chunk({ content: piece }))),
    ...decoder.push(chunk({}, 'stop')),
    ...decoder.push({ data: '[DONE]' }),
  ]);
  for (const { choices } of [whole, completion]) {
    assert.deepEqual(choices[0]?.parts, [
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'Yes.' },
    ]);
  }
});

test('without the quirk tags are text', () => {
  const { choices } = decodeResponse({
    id: 'c',
    choices: [{ index: 0, message: { content: '<think>x</think>y' }, finish_reason: 'stop' }],
  });
  assert.deepEqual(choices[0]?.parts, [{ type: 'text', text: '<think>x</think>y' }]);
});
