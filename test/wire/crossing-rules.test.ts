import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DialectName } from '../../src/conversation/conversation.ts';
import type { Difference } from '../support/wire-diff.ts';
import { CrossingList } from './crossing-list.ts';
import type { CrossingRule } from './crossing-rules.ts';

/** Losses that no codec may have. None of them is recorded: what is, `crossing.test.ts` crosses. */
const LOSSES: [
  of: CrossingRule['of'],
  from: DialectName,
  via: DialectName,
  difference: Partial<Difference>,
][] = [
  ['request', 'chat', 'messages', { path: 'parameters.maxOutputTokens', before: 4096, after: 1 }],
  ['request', 'chat', 'gemini', { path: 'parameters.maxOutputTokens', after: 1 }],
  ['request', 'chat', 'messages', { path: 'parameters.topLogprobs', before: 3 }],
  ['request', 'chat', 'messages', { path: 'tool.function', before: { name: 'x' } }],
  ['request', 'chat', 'converse', { path: 'tool.function', after: { name: 'x' } }],
  ['request', 'chat', 'gemini', { path: 'toolChoice', before: { type: 'required' } }],
  ['request', 'chat', 'gemini', { path: 'toolChoice', before: { type: 'tool', name: 'x' } }],
  ['request', 'chat', 'gemini', { path: 'toolChoice', before: { type: 'none' } }],
  ['request', 'chat', 'messages', { path: 'toolChoice', after: { type: 'required' } }],
  ['request', 'chat', 'messages', { path: 'toolChoice.type', before: 'allowed', after: 'auto' }],
  [
    'request',
    'chat',
    'converse',
    { path: 'tool.function.schema.properties.a.type', before: 'string', after: 'number' },
  ],
  ['request', 'chat', 'gemini', { path: 'tool.function.schema.properties.extraInfo.type', before: 'string' }],
  ['request', 'chat', 'gemini', { path: 'tool.function.schema.properties.extra.type', before: 'string' }],
  [
    'request',
    'chat',
    'messages',
    { path: 'tool.function.schema.properties.a.description', before: 'Long', after: 'L' },
  ],
  ['request', 'chat', 'messages', { path: 'tool.function.strict', before: true }],
  ['request', 'chat', 'gemini', { path: 'responseFormat', before: { type: 'json_schema', schema: {} } }],
  ['request', 'chat', 'messages', { path: 'responseFormat', before: { type: 'json_schema', schema: {} } }],
  ['request', 'chat', 'responses', { path: 'responseFormat.schema.properties', before: { a: 1 } }],
  ['request', 'chat', 'messages', { path: 'responseFormat.schema.properties.a', before: { type: 'string' } }],
  ['request', 'chat', 'responses', { path: 'responseFormat.strict', before: true }],
  ['request', 'chat', 'messages', { path: 'reasoning', before: { effort: 'high' } }],
  ['request', 'messages', 'chat', { path: 'reasoning', before: { budgetTokens: 8000 } }],
  ['request', 'chat', 'messages', { path: 'reasoning.effort', before: 'high', after: 'low' }],
  ['request', 'messages', 'chat', { path: 'reasoning.budgetTokens', before: 32_000, after: 1024 }],
  ['request', 'messages', 'chat', { path: 'said.assistant.reasoning', before: { text: 'Hm' } }],
  ['request', 'messages', 'chat', { path: 'said.assistant.reasoning.text', before: 'Hm', after: 'H' }],
  ['request', 'messages', 'chat', { path: 'said.tool.tool_result.isError', before: true }],
  [
    'request',
    'chat',
    'gemini',
    {
      path: 'said.tool.tool_result.parts[0]',
      before: { type: 'image', source: { kind: 'url', url: 'https://a' } },
    },
  ],
  [
    'request',
    'chat',
    'gemini',
    { path: 'said.tool.tool_result.parts[0]', before: { type: 'text', text: 'x' } },
  ],
  [
    'request',
    'chat',
    'gemini',
    { path: 'said.user.image', after: { type: 'image', source: { kind: 'url', url: 'https://a' } } },
  ],
  ['request', 'messages', 'chat', { path: 'said.user.file.source.mediaType', before: 'application/pdf' }],
  ['request', 'responses', 'gemini', { path: 'parallelToolCalls', before: false }],
  ['answer', 'messages', 'chat', { path: 'usage.cacheRead', before: 500 }],
  ['answer', 'messages', 'gemini', { path: 'usage.cacheWrite', before: 500, after: 1 }],
  ['answer', 'chat', 'messages', { path: 'usage.reasoning', before: 500, after: 0 }],
  ['answer', 'chat', 'gemini', { path: 'sums.input', before: 500, after: 1 }],
  ['answer', 'chat', 'messages', { path: 'choices[0].finish', before: 'length', after: 'tool_calls' }],
  ['answer', 'chat', 'gemini', { path: 'choices[0].finish', before: 'content_filter', after: 'tool_calls' }],
  ['answer', 'messages', 'chat', { path: 'choices[0].citations', before: [1] }],
  ['answer', 'messages', 'chat', { path: 'choices[0].citations', after: [1] }],
  ['answer', 'gemini', 'chat', { path: 'part.tool_call', before: { name: 'x' } }],
  ['answer', 'gemini', 'chat', { path: 'part.tool_call.signature', before: { value: 'x' } }],
  ['answer', 'chat', 'messages', { path: 'part.tool_call.arguments', before: '{}', after: '{"a":1}' }],
  ['answer', 'chat', 'messages', { path: 'choices[0].text', before: 'extra', after: 'x' }],
];

for (const [of, from, via, { path = '', before, after }] of LOSSES) {
  const change = before === undefined ? 'added' : after === undefined ? 'lost' : 'changed';
  test(`no rule lets ${path} be ${change} from ${from} via ${via}: ${JSON.stringify(before)} → ${JSON.stringify(after)}`, () => {
    const found = new CrossingList().unexplained(of, from, via, [{ path, change, before, after }]);
    assert.equal(found.length, 1);
  });
}
