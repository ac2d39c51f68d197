import type { Conversation, DialectName, OpaquePart } from '../conversation/conversation.ts';
import type { JsonObject } from '../conversation/json.ts';

/*
 * Content parts of a type that is not known here. A provider that speaks their dialect gets them as they came and says
 * itself what it makes of them; for all others they are what they were to the decoder: words that nobody knows.
 */

declare const UNKNOWN: unique symbol;
export type UnknownPart = OpaquePart & { readonly [UNKNOWN]: true };

const REFUSALS = new WeakMap<OpaquePart, Error>();

/** @param refusal what is thrown where the part would have to be said in another dialect */
export function unknownPart(dialect: DialectName, value: JsonObject, refusal: Error): OpaquePart {
  const part: OpaquePart = { type: 'opaque', dialect, value };
  REFUSALS.set(part, refusal);
  return part;
}

/** For a provider that is asked in the dialect and knows no more of it than the gateway. @throws GatewayError `invalid_request` */
export function refuseUnknownParts({ messages }: Conversation): void {
  for (const { parts } of messages) {
    for (const part of parts) {
      for (const inner of part.type === 'tool_result' ? part.parts : [part]) {
        const refusal = inner.type === 'opaque' ? refusalOf(inner) : undefined;
        if (refusal) throw refusal;
      }
    }
  }
}

export function refusalOf(part: OpaquePart): Error | undefined {
  return REFUSALS.get(part);
}

/** Whether it stands in the content of a message or of a result, where other opaque parts stand beside them. */
export function isUnknownPart(part: OpaquePart): part is UnknownPart {
  return REFUSALS.has(part);
}
