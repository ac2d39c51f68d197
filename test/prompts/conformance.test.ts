import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject, JsonValue } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { readPromptFile } from '../../src/prompts/prompt-file.ts';
import { readSpec, type SpecCase, skipWithoutSpec } from '../support/dotprompt-spec.ts';

test('the conformance suite of Dotprompt is there', { skip: skipWithoutSpec }, () => {
  assert.ok(readSpec().length > 100);
});

for (const one of readSpec()) {
  test(one.title, async () => {
    const { partials, schemas, data, options, expect } = one;
    const prompt = await compilePrompt({ name: 'spec', source: one.template, partials, schemas });
    const { parsed } = readPromptFile(one.template);
    const rendered = await prompt.template.render({
      input: { ...options.input?.default, ...data.input },
      messages: (data.messages ?? []) as never,
      context: data.context ?? {},
    });
    if (expect['messages'] !== undefined) assert.deepEqual(plain(rendered), expect['messages']);
    assert.equal(prompt.model, expect['model']);
    assert.deepEqual(parsed.config, expect['config'] ?? {});
    assert.deepEqual(plain(parsed.ext), expect['ext'] ?? {});
    if (expect['raw'] !== undefined) assert.deepEqual(plain(parsed.raw), expect['raw']);
    assert.deepEqual(schemaOf(one, 'input'), prompt.input?.schema);
    assert.deepEqual(schemaOf(one, 'output'), prompt.output.check?.schema);
  });
}

function schemaOf({ expect }: SpecCase, side: 'input' | 'output'): JsonValue | undefined {
  return (expect[side] as JsonObject | undefined)?.['schema'];
}

/** Without what is `undefined`. */
function plain(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value ?? null)) as JsonValue;
}
