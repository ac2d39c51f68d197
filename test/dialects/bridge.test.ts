import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Bridge, bridgeBody, bridgeRequest } from '../../src/dialects/bridge.ts';
import { passThrough as chat } from '../../src/dialects/chat/pass-through.ts';
import { passThrough as gemini } from '../../src/dialects/gemini/pass-through.ts';
import { passThrough as messages } from '../../src/dialects/messages/pass-through.ts';
import type { ModelNames } from '../../src/dialects/model-names.ts';
import type { PassThrough } from '../../src/dialects/pass-through.ts';
import { findTopLevelFields } from '../../src/dialects/request-fields.ts';
import { passThrough as responses } from '../../src/dialects/responses/pass-through.ts';
import { scale } from '../support/scale.ts';

function bridged({ bridge, fields }: PassThrough, model: string, text: string, names: ModelNames = 'vendor') {
  const body = Buffer.from(text);
  const result = bridgeBody(bridge as Bridge, body, findTopLevelFields(body, fields), { name: model, names });
  return result && { text: result.body.toString(), dropped: result.dropped, renamed: result.renamed };
}

test('what is left out goes with its comma, and all other bytes stay as they were written', () => {
  const text = '{ "model":"m",  "temperature" : 0.20 ,"top_p":1.0, "x":1.50e3 }';
  assert.deepEqual(bridged(chat, 'gpt-5', text), {
    text: '{ "model":"m" ,"top_p":1.0, "x":1.50e3 }',
    dropped: ['temperature'],
    renamed: {},
  });
});

test('a request that the model takes is not touched', () => {
  for (const [dialect, model, text] of [
    [chat, 'gpt-4.1', '{"temperature":0.2}'],
    [chat, 'gpt-5.1', '{"temperature":0.2}'],
    [chat, 'gpt-5.1', '{"temperature":0.2,"reasoning_effort":"none"}'],
    [chat, 'llama3', '{"temperature":0.2,"reasoning_effort":"minimal"}'],
    [responses, 'gpt-5', '{"temperature":null,"reasoning":{"effort":"low"}}'],
    [messages, 'claude-sonnet-4-5', '{"temperature":0.2,"thinking":{"type":"enabled","budget_tokens":2000}}'],
    [messages, 'other-model', '{"temperature":0.2,"top_p":0.2,"thinking":{"type":"adaptive"}}'],
    [messages, 'claude-opus-4-8', '{"temperature":1,"output_config":{"effort":"max"}}'],
    [
      gemini,
      'gemini-3-pro',
      '{"generationConfig":{"temperature":0.2,"thinkingConfig":{"thinkingBudget":100}}}',
    ],
    [gemini, 'tunedModels/mine', '{"generationConfig":{"presencePenalty":1}}'],
  ] as const) {
    assert.equal(bridged(dialect, model, text), undefined, text);
  }
});

for (const [what, dialect, model, before, after, told] of [
  [
    'sampling beside an effort, where a model takes it without',
    ...[chat, 'gpt-5.2', '{"temperature":0.2,"reasoning_effort":"high"}'],
    ...['{"reasoning_effort":"high"}', ['temperature']],
  ],
  [
    'sampling where a model reasons unless it is told not to',
    ...[chat, 'gpt-6-luna', '{"temperature":0.2}', '{}', ['temperature']],
  ],
  [
    'a budget of thinking, beside an effort that stays',
    ...[
      messages,
      'claude-opus-4-7',
      '{"thinking":{"type":"enabled","budget_tokens":9000},"output_config":{"effort":"low"}}',
    ],
    ...[
      '{"thinking":{"type":"adaptive","display":"summarized"},"output_config":{"effort":"low"}}',
      ['thinking.budget_tokens'],
    ],
  ],
  [
    'a budget of thinking, beside a format',
    ...[
      messages,
      'claude-opus-4-7',
      '{"output_config":{"format":1},"thinking":{"type":"enabled","budget_tokens":9000}}',
    ],
    ...[
      '{"output_config":{"format":1,"effort":"medium"},"thinking":{"type":"adaptive","display":"summarized"}}',
      [],
    ],
  ],
  [
    'an effort that the model has not',
    ...[messages, 'claude-sonnet-4-6', '{"output_config":{"effort":"xhigh"}}'],
    ...['{"output_config":{"effort":"high"}}', ['output_config.effort=high']],
  ],
  [
    'an effort at a model that has none',
    ...[
      messages,
      'claude-sonnet-4-0',
      '{"a":1,"output_config":{"effort":"high"}}',
      '{"a":1}',
      ['output_config.effort'],
    ],
  ],
  [
    'no thinking at a model that always thinks',
    ...[messages, 'claude-fable-5', '{"thinking":{"type":"disabled"}}', '{}', ['thinking']],
  ],
  [
    'a tool that must be called, where it cannot be forced',
    ...[
      messages,
      'claude-opus-5-5',
      '{"tool_choice":{"type":"tool","name":"x","disable_parallel_tool_use":true}}',
    ],
    ...[
      '{"tool_choice":{"disable_parallel_tool_use":true,"type":"auto"},"system":[{"type":"text","text":"Answer with a call of the tool `x` and nothing else."}]}',
      ['tool_choice=auto'],
    ],
  ],
  [
    'a budget and a level at once',
    ...[
      gemini,
      'gemini-3-flash',
      '{"generation_config":{"thinking_config":{"thinking_budget":5,"thinking_level":"LOW"},"top_k": 2.0}}',
    ],
    ...[
      '{"generation_config":{"thinking_config":{"thinking_level":"LOW"},"top_k": 2.0}}',
      ['generation_config.thinking_config.thinking_budget'],
    ],
  ],
  [
    'a level that the model has not',
    ...[gemini, 'gemini-3-pro', '{"generationConfig":{"thinkingConfig":{"thinkingLevel":"MEDIUM"}}}'],
    ...[
      '{"generationConfig":{"thinkingConfig":{"thinkingLevel":"HIGH"}}}',
      ['generationConfig.thinkingConfig.thinkingLevel=HIGH'],
    ],
  ],
  [
    'a top_k of 1, which says something',
    ...[messages, 'claude-opus-4-7', '{"temperature":1,"top_k":1}', '{"temperature":1}', ['top_k']],
  ],
  [
    'encrypted reasoning of a model that does not reason',
    ...[responses, 'gpt-4.1', '{"include":["reasoning.encrypted_content","message.output_text.logprobs"]}'],
    ...['{"include":["message.output_text.logprobs"]}', ['include[0]']],
  ],
  [
    'more output than the model gives',
    ...[gemini, 'gemini-2.0-flash', '{"generationConfig":{"maxOutputTokens":20000,"topP":0.90}}'],
    ...[
      '{"generationConfig":{"maxOutputTokens":8192,"topP":0.90}}',
      ['generationConfig.maxOutputTokens=8192'],
    ],
  ],
] as unknown as readonly (readonly [string, PassThrough, string, string, string, string[]])[]) {
  test(`it is said as the model takes it: ${what}`, () => {
    const result = bridged(dialect, model, before);
    assert.equal(result?.text, after);
    assert.deepEqual(result?.dropped, told);
  });
}

for (const [what, dialect, model, names, text] of [
  [
    'a server that is not OpenAI\u2019s',
    chat,
    'gpt-5.5',
    'anyone',
    '{"temperature":0.2,"reasoning_effort":"max"}',
  ],
  ['a model of another maker', chat, 'EleutherAI/gpt-neox-20b', 'anyone', '{"temperature":0.2}'],
  ['a Responses server that is not OpenAI\u2019s', responses, 'gpt-5', 'anyone', '{"temperature":0.2}'],
  [
    'a deployment whose name tells nothing',
    chat,
    'gpt-prod',
    'deployment',
    '{"temperature":0.2,"logprobs":true}',
  ],
  ['another one', chat, 'gpt-mini', 'deployment', '{"temperature":0.2,"reasoning_effort":"low"}'],
  ['a distilled one', responses, 'gpt-5-distill', 'deployment', '{"temperature":0.2}'],
  ['a model that speaks', chat, 'gpt-audio', 'vendor', '{"temperature":0.2}'],
  [
    'a Claude that is not told',
    messages,
    'claude-latest',
    'vendor',
    '{"temperature":0.2,"tool_choice":{"type":"any"}}',
  ],
  [
    'a Claude of one\u2019s own',
    ...[messages, 'my-claude', 'vendor', '{"thinking":{"type":"enabled","budget_tokens":2000}}'],
  ],
  [
    'a Claude by the name of another',
    ...[messages, 'my-claude-opus-4-7', 'vendor', '{"thinking":{"type":"enabled","budget_tokens":2000}}'],
  ],
  [
    'a budget that is none',
    messages,
    'claude-opus-4-7',
    'vendor',
    '{"thinking":{"type":"enabled","budget_tokens":"abc"}}',
  ],
] as unknown as readonly (readonly [string, PassThrough, string, ModelNames, string])[]) {
  test(`nothing is known, and no byte changed: ${what}`, () => {
    assert.equal(bridged(dialect, model, text, names), undefined);
  });
}

test('a deployment may have the name of its model, in any case of letters', () => {
  const sent = bridged(chat, 'GPT-5', '{"temperature":0.2}', 'deployment');
  assert.deepEqual(sent?.dropped, ['temperature']);
});

test('a newer model of the vendor\u2019s own is taken for one of the newest kind', () => {
  assert.deepEqual(bridged(chat, 'gpt-9', '{"temperature":0.2}')?.dropped, ['temperature']);
  assert.deepEqual(bridged(messages, 'claude-saga-9', '{"temperature":0.2}')?.dropped, ['temperature']);
});

for (const [system, before, after] of [
  ['none', '', ''],
  ['a text', ',"system":"Be  short."', '{"type":"text","text":"Be  short."},'],
  ['blocks', ',"system":[ {"type":"text", "text":"Be short."} ]', '{"type":"text", "text":"Be short."},'],
  ['no blocks', ',"system":[ ]', ''],
  ['an empty text', ',"system":""', ''],
] as const) {
  test(`where a tool cannot be forced, the instructions demand its call: ${system}`, () => {
    const text = `{"tool_choice":{"type":"tool","name":"x"}${before}}`;
    const demand = '{"type":"text","text":"Answer with a call of the tool `x` and nothing else."}';
    assert.equal(
      bridged(messages, 'claude-fable-5-1', text)?.text,
      `{"tool_choice":{"type":"auto"},"system":[${after}${demand}]}`,
    );
  });
}

test('at Vertex log probabilities stay with the models that give them there', () => {
  const text = '{"generationConfig":{"responseLogprobs":true}}';
  assert.equal(bridged(gemini, 'publishers/google/models/gemini-2.5-flash', text), undefined);
  assert.equal(bridged(gemini, 'gemini-2.5-flash', text)?.text, '{"generationConfig":{}}');
});

const value = fc.oneof(
  fc.constantFrom(0, 1, 0.5, null, true, 'none', 'minimal', 'low', 'high', 'xhigh', 'max', 'auto'),
  fc.record({
    type: fc.constantFrom('enabled', 'adaptive', 'disabled', 'any', 'tool'),
    budget_tokens: fc.nat(60_000),
  }),
  fc.record({ effort: fc.constantFrom('none', 'minimal', 'low', 'max') }),
  fc.record({
    thinkingConfig: fc.dictionary(
      fc.constantFrom('thinkingBudget', 'thinkingLevel'),
      fc.constantFrom(0, -1, 9e4, 'LOW', 'MINIMAL'),
    ),
    presencePenalty: fc.constantFrom(0, 1),
  }),
  fc.jsonValue(),
);
const DIALECTS: readonly (readonly [PassThrough, readonly string[]])[] = [
  [chat, ['gpt-4.1', 'o3', 'gpt-5', 'gpt-5.2', 'gpt-6-luna', 'llama']],
  [responses, ['gpt-4.1', 'gpt-5', 'gpt-5.2']],
  [messages, ['claude-3-haiku-20240307', 'claude-sonnet-4-6', 'claude-opus-4-8', 'claude-fable-5-1']],
  [gemini, ['gemini-2.0-flash', 'gemini-2.5-pro', 'gemini-3-pro', 'gemini-9']],
];

for (const [dialect, models] of DIALECTS) {
  const fields = [...(dialect.bridge?.fields ?? []), 'messages', 'other'];
  test(`whatever a request says, it stays one, is bridged once for all, and what it says elsewhere stays: ${fields[0]}`, () => {
    const request = fc.dictionary(fc.constantFrom(...fields), value);
    fc.assert(
      fc.property(request, fc.constantFrom(...models), fc.nat(2), (said, model, indent) => {
        const text = JSON.stringify(said, null, indent);
        const result = bridged(dialect, model, text);
        if (!result) return;
        const sent = JSON.parse(result.text) as Record<string, unknown>;
        assert.deepEqual(sent['messages'], said['messages'] && JSON.parse(JSON.stringify(said['messages'])));
        assert.deepEqual('other' in sent, 'other' in said);
        const parsed = bridgeRequest(dialect.bridge as Bridge, JSON.parse(text), {
          name: model,
          names: 'vendor',
        });
        assert.deepEqual(parsed?.request, sent);
        assert.deepEqual(parsed?.dropped, result.dropped);
        assert.ok(result.text !== text);
        assert.equal(bridged(dialect, model, result.text), undefined, `${text} to ${result.text}`);
      }),
      { numRuns: scale({ sample: 400, heavy: 2_000 }) },
    );
  });
}
