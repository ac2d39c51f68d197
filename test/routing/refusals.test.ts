import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewayError } from '../../src/conversation/gateway-error.ts';
import { saysForeignReasoning } from '../../src/routing/refusals.ts';

const says = (message: string, code?: string) =>
  saysForeignReasoning(new GatewayError('upstream_rejected', message, code === undefined ? {} : { code }));

for (const message of [
  'messages.1.content.0: Invalid `signature` in `thinking` block',
  'messages.1.content.0: Invalid `data` in `redacted_thinking` block',
  'The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block',
  '`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified.',
  'messages.1.content.0.thinking.signature: Field required',
  'Reasoning input items can only be provided to a reasoning or computer use model. Remove reasoning items from your input and try again.',
  'Encrypted content is not supported with this model.',
  "Unknown parameter: 'messages[1].reasoning_content'.",
  "property 'reasoning' is unsupported",
  "'messages.2' : for 'role:assistant' the following must be satisfied[('messages.2' : property 'reasoning' is unsupported, did you mean 'role'?)]",
  "messages.2.assistant.reasoning_content: property 'messages.2.assistant.reasoning_content' is unsupported",
  'messages[1].reasoning: reasoning is not supported with this model',
  'Function call is missing a thought_signature in functionCall parts.',
]) {
  test(`is about reasoning that is another's: ${message}`, () => assert.equal(says(message), true));
}

for (const message of [
  'The `reasoning_content` in the thinking mode must be passed back to the API.',
  'The reasoning_content in the thinking mode must be passed back to the API.',
  'The `content[].thinking` in the thinking mode must be passed back to the API.',
  'thinking is enabled but reasoning_content is missing in assistant tool call message at index 2',
  "Unsupported value: 'reasoning_effort' does not support 'max' with this model.",
  'The model does not exist.',
]) {
  test(`is not: ${message}`, () => assert.equal(says(message), false));
}

test('a code tells it, too', () => {
  assert.equal(says('The content could not be verified.', 'invalid_encrypted_content'), true);
});
