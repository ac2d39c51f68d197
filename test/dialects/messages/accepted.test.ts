import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { messages } from '../../../src/dialects/messages/index.ts';
import { CLAUDE_MODELS } from '../../support/anthropic/models.ts';
import { checkMessagesRequest } from '../../support/anthropic/rules.ts';
import { scale } from '../../support/scale.ts';
import { TRUSTING_SIGNER } from '../../support/signatures.ts';
import { askedConversation } from '../asked-conversations.ts';

const MODELS = [...CLAUDE_MODELS, 'claude-opus-5'];

test('what is encoded is taken by an API that refuses all that the real one refuses, or refused by us first', () => {
  let taken = 0;
  fc.assert(
    fc.property(askedConversation, fc.constantFrom(...MODELS), (asked, model) => {
      let body: JsonObject;
      try {
        body = messages.encodeRequest(asked, model).body;
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.kind === 'invalid_request', String(error));
        return;
      }
      checkMessagesRequest(body, { signer: TRUSTING_SIGNER, betas: '', version: '2023-06-01' });
      taken++;
    }),
    // Stop sequences of white space are among those that are refused by us.
    { numRuns: scale({ sample: 300, heavy: 1_500 }) },
  );
  assert.ok(taken > scale({ sample: 60, heavy: 300 }), `only ${taken} were encoded`);
});
