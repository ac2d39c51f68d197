import type { CompletionEvent } from '../../conversation/completion.ts';
import type { Citation, Part, TextPart, ToolCallPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import type { StreamEncoder, StreamEncoderOptions } from '../dialect.ts';
import { writeFinishReason } from '../finish-reasons.ts';
import { isCutOff } from '../finish-with-calls.ts';
import { nameForeignEvent } from '../foreign-answers.ts';
import { isReadableCall } from '../unfinished-calls.ts';
import { CarriedSignatureWriter } from './carried-signatures.ts';
import { writeGrounding } from './citations.ts';
import { encodeError } from './errors.ts';
import { encodeLogprobs } from './logprobs.ts';
import { defined, ownFields, ownSignature } from './proto.ts';
import { dropsCall, encodeAnswerPart, encodeHead, saysOnlyBlocked } from './response-encode.ts';
import { showsThoughts } from './thinking.ts';
import { encodeUsage } from './usage.ts';

/**
 * Writes the events of a `streamGenerateContent?alt=sse` answer. Text goes out as it comes, tool calls when they are
 * whole (the dialect has no deltas of arguments): when something follows them, or the answer ended and was not cut off.
 * Finish reasons and usage are in the last chunk.
 */
export function streamEncoder({ dropped, request }: StreamEncoderOptions): StreamEncoder {
  return new GeminiStreamEncoder(dropped, showsThoughts(request));
}

interface ChoiceState {
  signatures: CarriedSignatureWriter;
  parts: Part[];
  /** Calls that have ended and are not written yet, by their places. */
  endedCalls: Map<number, ToolCallPart>;
  /** Parts written so far: how clients count them. */
  written: number;
  texts: { partIndex: number; text: string; citations?: Citation[] | undefined }[];
}

class GeminiStreamEncoder implements StreamEncoder {
  #head: JsonObject = {};
  #own: JsonObject = {};
  readonly #choices = new Map<number, ChoiceState>();
  readonly #finishes: JsonObject[] = [];
  #usage: Usage | undefined;
  readonly #dropped: string[];
  readonly #showsThoughts: boolean;

  constructor(dropped: string[] = [], showsThoughts = true) {
    this.#dropped = dropped;
    this.#showsThoughts = showsThoughts;
  }

  push(event: CompletionEvent): string {
    nameForeignEvent(this.#dropped, event, 'gemini');
    switch (event.type) {
      case 'start':
        this.#head = encodeHead(event);
        this.#own = ownFields(event.extra);
        return '';
      case 'part_start':
        return this.#startPart(event.choice, event.part, event.value);
      case 'part_delta':
        return this.#addDelta(event.choice, event.part, event.delta);
      case 'part_end':
        return this.#endPart(event);
      case 'logprobs': {
        const logprobsResult = encodeLogprobs(event.value);
        return logprobsResult ? this.#write([{ index: event.choice, logprobsResult }]) : '';
      }
      case 'finish': {
        const calls = this.#writeCalls(event.choice, isCutOff(event.reason));
        this.#finishes.push(this.#encodeFinish(event));
        return calls;
      }
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'error':
        return frame(encodeError(event.error));
      case 'end':
        this.#own = { ...this.#own, ...ownFields(event.extra) };
        return this.#writeLast();
      default:
        return event satisfies never;
    }
  }

  #choice(index: number): ChoiceState {
    const choice = this.#choices.get(index) ?? {
      signatures: new CarriedSignatureWriter(this.#showsThoughts),
      parts: [],
      endedCalls: new Map(),
      written: 0,
      texts: [],
    };
    this.#choices.set(index, choice);
    return choice;
  }

  #startPart(index: number, place: number, value: Part): string {
    const choice = this.#choice(index);
    const calls = this.#writeReadableCalls(index);
    choice.parts[place] = { ...value };
    if (value.type === 'text') choice.texts[place] = { partIndex: choice.written, text: '' };
    return isStreamed(value) ? calls : calls + this.#encodePart(index, value);
  }

  /** What can be read and has a part behind it is whole, however the answer ends. */
  #writeReadableCalls(index: number): string {
    const { endedCalls } = this.#choice(index);
    let text = '';
    for (const [place, call] of endedCalls) {
      if (!isReadableCall(call)) continue;
      endedCalls.delete(place);
      text += this.#encodePart(index, call);
    }
    return text;
  }

  #writeCalls(index: number, wasCutOff: boolean): string {
    const { endedCalls, parts } = this.#choice(index);
    let text = '';
    for (const [place, call] of [...endedCalls].toSorted(([a], [b]) => a - b)) {
      if (wasCutOff && dropsCall(call, place === parts.length - 1, this.#dropped)) continue;
      text += this.#encodePart(index, call);
    }
    endedCalls.clear();
    return text;
  }

  #encodePart(index: number, part: Part): string {
    return this.#writePart(index, encodeAnswerPart(part, this.#choice(index).signatures, this.#dropped));
  }

  #addDelta(index: number, place: number, delta: string): string {
    const choice = this.#choice(index);
    const part = choice.parts[place];
    if (!part) throw new Error(`event for part ${place} of choice ${index}, which has not started`);
    if (part.type === 'tool_call') {
      part.arguments += delta;
      return '';
    }
    const text = choice.texts[place];
    if (text) text.text += delta;
    // Its signature, which may have to be carried, is worth nothing without the words.
    if (part.type === 'reasoning') part.text += delta;
    if (delta === '' || !('text' in part) || this.#withholds(part)) return '';
    return this.#write([
      candidate(index, part.type === 'reasoning' ? { text: delta, thought: true } : { text: delta }),
    ]);
  }

  #endPart({ choice: index, part: place, signature, encrypted, citations, extra }: PartEnd): string {
    const choice = this.#choice(index);
    const started = choice.parts[place];
    if (!started || !isStreamed(started)) return '';
    const part: Part = defined({ ...started, ...defined({ signature, encrypted, citations, extra }) });
    const text = choice.texts[place];
    if (text) text.citations = (part as TextPart).citations;
    if (part.type === 'tool_call') {
      choice.endedCalls.set(place, part);
      return '';
    }
    choice.signatures.add(part);
    if (this.#withholds(part)) return '';
    choice.written += 1;
    // The text is out; what is left to say of the part follows it with an empty one.
    const thoughtSignature = 'signature' in part ? ownSignature(part.signature) : undefined;
    const rest = defined({ thoughtSignature, ...ownFields('extra' in part ? part.extra : undefined) });
    if (Object.keys(rest).length === 0) return '';
    const thought = part.type === 'reasoning' ? { thought: true } : {};
    return this.#write([candidate(index, { text: '', ...thought, ...rest })]);
  }

  #withholds({ type }: Part): boolean {
    return type === 'reasoning' && !this.#showsThoughts;
  }

  #writePart(index: number, wire: JsonObject | undefined): string {
    if (!wire) return '';
    this.#choice(index).written += 1;
    return this.#write([candidate(index, wire)]);
  }

  #encodeFinish({ choice: index, reason, extra }: Finish): JsonObject {
    const choice = this.#choice(index);
    const texts = choice.texts.filter((text) => text !== undefined);
    return defined({
      // Google ends so, and its client keeps a turn in a chat's history only if every chunk has a part.
      ...(choice.written > 0 ? { content: { parts: [{ text: '' }], role: 'model' } } : {}),
      finishReason: writeFinishReason('gemini', reason),
      index,
      ...(extra?.dialect === 'gemini' ? {} : { groundingMetadata: writeGrounding(texts) }),
      ...ownFields(extra),
    });
  }

  #writeLast(): string {
    const { usageMetadata, ...rest } = this.#own;
    const blocked = saysOnlyBlocked([...this.#choices.values()], this.#own);
    const usage = this.#usage
      ? encodeUsage(this.#usage, isObject(usageMetadata) ? usageMetadata : {})
      : usageMetadata;
    return this.#write(blocked ? undefined : this.#finishes, defined({ usageMetadata: usage, ...rest }));
  }

  #write(candidates: JsonObject[] | undefined, fields: JsonObject = {}): string {
    return frame(defined({ candidates, ...this.#head, ...fields }));
  }
}

type PartEnd = CompletionEvent & { type: 'part_end' };
type Finish = CompletionEvent & { type: 'finish' };

/** Parts that come in deltas; the others are whole when they start. */
function isStreamed(part: Part): boolean {
  return (
    part.type === 'text' || part.type === 'reasoning' || part.type === 'refusal' || part.type === 'tool_call'
  );
}

function candidate(index: number, part: JsonObject): JsonObject {
  return { content: { parts: [part], role: 'model' }, index };
}

/** Google separates the events of its streams by CRLF. */
function frame(message: JsonObject): string {
  return `data: ${JSON.stringify(message)}\r\n\r\n`;
}
