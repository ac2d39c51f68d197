import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { compilePrompt } from '../../src/prompts/compile-prompt.ts';
import { PromptFileError } from '../../src/prompts/problem.ts';
import { startPrompts } from '../support/prompt-gateway.ts';

const compile = (frontMatter: string) =>
  compilePrompt({ name: 'hello', source: `---\n${frontMatter}\n---\nHi`, partials: {} });

test('a parameter that no provider could take breaks its file, with the line', async () => {
  for (const [parameter, expected] of [
    ['temperature: hot', "'temperature' must be a number"],
    ['temperature: "0.5"', "'temperature' must be a number"],
    ['temperature: -1', "'temperature' must be a number, from 0"],
    ['temperature: .nan', "'temperature' must be a number"],
    ['topP: 1.5', "'topP' must be a number, from 0 to 1"],
    ['presencePenalty: [1]', "'presencePenalty' must be a number"],
    ['maxOutputTokens: 0', "'maxOutputTokens' must be a whole number, from 1"],
    ['max_tokens: 1.5', "'max_tokens' must be a whole number"],
    ['topK: many', "'topK' must be a whole number"],
    ['seed: x', "'seed' must be a whole number"],
    ['stopSequences: [a, 5]', "'stopSequences' must be a text, or a list of texts"],
    ['reasoningEffort: 5', "'reasoningEffort' must be a text"],
    ['temprature: 0.5', "'temprature' is no parameter of a prompt"],
    ['max_tokens: 5\n  maxOutputTokens: 6', "'maxOutputTokens' and 'max_tokens' are the same parameter"],
  ] as const)
    await assert.rejects(compile(`model: m\nconfig:\n  ${parameter}`), (error) => {
      assert.ok(error instanceof PromptFileError);
      assert.match(error.message, /^line [45]: /);
      assert.ok(error.reason.startsWith(expected), error.message);
      return true;
    });
  const { parameters } = await compile(
    'config: { temperature: 0, maxOutputTokens: 5, stopSequences: END, topK: 3, seed: -1, presence_penalty: null }',
  );
  assert.deepEqual(parameters, { temperature: 0, max_tokens: 5, stop: 'END', top_k: 3, seed: -1 });
});

test('a prompt whose model is a prompt is none', async () => {
  await assert.rejects(compile('config: {}\nmodel: prompt/other'), (error) => {
    assert.ok(error instanceof PromptFileError);
    assert.match(error.message, /^line 3: 'prompt\/other' is a prompt/);
    return true;
  });
});

const gateway = await startPrompts(
  { 'open.prompt': '---\nmodel: echo/m\nfairlead.overrides: [model]\n---\nHi', 'plain.prompt': 'Hi' },
  { models: { smart: { targets: ['echo/m'] } } },
);
after(gateway.stop);

test('a caller cannot have a prompt call a prompt', async () => {
  const answer = await gateway.post('/v1/prompts/open?model=prompt/plain', {});
  const { error } = (await answer.json()) as { error: JsonObject };
  assert.equal(answer.status, 400);
  assert.match(String(error['message']), /'prompt\/plain' is a prompt/);
  assert.equal(error['param'], 'model');
});
