import type { CompletionEvent } from '../../conversation/completion.ts';
import type { Extra, Part, ReasoningPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { NO_USAGE, type Usage } from '../../conversation/usage.ts';
import type { StreamEncoder, StreamEncoderOptions } from '../dialect.ts';
import { nameFittedFinish } from '../finish-reasons.ts';
import { nameForeignEvent } from '../foreign-answers.ts';
import { encodeCitations } from './citations.ts';
import { answeredToolUse, encodeAnswerPart, thinkingSignature } from './encode-answer.ts';
import { encodeError } from './errors.ts';
import { ownFields } from './fields.ts';
import { isExplanation } from './refusal-words.ts';
import { stopReason } from './response.ts';
import { encodeUsage } from './usage.ts';
import { showsThinking } from './withheld-thinking.ts';

/** Of an event that reports the end, these fields stand beside the delta, all others in it. */
const BESIDE_DELTA = new Set(['context_management']);

/** A part on its way, with the deltas that wait for an earlier block to close. */
interface PendingPart {
  value: Part;
  deltas: string[];
  end?: PartEnd;
  /** It was opened as a block that is whole from its start. */
  isRedacted?: boolean;
}

type PartEnd = Extract<CompletionEvent, { type: 'part_end' }>;

/**
 * Writes one stream for a client. Blocks follow one another here, so of parts that overlap (parallel tool calls
 * of some servers) all but the first wait their turn. There is one choice; what has no block in this dialect
 * (images, other dialects' blocks) is passed over as in the whole answer.
 */
export class MessagesStreamEncoder implements StreamEncoder {
  /** Parts that have begun and are not wholly written, in the order of their beginning; the first has its block open. */
  readonly #parts = new Map<number, PendingPart>();
  #index = -1;
  #isOpen = false;
  #refuses = false;
  #usage: Usage | undefined;
  #usageFields: JsonObject = {};
  #finish: Extract<CompletionEvent, { type: 'finish' }> | undefined;
  readonly #dropped: string[];
  readonly #expectedInput: number;
  readonly #showsThinking: boolean;
  /** Reasoning since the last tool call that the client does not get to see. */
  #withheld: ReasoningPart[] = [];

  constructor({ dropped = [], expectedInput = 0, request }: StreamEncoderOptions) {
    this.#dropped = dropped;
    this.#expectedInput = expectedInput;
    this.#showsThinking = showsThinking(request);
  }

  push(event: CompletionEvent): string {
    nameForeignEvent(this.#dropped, event, 'messages');
    switch (event.type) {
      case 'start':
        return this.#start(event.id, event.model, event.extra);
      case 'part_start':
        if (event.choice !== 0 || isExplanation(event.value)) return '';
        if (event.value.type === 'refusal') this.#refuses = true;
        this.#parts.set(event.part, { value: event.value, deltas: [] });
        return this.#write();
      case 'part_delta':
        if (event.choice !== 0) return '';
        this.#parts.get(event.part)?.deltas.push(event.delta);
        return this.#write();
      case 'part_end': {
        const part = event.choice === 0 ? this.#parts.get(event.part) : undefined;
        if (part) part.end = event;
        return this.#write();
      }
      case 'finish':
        if (event.choice === 0) this.#finish = event;
        return '';
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'logprobs':
        return '';
      case 'error':
        return frame('error', encodeError(event.error));
      case 'end':
        return this.#end(event.extra);
      default:
        return event satisfies never;
    }
  }

  #start(id: string, model: string, extra: Extra | undefined): string {
    const { usage, ...fields } = ownFields(extra);
    this.#usageFields = isObject(usage) ? usage : {};
    const message: JsonObject = {
      id,
      type: 'message',
      role: 'assistant',
      model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      ...fields,
      // Counts are cumulative: those of the end stand in the place of these.
      usage: encodeUsage({ ...NO_USAGE, input: this.#expectedInput }),
    };
    return frame('message_start', { type: 'message_start', message });
  }

  /** Writes what the first part has, and where that has ended, goes on to the next. */
  #write(): string {
    let out = '';
    for (const [index, part] of this.#parts) {
      if (part.value.type === 'reasoning' && !this.#showsThinking) {
        if (!part.end) break;
        this.#withheld.push(wholeReasoning(part.value, part.deltas, part.end));
        this.#parts.delete(index);
        continue;
      }
      if (!this.#isOpen && !part.end && isRedacted(part)) break;
      if (!this.#isOpen) out += this.#open(part);
      if (this.#isOpen) out += this.#deltas(part);
      if (!part.end) break;
      if (this.#isOpen) out += this.#close(part, part.end);
      this.#parts.delete(index);
    }
    return out;
  }

  #open(part: PendingPart): string {
    const { value } = part;
    part.isRedacted = isRedacted(part);
    const block = blockStart(part, this.#dropped, value.type === 'tool_call' ? this.#withheld.splice(0) : []);
    if (!block) return '';
    this.#isOpen = true;
    this.#index++;
    return this.#frame('content_block_start', { content_block: block });
  }

  #deltas(part: PendingPart): string {
    // Free text becomes a JSON string, which needs all of it.
    if (isCustomCall(part.value)) return '';
    let out = '';
    for (const delta of part.deltas.splice(0)) {
      const encoded = delta === '' ? undefined : encodeDelta(part.value, delta);
      if (encoded) out += this.#frame('content_block_delta', { delta: encoded });
    }
    return out;
  }

  #close(part: PendingPart, end: PartEnd): string {
    const { value, deltas } = part;
    let out = '';
    if (isCustomCall(value)) {
      const input = JSON.stringify({ input: deltas.join('') });
      out += this.#frame('content_block_delta', { delta: { type: 'input_json_delta', partial_json: input } });
    }
    for (const delta of closingDeltas(part, end)) out += this.#frame('content_block_delta', { delta });
    this.#isOpen = false;
    return out + this.#frame('content_block_stop', {});
  }

  #end(extra: Extra | undefined): string {
    const reason = this.#finish?.reason ?? 'other';
    nameFittedFinish(this.#dropped, 'messages', reason, 'stop_reason');
    const { usage, ...fields } = ownFields(extra);
    const usageFields = { ...this.#usageFields, ...(isObject(usage) ? usage : {}) };
    const inDelta = Object.entries(fields).filter(([key]) => !BESIDE_DELTA.has(key));
    const beside = Object.entries(fields).filter(([key]) => BESIDE_DELTA.has(key));
    const last: JsonObject = {
      type: 'message_delta',
      delta: {
        stop_reason: stopReason(reason, this.#refuses),
        stop_sequence: this.#finish?.stopSequence ?? null,
        ...Object.fromEntries(inDelta),
      },
      usage: encodeUsage(this.#usage ?? NO_USAGE, usageFields),
      ...Object.fromEntries(beside),
    };
    return frame('message_delta', last) + frame('message_stop', { type: 'message_stop' });
  }

  #frame(type: string, fields: JsonObject): string {
    return frame(type, { type, index: this.#index, ...fields });
  }
}

/** The block as it stands before its deltas; `undefined` where the part has no block in this dialect. */
function blockStart(part: PendingPart, dropped: string[], withheld: ReasoningPart[]): JsonObject | undefined {
  const { value, end } = part;
  switch (value.type) {
    case 'text':
    case 'refusal': {
      const { citations: _, ...fields } = value.type === 'text' ? ownFields(value.extra) : {};
      return { type: 'text', text: '', ...fields };
    }
    case 'tool_call':
      return answeredToolUse(value, withheld);
    case 'reasoning':
      if (part.isRedacted) return encodeAnswerPart(wholeReasoning(value, [], end), dropped)[0];
      return { type: 'thinking', thinking: '', signature: '', ...ownFields(value.extra) };
    default:
      return encodeAnswerPart(value, dropped)[0];
  }
}

function encodeDelta(value: Part, delta: string): JsonObject | undefined {
  switch (value.type) {
    case 'text':
    case 'refusal':
      return { type: 'text_delta', text: delta };
    case 'reasoning':
      return { type: 'thinking_delta', thinking: delta };
    case 'tool_call':
      return { type: 'input_json_delta', partial_json: delta };
    default:
      return undefined;
  }
}

/** What is known of a part only at its end. */
function closingDeltas({ value, isRedacted }: PendingPart, end: PartEnd): JsonObject[] {
  if (value.type === 'text') {
    const citations = encodeCitations({
      citations: end.citations ?? value.citations,
      extra: end.extra ?? value.extra,
    });
    return citations.map((citation) => ({ type: 'citations_delta', citation }));
  }
  if (value.type === 'reasoning') {
    if (isRedacted) return [];
    return [{ type: 'signature_delta', signature: thinkingSignature(wholeReasoning(value, [], end)) }];
  }
  return [];
}

/** Whether it is, as far as it has come, reasoning that nobody can read. That it stays so is known at its end. */
function isRedacted({ value, deltas, end }: PendingPart): boolean {
  if (value.type !== 'reasoning') return false;
  const { text, signature, encrypted } = wholeReasoning(value, deltas, end);
  return text === '' && !signature && encrypted !== undefined && value.encrypted !== undefined;
}

function wholeReasoning(
  value: ReasoningPart,
  deltas: readonly string[],
  end: PartEnd | undefined,
): ReasoningPart {
  const { signature, encrypted, extra } = end ?? {};
  return {
    ...value,
    text: value.text + deltas.join(''),
    ...(signature && { signature }),
    ...(encrypted && { encrypted }),
    ...(extra && { extra }),
  };
}

function isCustomCall(value: Part): boolean {
  return value.type === 'tool_call' && value.kind === 'custom';
}

function frame(event: string, data: JsonObject): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
