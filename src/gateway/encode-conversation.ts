import type { Conversation } from '../conversation/conversation.ts';
import type { EncodedRequest } from '../dialects/dialect.ts';
import { findHeldAddress } from '../dialects/held-addresses.ts';
import type { Target } from '../routing/target.ts';
import type { Call } from './call.ts';
import { heldNotFound } from './refuse-held.ts';

interface Encoder {
  encodeRequest(conversation: Conversation, model: string): EncodedRequest;
}

/**
 * The one way on which a conversation gets into what a provider is sent, whatever is asked of it. An address that its
 * provider reads with the account's own rights may be nothing special in the dialect that named it: it is looked for here.
 *
 * @throws GatewayError `invalid_request` for what the target cannot express; as for an address where nothing is.
 */
export function encodeConversation(
  call: Call,
  { upstream, model }: Target,
  conversation: Conversation,
  encoder: Encoder,
): EncodedRequest {
  const held = findHeldAddress(conversation);
  if (held && !call.caller.mayCall(upstream.allModels)) {
    throw heldNotFound(call, { kind: 'shared', ...held });
  }
  // Encoded for the model, whose traits the codec knows by its name.
  return encoder.encodeRequest(conversation, model);
}
