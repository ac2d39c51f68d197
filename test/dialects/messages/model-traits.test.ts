import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ModelTraits, modelTraits } from '../../../src/dialects/messages/model-traits.ts';

const SAME: [name: string, as: string][] = [
  ['eu.anthropic.claude-haiku-4-5-20251001-v1:0', 'claude-haiku-4-5'],
  ['claude-sonnet-4@20250514', 'claude-sonnet-4-0'],
  ['claude-sonnet-4-20250514', 'claude-sonnet-4'],
  ['anthropic/claude-opus-4.5', 'claude-opus-4-5'],
  ['anthropic/claude-3.7-sonnet', 'claude-3-7-sonnet-20250219'],
  ['Claude-Opus-4-8', 'claude-opus-4-8'],
];
for (const [name, as] of SAME) {
  test(`${name} is ${as}`, () => assert.equal(modelTraits(name), modelTraits(as)));
}

const TRAITS: [model: string, traits: Partial<ModelTraits>][] = [
  ['claude-instant-1.2', { maxOutputTokens: 4_096, thinking: 'none' }],
  ['claude-3-opus-latest', { maxOutputTokens: 4_096, thinking: 'none', structuredOutputs: false }],
  ['claude-3-5-haiku-20241022', { maxOutputTokens: 8_192, thinking: 'none' }],
  ['claude-3-7-sonnet-20250219', { maxOutputTokens: 64_000, thinking: 'budget', sampling: 'any' }],
  ['claude-opus-4-20250514', { maxOutputTokens: 32_000, thinking: 'budget' }],
  ['claude-opus-4-1-20250805', { sampling: 'one', structuredOutputs: false }],
  ['claude-sonnet-4-5', { structuredOutputs: true, prefill: true, efforts: [] }],
  ['claude-opus-4-5', { efforts: ['low', 'medium', 'high'], thinking: 'budget' }],
  ['claude-sonnet-4-6', { maxOutputTokens: 128_000, thinking: 'both', prefill: false, sampling: 'one' }],
  ['claude-opus-4-7', { thinking: 'adaptive', thinkingOff: 'absent', sampling: 'none' }],
  ['claude-sonnet-5', { thinkingOff: 'disabled', forcedToolUse: true }],
  ['claude-haiku-5-5', { thinkingOff: 'disabled', forcedToolUse: true }],
  ['claude-sonnet-5-5', { thinkingOff: 'between_tools', forcedToolUse: false }],
  ['claude-opus-5-5', { thinkingOff: 'never', forcedToolUse: false }],
  ['claude-fable-5', { thinkingOff: 'never', forcedToolUse: true }],
  ['claude-mythos-preview', { thinkingOff: 'never', efforts: ['low', 'medium', 'high', 'max'] }],
  // Newer than the table: nothing that the newest known models refuse.
  [
    'claude-opus-7',
    { maxOutputTokens: 128_000, thinking: 'adaptive', sampling: 'none', forcedToolUse: false },
  ],
  ['claude-saga-1', { maxOutputTokens: 128_000, thinking: 'adaptive', prefill: false }],
  ['kimi-k3', { limitIsKnown: false, thinking: 'budget', sampling: 'any' }],
];
for (const [model, traits] of TRAITS) {
  test(`traits of ${model}`, () => {
    const found = modelTraits(model);
    for (const [key, value] of Object.entries(traits))
      assert.deepEqual(found[key as keyof ModelTraits], value, key);
  });
}
