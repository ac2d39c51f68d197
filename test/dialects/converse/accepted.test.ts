import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GatewayError } from '../../../src/conversation/gateway-error.ts';
import type { JsonObject } from '../../../src/conversation/json.ts';
import { converse } from '../../../src/dialects/converse/index.ts';
import { BEDROCK_MODELS } from '../../support/bedrock/models.ts';
import { checkConverseRequest } from '../../support/bedrock/rules.ts';
import { scale } from '../../support/scale.ts';
import { TRUSTING_SIGNER } from '../../support/signatures.ts';
import { askedConversation } from '../asked-conversations.ts';

test('what is encoded is taken by an API that refuses all that the real one refuses, or refused by us first', () => {
  let taken = 0;
  fc.assert(
    fc.property(askedConversation, fc.constantFrom(...BEDROCK_MODELS), (asked, model) => {
      let body: JsonObject;
      try {
        body = converse.encodeRequest(asked, model).body;
      } catch (error) {
        assert.ok(error instanceof GatewayError && error.kind === 'invalid_request', String(error));
        return;
      }
      // As it goes over the wire: what is undefined is not there.
      checkConverseRequest(JSON.parse(JSON.stringify(body)) as JsonObject, model, TRUSTING_SIGNER);
      taken++;
    }),
    { numRuns: scale({ sample: 300, heavy: 1_500 }) },
  );
  assert.ok(taken > scale({ sample: 100, heavy: 500 }), `only ${taken} were encoded`);
});
