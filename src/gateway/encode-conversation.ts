import type { Conversation, DialectName } from '../conversation/conversation.ts';
import type { EncodedRequest } from '../dialects/dialect.ts';
import { fileOfAddress, findHeldAddress } from '../dialects/held-addresses.ts';
import { findUnnamedReference } from '../dialects/held-references.ts';
import type { ModelNames } from '../dialects/model-names.ts';
import type { Target } from '../routing/target.ts';
import { namedModel } from '../upstream/named-model.ts';
import type { Call } from './call.ts';
import { parseBody } from './parse-body.ts';
import { heldNotFound } from './refuse-held.ts';

interface Encoder {
  encodeRequest(conversation: Conversation, model: string, names: ModelNames): EncodedRequest;
}

/**
 * The one way on which a conversation gets into what a provider is sent, whatever is asked of it. An address that its
 * provider reads with the account's own rights may be nothing special in the dialect that named it: it is looked for here.
 * So is what reasoning names that travelled where nobody looked into it (`conversation/carried-reasoning.ts`).
 *
 * @throws GatewayError `invalid_request` for what the target cannot express; as for an address where nothing is.
 */
export function encodeConversation(
  call: Call,
  { upstream, model }: Target,
  conversation: Conversation,
  encoder: Encoder,
  dialect: DialectName,
): EncodedRequest {
  // A file of whose address the caller's own fields say nothing was hidden.
  const held = findHeldAddress(conversation, (address) => {
    const file = fileOfAddress(address);
    return file === undefined
      ? call.caller.mayCall(upstream.allModels)
      : call.checkedFiles?.has(file) === true;
  });
  if (held) throw heldNotFound(call, { kind: 'shared', ...held });
  // Encoded for the model, whose traits the codec knows by its name.
  const { name, names } = namedModel(upstream.declaration, dialect, model);
  const encoded = encoder.encodeRequest(conversation, name, names);
  if (dialect !== 'converse' && hasReasoningOf(dialect, conversation)) {
    const named = { request: call.request ?? parseBody(call.body), dialect: call.door.dialect.name };
    const unnamed = findUnnamedReference(encoded.body, dialect, named);
    if (unnamed) throw heldNotFound(call, unnamed);
  }
  return encoded;
}

/** Whether reasoning says what only this dialect writes. */
function hasReasoningOf(dialect: DialectName, { messages }: Conversation): boolean {
  return messages.some(({ role, parts }) =>
    role === 'assistant'
      ? parts.some((part) => part.type === 'reasoning' && part.extra?.dialect === dialect)
      : false,
  );
}
