import type { Conversation, DialectName } from '../conversation/conversation.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import type { JsonValue } from '../conversation/json.ts';
import { callerWord } from './caller-words.ts';

/** `refused`: the answer would be another one without it. `kept`: the gateway does itself what the field asks for. */
type Policy = 'refused' | 'dropped' | 'kept';

type FieldPolicy = (value: JsonValue | undefined) => Policy;

const refused: FieldPolicy = () => 'refused';
const kept: FieldPolicy = () => 'kept';

/** Asked for, or said in so many words that it is not. */
const refusedIfTrue: FieldPolicy = (value) => (value === true ? 'refused' : 'kept');

/** What answers hold anyway, wherever they come from. */
const INCLUDED = new Set<JsonValue>(['reasoning.encrypted_content', 'message.output_text.logprobs']);

/**
 * What becomes of request fields that only the caller's dialect knows at a provider of another; those not listed are
 * dropped and named.
 *
 * Source: OpenAI API reference (create a model response).
 */
const POLICIES: Partial<Record<DialectName, Record<string, FieldPolicy>>> = {
  responses: {
    // They name what only OpenAI holds. Where the gateway holds it, it is in the conversation already.
    previous_response_id: refused,
    conversation: refused,
    prompt: refused,
    background: refusedIfTrue,
    store: kept,
    metadata: kept,
    // Obfuscation pads events to hide their length; whether there is any is ours to say.
    stream_options: kept,
    truncation: (value) => (value === 'disabled' ? 'kept' : 'dropped'),
    include: (value) =>
      Array.isArray(value) && value.every((item) => INCLUDED.has(item)) ? 'kept' : 'dropped',
  },
};

/** Opaque parts that stand in for what was said before: the answer would be to another conversation without them. */
const REFUSED_PARTS: Partial<Record<DialectName, ReadonlySet<JsonValue | undefined>>> = {
  responses: new Set(['compaction']),
};

/**
 * The top-level fields that a provider of `dialect` cannot be told, in the caller's words. To be asked before anything
 * else is encoded: what these fields stand for may be missing elsewhere.
 *
 * @throws GatewayError `invalid_request` for one without which the answer would be another.
 */
export function foreignFields(conversation: Conversation, dialect: DialectName): string[] {
  const { extra } = conversation;
  if (conversation.dialect !== dialect) refuseParts(conversation);
  if (!extra || extra.dialect === dialect) return [];
  const policies = POLICIES[extra.dialect];
  return Object.entries(extra.fields).flatMap(([key, value]) => {
    const policy = policies && Object.hasOwn(policies, key) ? policies[key]?.(value) : 'dropped';
    if (policy === 'refused') throw refusedField(key);
    return policy === 'kept' ? [] : [key];
  });
}

function refuseParts(conversation: Conversation): void {
  const refusedTypes = REFUSED_PARTS[conversation.dialect];
  if (!refusedTypes) return;
  for (const { parts } of conversation.messages) {
    for (const part of parts) {
      if (part.type !== 'opaque' || !refusedTypes.has(part.value['type'])) continue;
      throw invalidRequest(
        `An item of type '${String(part.value['type'])}' can be read by the provider alone that made it. Send the messages that it stands for, or choose another model.`,
        callerWord(conversation, 'messages'),
        'unsupported_content',
      );
    }
  }
}

function refusedField(name: string): Error {
  return invalidRequest(
    `'${name}' cannot be honoured by the model this call goes to. Leave it out or choose another model.`,
    name,
    'unsupported_parameter',
  );
}
