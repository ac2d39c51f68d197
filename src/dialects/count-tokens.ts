import type { Conversation } from '../conversation/conversation.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import type { EncodedRequest, RequestAddress } from './dialect.ts';

/** How a dialect asks how many tokens a request would be; pure functions as in `Dialect`, with the same errors. */
export interface CountDialect extends UpstreamCounts {
  decodeRequest(body: JsonObject, address: RequestAddress): Conversation;
  encodeResponse(tokens: number): JsonObject;
}

/** The side of it that faces providers. */
export interface UpstreamCounts {
  encodeRequest(conversation: Conversation, model: string): EncodedRequest;
  /** @returns tokens */
  decodeResponse(body: JsonValue): number;
}
