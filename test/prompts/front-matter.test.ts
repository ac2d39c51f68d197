import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PromptFileError } from '../../src/prompts/problem.ts';
import { readPromptFile } from '../../src/prompts/prompt-file.ts';

test('front matter ends with its line, whatever follows', () => {
  for (const [source, model, template] of [
    ['---\nmodel: m\n---', 'm', ''],
    ['---\r\nmodel: m\r\n---', 'm', ''],
    ['---\nmodel: m\n---\n', 'm', ''],
    ['---\nmodel: m\n---\nHi', 'm', 'Hi'],
    ['---\nmodel: m\n---\nHi\n---\nHo', 'm', 'Hi\n---\nHo'],
    ['---\n---\nHi', undefined, 'Hi'],
    ['---\n---', undefined, ''],
    ['---\n# nothing\n---\nHi', undefined, 'Hi'],
    ['Hi\n---\nmodel: m\n---', undefined, 'Hi\n---\nmodel: m\n---'],
  ] as const) {
    const { parsed } = readPromptFile(source);
    assert.deepEqual([parsed.model, parsed.template], [model, template], JSON.stringify(source));
  }
});

test('lines are counted from the first of the file', () => {
  assert.equal(readPromptFile('---\n---\n\nHi').linesBefore, 3);
  assert.equal(readPromptFile('---\r\nmodel: m\r\n---\r\nHi').linesBefore, 3);
  assert.equal(readPromptFile('---\nconfig: { seed: 1 }\nmodel: m\n---\nHi').lineOf(['model']), 3);
});

test('front matter that cannot be read is no prompt, and does nothing else', () => {
  const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let at = 1; at < 9; at += 1)
    bomb.push(`a${at}: &a${at} [${Array.from({ length: 10 }, () => `*a${at - 1}`).join(', ')}]`);
  for (const [text, expected] of [
    [bomb.join('\n'), /^line 2: .*alias/],
    ['model: m\n__proto__.tainted: yes', /^line 3: .*'__proto__\.tainted'/],
    ['model: m\nconstructor.tainted: yes', /^line 3: .*'constructor\.tainted'/],
  ] as const)
    assert.throws(
      () => readPromptFile(`---\n${text}\n---\nHi`),
      (error) => error instanceof PromptFileError && expected.test(error.message),
    );
  assert.equal(({} as Record<string, unknown>)['tainted'], undefined);
  assert.equal((Object as unknown as Record<string, unknown>)['tainted'], undefined);
});
