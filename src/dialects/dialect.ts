import type { Completion, CompletionEvent } from '../conversation/completion.ts';
import type { Conversation, DialectName } from '../conversation/conversation.ts';
import type { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';

/**
 * A wire language of model calls, as one object of pure functions: no I/O, no clock, no logger.
 * The same codec serves both sides: it decodes what clients send and encodes what they get back,
 * and encodes what providers are sent and decodes what they answer.
 *
 * Request decoders throw `GatewayError('invalid_request')` with the parameter's path; response decoders throw
 * `GatewayError('upstream_unavailable')` for an answer that is not in the dialect.
 */
export interface Dialect {
  readonly name: DialectName;
  decodeRequest(body: JsonObject, address: RequestAddress): Conversation;
  encodeRequest(conversation: Conversation, model: string): EncodedRequest;
  decodeResponse(body: JsonValue): Completion;
  /** `request`: the body that the client sent; answers of some dialects (`responses`) repeat parts of it. */
  encodeResponse(completion: Completion, request?: JsonObject): JsonObject;
  streamDecoder(): StreamDecoder;
  streamEncoder(options: StreamEncoderOptions): StreamEncoder;
  /** What a provider of this dialect means by an error answer; `body` is the parsed JSON or the raw text. */
  decodeError(status: number, body: JsonValue | string): UpstreamFailure;
  encodeError(error: GatewayError): JsonObject;
}

/** What the URL says in dialects that keep it out of the body (Gemini). */
export interface RequestAddress {
  model?: string;
  stream?: boolean;
}

export interface EncodedRequest {
  body: JsonObject;
  /** Parameters of the conversation that this dialect or model cannot express, in the caller's own words. */
  dropped: string[];
  /** Headers that the body needs beside it (beta flags). */
  headers?: Record<string, string>;
}

/** One server-sent event, its data lines joined. */
export interface StreamMessage {
  event?: string | undefined;
  data: string;
}

/** Turns a provider's stream into events. Holds the state of one stream. */
export interface StreamDecoder {
  push(message: StreamMessage): CompletionEvent[];
  /** The connection ended. Gives what is still open, or an `error` event where the stream broke off. */
  end(): CompletionEvent[];
}

export interface StreamEncoderOptions {
  /** chat: the client asked for a usage chunk. */
  includeUsage: boolean;
  /** The body that the client sent, as for `encodeResponse`. */
  request?: JsonObject | undefined;
}

/** Turns events into the bytes of a stream (SSE framing included). Holds the state of one stream. */
export interface StreamEncoder {
  /** What keeps a silent connection open, where clients of the dialect stumble over a comment. */
  readonly keepAlive?: string;
  push(event: CompletionEvent): string;
}

/** A provider's refusal or failure, in neutral words. */
export interface UpstreamFailure {
  message: string;
  code?: string;
  param?: string;
  retryAfterMs?: number;
  /** The provider refused our key, whatever status it said so with (Gemini: 400 with reason `API_KEY_INVALID`). */
  credentialRejected?: boolean;
}
