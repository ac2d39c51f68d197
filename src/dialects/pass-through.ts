import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Usage } from '../conversation/usage.ts';
import type { AnswerScan } from './answer-scan.ts';
import type { Bridge } from './bridge.ts';
import type { FieldSpans } from './request-fields.ts';
import type { ServedTier } from './tiers.ts';
import type { WordTable } from './word-table.ts';

/**
 * How a dialect is relayed to a provider of the same dialect: bytes in, bytes out. Nothing is decoded and encoded
 * again; the model name is replaced in place, and a scanner finds in passing what the gateway must know.
 */
export interface PassThrough {
  /** Top-level fields of a request that `prepareRequest` needs to know the place of. */
  readonly fields: WordTable;
  /** A body without this text holds nothing that another provider must not see; `CARRIED_MARKER` where nothing is said. */
  readonly carriedMarker?: Buffer;
  /** The body as the provider gets it. */
  prepareRequest(body: Buffer, spans: FieldSpans, options: PrepareOptions): Buffer;
  /** What of its requests must be said otherwise to some models. */
  readonly bridge?: Bridge;
  /** Its answers are worth a walk before they are asked about; others are lists of numbers, or what is no JSON. */
  readonly scansAnswers?: true;
  /** What a whole (non-streaming) answer says of its usage, or the end of one. */
  readUsage(body: Buffer, scan?: AnswerScan): Usage | undefined;
  /** The model that it says it is of, in dialects whose requests can have another answer than the one that they are for. */
  readModel?(body: Buffer, scan?: AnswerScan): string | undefined;
  /**
   * The error that a whole answer is in truth, though its status was 200; also of one that is not what was asked for. Good
   * answers are not parsed for this.
   */
  readFailure(body: Buffer, scan?: AnswerScan): GatewayError | undefined;
  /** A whole answer without what clients would stumble over: the same buffer unless something had to be mended. */
  mendAnswer?(body: Buffer, scan?: AnswerScan): Buffer;
  /** The id of a whole answer, which may begin with these bytes, in dialects whose providers keep answers. */
  readAnswerId?(head: Buffer): string | undefined;
  /** Whether later requests may be able to name something of the answer to such a request. Absent: of any. */
  leavesIds?(spans: FieldSpans): boolean;
  /**
   * What later requests can name of a whole answer, in dialects whose providers keep such. `undefined`: nothing was found, and
   * the answer not parsed for it; `broken`: it was, and is no JSON.
   */
  readMadeIds?(body: Buffer, spans: FieldSpans): MadeIds | 'broken' | undefined;
  /** The same for the beginning of one that is too large to be held, as far as it is told there. */
  readFirstIds?(head: Buffer): MadeIds;
  /** The same for one that is parsed. */
  madeIds?(answer: JsonObject): MadeIds;
  /** How many prompts a request holds, each of which is answered as far as its limits let. */
  countPrompts?(body: Buffer, spans: FieldSpans): number;
  /** How many things a request asks for, in dialects whose streams tell the end of each. */
  countAsked?(body: Buffer, spans: FieldSpans): number;
  streamScanner(options: ScanOptions): StreamScanner;
}

/** A whole answer with status 200 that is something else than was asked for. */
export function noAnswer(asked: string): GatewayError {
  return new GatewayError('upstream_unavailable', `The provider sent an answer that is no ${asked}.`);
}

/** Ids by which later requests can name what an answer made. */
export interface MadeIds {
  items: string[];
  containers: string[];
  /** What the model said. */
  audio?: string[];
  /** Message threads that can be continued. */
  threads?: string[];
  /** Tokens by which an answer can be gone on with. */
  continuations?: string[];
  /** Answers to requests with which later ones can be compared. */
  compared?: string[];
}

export interface PrepareOptions {
  model: string;
  stream: boolean;
  /** The provider refuses to be asked for the usage of its streams (chat `stream_options`). */
  asksNoUsage?: boolean;
}

export interface ScanOptions {
  /** How many things the request asks for, each of which the stream tells the end of: one where nothing is said. */
  asked?: number | undefined;
  /** The client did not ask for usage: an event that only reports it is left out. */
  hideUsage: boolean;
  /** The stream may hold what later requests can name. */
  findsIds?: boolean;
  /** The places of the request's fields that the dialect wants to know. */
  spans?: FieldSpans;
}

/** Watches one stream go by. */
export interface StreamScanner {
  /** Takes whole server-sent events and gives the bytes to relay: the same buffer unless something is hidden or mended. */
  scan(events: Buffer): Buffer;
  readonly usage: Usage | undefined;
  /** As `PassThrough.readModel`. */
  readonly model?: string | undefined;
  /** The tier that it says it is served in, in dialects that say so beside the usage. */
  readonly servedTier?: ServedTier;
  /** As in `StreamDecoder`. */
  readonly usageIsAnnounced?: boolean;
  /** Real output has been seen, not only lifecycle events: from here on nothing can be taken back. */
  readonly hasOutput: boolean;
  /** The stream said that it is complete (a finish reason or the dialect's last event). */
  readonly finished: boolean;
  /** The dialect's last event was seen. */
  readonly terminated: boolean;
  /** The provider reported an error inside the stream, or what it sent cannot be read. */
  readonly failure: GatewayError | undefined;
  /** Whether the event of the failure is one that tells clients of it. */
  readonly failureIsTold: boolean;
  /** `scan` gives nothing of an event of a failure that clients are not told of; elsewhere it is the relay that cuts it off. */
  readonly cutsFailure?: boolean;
  /**
   * Whether bytes that no blank line ended are a whole event all the same. Some servers leave the line out behind their
   * last event; of others the event is cut off.
   */
  isWholeEvent(rest: Buffer): boolean;
  /** How many events carried output: what is accounted when the stream breaks off without saying its usage. */
  readonly outputEvents: number;
  /** The answer's id, once it was told, in dialects whose providers keep answers. */
  readonly answerId?: string | undefined;
  /** What later requests can name of the answer, as far as it was told. */
  readonly madeIds?: MadeIds | undefined;
  /** What is missing after the last byte of a stream that finished. */
  closing(): string;
  /** The last words of a stream that breaks off, where they depend on what came before. */
  breakOff?(error: GatewayError): string | undefined;
  /** What is missing behind the provider's own word of a failure, in dialects that tell of it twice. */
  closeFailure?(error: GatewayError): string;
}
