import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JsonObject } from '../../src/conversation/json.ts';
import { completions } from '../../src/dialects/completions/index.ts';
import type { CallerDialectName } from '../../src/dialects/dialect.ts';
import { DIALECTS } from '../../src/dialects/registry.ts';

const BODIES: Record<CallerDialectName, JsonObject> = {
  chat: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
  responses: { model: 'm', input: 'Hi' },
  messages: { model: 'm', max_tokens: 8_000, messages: [{ role: 'user', content: 'Hi' }] },
  gemini: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
};
const TARGETS = {
  chat: 'gpt-5',
  responses: 'gpt-5',
  messages: 'claude-sonnet-4-5',
  gemini: 'gemini-2.5-flash',
  converse: 'us.amazon.nova-2-lite-v1:0',
} as const;
type TargetName = keyof typeof TARGETS;

function droppedOf(caller: CallerDialectName, fields: JsonObject, target: TargetName, model?: string) {
  const conversation = DIALECTS[caller].decodeRequest(
    { ...BODIES[caller], ...fields },
    { model: 'm', stream: false },
  );
  return DIALECTS[target].encodeRequest(conversation, model ?? TARGETS[target]).dropped;
}

describe('a tool that only its own dialect has is named by its place, whoever cannot have it', () => {
  const FUNCTIONS: Record<CallerDialectName, JsonObject> = {
    chat: { type: 'function', function: { name: 'f' } },
    responses: { type: 'function', name: 'f', parameters: { type: 'object', properties: {} } },
    messages: { name: 'f', input_schema: { type: 'object' } },
    gemini: { functionDeclarations: [{ name: 'f' }, { name: 'g' }] },
  };
  const OWN: Record<CallerDialectName, [tool: JsonObject, name: string]> = {
    chat: [{ type: 'web_search_x' }, 'tools[1]'],
    responses: [{ type: 'web_search' }, 'tools[1]'],
    messages: [{ type: 'web_search_20250305', name: 'web_search' }, 'tools[1]'],
    gemini: [{ googleSearch: {} }, 'tools[1].googleSearch'],
  };
  for (const [caller, [tool, name]] of Object.entries(OWN) as [CallerDialectName, [JsonObject, string]][]) {
    for (const target of Object.keys(TARGETS) as TargetName[]) {
      if (caller === target) continue;
      test(`${caller} to ${target}`, () => {
        const dropped = droppedOf(caller, { tools: [FUNCTIONS[caller], tool] }, target);
        assert.deepEqual(
          dropped.filter((word) => word.startsWith('tools')),
          [name],
        );
      });
    }
  }
});

describe('the wish to see what the model thinks is named where it is not granted', () => {
  const GEMINI = (thinkingConfig: JsonObject) => ({ generationConfig: { thinkingConfig } });
  const WORD = 'generationConfig.thinkingConfig.includeThoughts';
  const ON = { thinking: { type: 'enabled', budget_tokens: 2_000 } };
  const rows: [
    caller: CallerDialectName,
    fields: JsonObject,
    target: TargetName,
    model: string | undefined,
    named: string[],
  ][] = [
    ['gemini', GEMINI({ includeThoughts: true }), 'chat', 'gpt-5', [WORD]],
    ['gemini', GEMINI({ includeThoughts: false }), 'chat', 'gpt-5', []],
    ['gemini', GEMINI({ includeThoughts: true }), 'chat', 'gpt-4.1', [WORD]],
    ['gemini', GEMINI({ includeThoughts: true }), 'chat', 'deepseek-reasoner', []],
    ['gemini', GEMINI({ includeThoughts: false }), 'chat', 'deepseek-reasoner', []],
    ['gemini', GEMINI({ includeThoughts: true }), 'responses', 'gpt-5', []],
    ['gemini', GEMINI({ includeThoughts: true }), 'messages', undefined, [WORD]],
    ['gemini', GEMINI({ includeThoughts: true, thinkingBudget: 2_000 }), 'messages', undefined, []],
    ['gemini', GEMINI({ includeThoughts: false, thinkingBudget: 2_000 }), 'messages', undefined, []],
    ['gemini', GEMINI({ includeThoughts: true, thinkingBudget: 0 }), 'chat', 'gpt-5.1', []],
    ['gemini', GEMINI({ includeThoughts: false, thinkingLevel: 'HIGH' }), 'converse', undefined, []],
    ['gemini', GEMINI({ includeThoughts: true, thinkingLevel: 'HIGH' }), 'converse', undefined, []],
    ['responses', { reasoning: { summary: 'auto' } }, 'chat', 'gpt-5', ['reasoning.summary']],
    ['responses', { reasoning: { summary: 'auto' } }, 'gemini', undefined, []],
    ['messages', ON, 'chat', 'gpt-5', ['thinking.display']],
    ['messages', { thinking: { ...ON.thinking, display: 'omitted' } }, 'chat', 'gpt-5', []],
    ['messages', { thinking: { type: 'disabled' } }, 'chat', 'gpt-5.1', []],
    ['messages', { output_config: { effort: 'low' } }, 'chat', 'gpt-5', []],
    ['messages', ON, 'chat', 'qwen', []],
    ['messages', ON, 'responses', 'gpt-5', []],
    ['messages', ON, 'gemini', undefined, []],
    ['messages', ON, 'converse', undefined, ['thinking.budget_tokens=low']],
    ['messages', { thinking: { type: 'adaptive', display: 'omitted' } }, 'chat', 'qwen', ['thinking']],
    ['chat', { reasoning: { effort: 'low', exclude: true } }, 'messages', undefined, ['reasoning.exclude']],
    ['chat', { reasoning: { effort: 'low', exclude: true } }, 'responses', 'gpt-5', []],
  ];
  for (const [caller, fields, target, model, named] of rows) {
    test(`${caller} ${JSON.stringify(fields)} to ${model ?? target}`, () => {
      assert.deepEqual(droppedOf(caller, fields, target, model), named);
    });
  }

  test('and what else a wish to think says that nobody else has a word for', () => {
    assert.deepEqual(
      droppedOf('gemini', GEMINI({ thinkingLevel: 'UNHEARD_OF', newField: 1 }), 'chat', 'gpt-5'),
      ['generationConfig.thinkingConfig.newField', 'generationConfig.thinkingConfig.thinkingLevel'],
    );
    assert.deepEqual(droppedOf('responses', { reasoning: { effort: 'low', mode: 'x' } }, 'chat', 'gpt-5'), [
      'reasoning.mode',
    ]);
  });
});

describe('what is named is named in the words that the caller used', () => {
  const F = { functionDeclarations: [{ name: 'f', parameters: { type: 'OBJECT' } }] };
  const json = (schema: JsonObject) => ({
    generationConfig: { responseMimeType: 'application/json', ...schema },
  });
  const OPEN = { type: 'object', properties: { a: { type: 'string' } } };
  const CALLING = 'toolConfig.functionCallingConfig';
  const effort = (word: string, thinking?: JsonObject) => ({
    output_config: { effort: word },
    ...(thinking ? { thinking } : {}),
  });
  const rows: [
    caller: CallerDialectName,
    fields: JsonObject,
    target: TargetName,
    model: string | undefined,
    named: string[],
  ][] = [
    [
      'gemini',
      { tools: [F], toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } } },
      'chat',
      'm',
      [CALLING],
    ],
    [
      'gemini',
      { tools: [F], toolConfig: { functionCallingConfig: { mode: 'VALIDATED' } } },
      'responses',
      undefined,
      [CALLING],
    ],
    ['messages', { thinking: { type: 'disabled' } }, 'gemini', 'gemini-2.5-pro', ['thinking=minimal']],
    ['messages', { thinking: { type: 'disabled' } }, 'gemini', 'gemini-3-pro-preview', ['thinking=low']],
    ['messages', effort('max'), 'chat', 'gpt-4.1', ['output_config.effort']],
    ['messages', effort('max'), 'responses', 'gpt-4.1', ['output_config.effort']],
    ['messages', effort('high'), 'gemini', 'gemini-2.0-flash', ['output_config.effort']],
    ['messages', effort('high'), 'converse', 'us.amazon.nova-pro-v1:0', ['output_config.effort']],
    [
      'messages',
      effort('max', { type: 'adaptive' }),
      'chat',
      'gpt-4.1',
      ['thinking', 'output_config.effort'],
    ],
    ['messages', { thinking: { type: 'enabled', budget_tokens: 2_000 } }, 'chat', 'gpt-4.1', ['thinking']],
    [
      'gemini',
      json({ responseSchema: { type: 'OBJECT', properties: { a: { type: 'STRING' } } } }),
      'messages',
      undefined,
      [],
    ],
    [
      'gemini',
      json({ responseJsonSchema: OPEN }),
      'messages',
      undefined,
      ['generationConfig.responseJsonSchema.additionalProperties=false'],
    ],
  ];
  for (const [caller, fields, target, model, named] of rows) {
    test(`${caller} ${JSON.stringify(fields)} to ${model ?? target}`, () => {
      assert.deepEqual(droppedOf(caller, fields, target, model), named);
    });
  }

  test('an empty prompt of the text completions is told of as the prompt', () => {
    const conversation = completions.decodeRequest({ model: 'm', prompt: '' }, {});
    for (const [target, model] of Object.entries(TARGETS)) {
      if (target === 'chat') continue;
      assert.throws(() => DIALECTS[target as TargetName].encodeRequest(conversation, model), {
        kind: 'invalid_request',
        param: 'prompt',
      });
    }
  });
});

describe('a wish to think is named by the field of the chat dialect that it was said in', () => {
  const ENABLED = { thinking: { type: 'enabled', budget_tokens: 3_000 } };
  const rows: [fields: JsonObject, target: TargetName, model: string, named: string[]][] = [
    [ENABLED, 'messages', 'claude-3-haiku-20240307', ['thinking']],
    [ENABLED, 'converse', 'amazon.nova-pro-v1:0', ['thinking']],
    [{ thinking: { type: 'disabled' } }, 'gemini', 'gemini-3-pro-preview', ['thinking=low']],
    [{ reasoning: { effort: 'high' } }, 'gemini', 'gemini-1.5-pro', ['reasoning']],
    [{ reasoning: { effort: 'max' } }, 'responses', 'gpt-5-codex', ['reasoning.effort=high']],
    [
      { reasoning: { effort: 'max' }, reasoning_effort: 'max' },
      'responses',
      'o3-pro',
      ['reasoning_effort=high'],
    ],
    [{ reasoning_effort: 'high' }, 'gemini', 'gemini-1.5-pro', ['reasoning_effort']],
  ];
  for (const [fields, target, model, named] of rows) {
    test(`${JSON.stringify(fields)} at ${model}`, () => {
      assert.deepEqual(droppedOf('chat', fields, target, model), named);
    });
  }
});

test('a model at Bedrock that does not think is told nothing of it, and nothing is said to have been sent', () => {
  const thinking = { thinking: { type: 'enabled', budget_tokens: 2_000 } };
  for (const model of ['amazon.nova-pro-v1:0', 'meta.llama3-1-70b-instruct-v1:0']) {
    assert.deepEqual(droppedOf('messages', thinking, 'converse', model), ['thinking']);
    assert.deepEqual(droppedOf('chat', { reasoning_effort: 'minimal' }, 'converse', model), [
      'reasoning_effort',
    ]);
  }
});
