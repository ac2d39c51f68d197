import type { Citation, Extra, Part, Signature } from './conversation.ts';
import type { GatewayError } from './gateway-error.ts';
import type { JsonObject } from './json.ts';
import type { Usage } from './usage.ts';

/** A whole answer: what a non-streaming response says, or what the events of a stream add up to. */
export interface Completion {
  id: string;
  /** The model version that the provider says it ran. */
  model: string;
  /** Unix seconds; absent where the dialect does not state it. */
  created?: number;
  choices: Choice[];
  usage?: Usage;
  extra?: Extra;
}

export interface Choice {
  index: number;
  parts: Part[];
  finish: FinishReason;
  /** The stop sequence that was met, where the provider names it. */
  stopSequence?: string;
  /** OpenAI's form: `{ content: [{ token, logprob, bytes, top_logprobs }], refusal }`. */
  logprobs?: JsonObject;
  extra?: Extra;
}

/** Why a choice ended. `dialects/finish-reasons.ts` maps each to and from every dialect. */
export type FinishReason =
  | 'stop'
  | 'stop_sequence'
  | 'length'
  | 'tool_calls'
  | 'content_filter'
  | 'refusal'
  /** A long-running turn was paused and may be continued by sending it back (Anthropic `pause_turn`). */
  | 'pause'
  /** The context window, not the output limit, ended it. */
  | 'context_length'
  /** The model wrote a tool call that the provider could not read (Gemini `MALFORMED_FUNCTION_CALL`). */
  | 'malformed_tool_call'
  | 'other';

/**
 * What a stream says, in order. Parts are numbered from 0 within their choice; a part's start, deltas and end
 * come in that order, and parts of one choice may overlap (parallel tool calls of some servers do).
 * Well-formed: one `start` first; each part ended before its choice's `finish`; `end` or `error` last.
 */
/** How an answer is named, attributed and dated. */
export interface AnswerHead {
  id: string;
  model: string;
  /** Unix seconds. */
  created?: number;
}

export type CompletionEvent =
  | { type: 'start'; id: string; model: string; created?: number; extra?: Extra }
  /** `value` has its text or arguments empty, or (media, opaque) is whole. */
  | { type: 'part_start'; choice: number; part: number; value: Part }
  /** Adds to `text`, or to `arguments` of a tool call. */
  | { type: 'part_delta'; choice: number; part: number; delta: string }
  /** Fields set here were known only at the end of the part. */
  | {
      type: 'part_end';
      choice: number;
      part: number;
      signature?: Signature;
      encrypted?: Signature;
      citations?: Citation[];
      extra?: Extra;
    }
  | { type: 'logprobs'; choice: number; value: JsonObject }
  | { type: 'finish'; choice: number; reason: FinishReason; stopSequence?: string; extra?: Extra }
  /** The newest totals; a later one replaces an earlier one. */
  | { type: 'usage'; usage: Usage }
  /** `head`: what the answer goes by where its provider never began it. */
  | { type: 'error'; error: GatewayError; head?: AnswerHead }
  | { type: 'end'; extra?: Extra };
