import type { Completion, CompletionEvent } from '../conversation/completion.ts';
import type { Conversation, DialectName } from '../conversation/conversation.ts';
import type { ErrorKind, GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject, JsonValue } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { SaidNames } from './legal-names.ts';
import type { ModelNames } from './model-names.ts';

/** Dialects that clients speak to us. Bedrock's Converse is spoken to providers only: it can have no door. */
export type CallerDialectName = Exclude<DialectName, 'converse'>;

/**
 * The side of a wire language that faces a provider: encodes what it is sent and decodes what it answers.
 * Pure functions: no I/O, no clock, no logger.
 *
 * `encodeRequest` throws `GatewayError('invalid_request')` for what the dialect cannot express; response decoders throw
 * `GatewayError('upstream_unavailable')` for an answer that is not in the dialect.
 */
export interface UpstreamDialect {
  readonly name: DialectName;
  /** `names`: whose word the model's name is; the vendor's where nothing is said. */
  encodeRequest(conversation: Conversation, model: string, names?: ModelNames): EncodedRequest;
  decodeResponse(body: JsonValue): Completion;
  /** What an answer reports of its usage, also where it is an error, or not in the dialect. */
  readUsage(body: JsonValue): Usage | undefined;
  streamDecoder(): StreamDecoder;
  /** What a provider of this dialect means by an error answer; `body` is the parsed JSON or the raw text. */
  decodeError(status: number, body: JsonValue | string, headers?: ResponseHeaders): UpstreamFailure;
}

/** Headers of an answer, names in lower case. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/**
 * The side that faces a client: decodes what it sends and encodes what it gets back. Pure as well.
 *
 * `decodeRequest` throws `GatewayError('invalid_request')` with the parameter's path.
 */
export interface CallerDialect {
  readonly name: CallerDialectName;
  /** An id as the vendor's own answers have it, of an answer that another vendor named; as it is where nothing is said. */
  answerId?(id: string): string;
  /** What keeps a silent stream open, where clients of the dialect stumble over a comment; nothing does where it is empty. */
  readonly keepAlive?: string;
  decodeRequest(body: JsonObject, address: RequestAddress): Conversation;
  /**
   * @param request the body that the client sent; answers of some dialects (`responses`) repeat parts of it
   * @param dropped gets the names of what the answer says and the dialect has no word for (`answer.executableCode`)
   */
  encodeResponse(completion: Completion, request?: JsonObject, dropped?: string[]): JsonObject;
  /** The text of an answer, where that is not the JSON of an object. */
  writeResponse?(completion: Completion, dropped: string[]): string;
  streamEncoder(options: StreamEncoderOptions): StreamEncoder;
  encodeError(error: GatewayError): JsonObject;
  /** The status of an error where the dialect has another for it than all others. */
  errorStatus?(error: GatewayError): number;
}

/** A wire language that is spoken on both sides. */
export interface Dialect extends UpstreamDialect, CallerDialect {
  readonly name: CallerDialectName;
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
  /** Tools that are called otherwise there than by the caller: its answers are read with `withSaidNames`. */
  toolNames?: SaidNames;
  /** Stop sequences that the body does not say, for the model does not take them: its answers are read with `withCutAnswers`. */
  cutAt?: readonly string[];
}

/** One server-sent event with its data lines joined, or one frame of an AWS event stream. */
export interface StreamMessage {
  event?: string | undefined;
  data: string;
}

/** Turns a provider's stream into events. Holds the state of one stream. */
export interface StreamDecoder {
  /**
   * The usage up to now is what the stream's beginning says of the input, before anything was generated, in dialects
   * that begin so. Where an error follows in place of output, it is no bill.
   */
  readonly usageIsAnnounced?: boolean;
  /** Why the answer ended was said already, in dialects whose decoders give that at the end of the stream. */
  readonly isFinished?: boolean;
  /** About how much text was generated that no event tells, in UTF-16 units. */
  readonly untoldChars?: number;
  /** What ends an answer of which everything was told that its client is to get; `undefined`: there is, or may be, more. */
  conclude?(): CompletionEvent[] | undefined;
  push(message: StreamMessage): CompletionEvent[];
  /** The connection ended. Gives what is still open, or an `error` event where the stream broke off. */
  end(): CompletionEvent[];
}

export interface StreamEncoderOptions {
  /** chat: the client asked for a usage chunk. */
  includeUsage: boolean;
  /** The body that the client sent, as for `encodeResponse`. */
  request?: JsonObject | undefined;
  /** Tokens of the input as far as they are known, or estimated, before the answer: dialects that announce them say these. */
  expectedInput?: number;
  /** As for `encodeResponse`; it grows while the stream goes on. */
  dropped?: string[] | undefined;
}

/** Turns events into the bytes of a stream (SSE framing included). Holds the state of one stream. */
export interface StreamEncoder {
  /** The whole answer, once the last event was pushed, in dialects whose streams hold it. */
  readonly answer?: JsonObject | undefined;
  push(event: CompletionEvent): string;
}

/** A provider's refusal or failure, in neutral words. */
export interface UpstreamFailure {
  message: string;
  code?: string;
  /** Its word for the kind of failure, where the code is a narrower one. */
  type?: string;
  /** As in `GatewayError`. */
  details?: JsonObject;
  param?: string;
  retryAfterMs?: number;
  /** Headers that stand in the body (OpenRouter's `metadata.headers`), by their names in lower case: what they say of limits holds as well. */
  headers?: Record<string, string>;
  /** The provider refused our key, whatever status it said so with (Gemini: 400 with reason `API_KEY_INVALID`). */
  credentialRejected?: boolean;
  /** Our account at the provider may not do this, whoever asks: not about what was sent (Anthropic `permission_error`). */
  permissionDenied?: boolean;
  /** Where the status alone would be misread. */
  kind?: ErrorKind;
}
