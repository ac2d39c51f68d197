import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent, FinishReason } from '../../conversation/completion.ts';
import type {
  Citation,
  Extra,
  Part,
  ReasoningPart,
  Signature,
  TextPart,
} from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { readCustomToolArguments } from '../reserved-tools.ts';
import { readCitations } from './citations.ts';
import { logprobsIn } from './logprobs.ts';
import { PartialArgs } from './partial-args.ts';
import { decodePart } from './parts.ts';
import { defined, extraOf, messageIn, messagesIn, overlay, textIn } from './proto.ts';
import { CallIds, decodeFinish, finishWord, isAnswer } from './response-decode.ts';

interface OpenText {
  part: number;
  type: 'text' | 'reasoning';
  /** Set: the part is complete; what follows is another. */
  signature: Signature | undefined;
}

interface OpenCall {
  /** Absent: it stands for a JSON answer, and is no part. */
  part: number | undefined;
  isCustom: boolean;
  args: PartialArgs;
}

/** Reads one candidate's share of a stream: what its chunks say, as the events of one choice. */
export class ChoiceDecoder {
  readonly index: number;
  finished = false;
  readonly #ids: CallIds;
  /** Parts started so far; texts with what they have come to, for citations. */
  readonly #parts: Part[] = [];
  #text: OpenText | undefined;
  #call: OpenCall | undefined;
  /** The JSON answer that the first such call stands for; it is one only where the turn calls nothing else. */
  #answer: string | undefined;
  /** The candidate's fields, as the chunks add them up. */
  #fields: JsonObject = {};

  constructor(index: number, seed: string) {
    this.index = index;
    this.#ids = new CallIds(seed, index);
  }

  push(candidate: JsonObject): CompletionEvent[] {
    const { content: _c, index: _i, logprobsResult: _l, ...fields } = candidate;
    const events = messagesIn(messageIn(candidate, 'content') ?? {}, 'parts').flatMap((part) =>
      this.#read(part),
    );
    this.#fields = overlay(this.#fields, fields);
    if (textIn(fields, 'finishReason') !== undefined) this.finished = true;
    const logprobs = logprobsIn(candidate);
    if (logprobs) events.push({ type: 'logprobs', choice: this.index, value: logprobs });
    return events;
  }

  /** What the candidate came to. */
  get ended(): { candidate: JsonObject; choice: { parts: readonly Part[]; finish: FinishReason } } {
    const finish = decodeFinish(textIn(this.#fields, 'finishReason'), this.#parts);
    const answer: Part[] = this.#answer === undefined ? [] : [{ type: 'text', text: this.#answer }];
    return { candidate: this.#fields, choice: { parts: [...this.#parts, ...answer], finish } };
  }

  finish(): CompletionEvent[] {
    const { finishReason, ...rest } = this.#fields;
    const word = typeof finishReason === 'string' ? finishReason : undefined;
    const closing = [...this.#closeText(this.#citations()), ...this.#closeCall(), ...this.#writeAnswer()];
    const reason = decodeFinish(word, this.#parts);
    const extra = extraOf({ ...rest, ...finishWord(word, reason) });
    return [...closing, defined({ type: 'finish' as const, choice: this.index, reason, extra })];
  }

  #read(wire: JsonObject): CompletionEvent[] {
    const functionCall = messageIn(wire, 'functionCall');
    if (functionCall) return this.#readCall(wire, functionCall);
    const part = decodePart(wire, () => this.#ids.next());
    if (part.type === 'text' || part.type === 'reasoning') return this.#readText(part);
    const closing = [...this.#closeText(), ...this.#closeCall()];
    return [...closing, ...this.#whole(part)];
  }

  #whole(value: Part): CompletionEvent[] {
    const at = this.#begin(value);
    return [
      { type: 'part_start', ...at, value },
      { type: 'part_end', ...at },
    ];
  }

  #begin(value: Part): { choice: number; part: number } {
    this.#parts.push(value);
    return { choice: this.index, part: this.#parts.length - 1 };
  }

  /**
   * Chunks of text run on in one part until one brings a signature: that one is the last. An empty text only
   * carries its signature to the part before it.
   */
  #readText({ type, text, signature, extra }: TextPart | ReasoningPart): CompletionEvent[] {
    if (text === '' && !signature && !extra) return [];
    const closing = this.#closeCall();
    const open = this.#text;
    const runsOn = open && open.type === type && !open.signature && !extra;
    if (!runsOn) {
      appendAll(closing, this.#closeText());
      appendAll(closing, this.#openText({ type, signature, extra }));
    }
    const current = this.#text;
    if (!current) return closing;
    const part = this.#parts[current.part];
    if (signature) {
      current.signature = signature;
      // A text of nothing that is signed is something.
      if (part?.type === 'text' || part?.type === 'reasoning') part.signature = signature;
    }
    if (text === '') return closing;
    if (part && 'text' in part) part.text += text;
    return [...closing, { type: 'part_delta', choice: this.index, part: current.part, delta: text }];
  }

  #openText({ type, signature, extra }: { type: OpenText['type']; signature?: Signature; extra?: Extra }) {
    const at = this.#begin({ type, text: '' });
    this.#text = { part: at.part, type, signature };
    const value = defined({ type, text: '', signature, extra });
    return [{ type: 'part_start' as const, ...at, value }];
  }

  #closeText(citations?: Citation[]): CompletionEvent[] {
    const open = this.#text;
    if (!open) return [];
    this.#text = undefined;
    const { part, signature } = open;
    return [defined({ type: 'part_end' as const, choice: this.index, part, signature, citations })];
  }

  /** Those of the text that is still open; for a part that has ended they come too late, but stay in `extra`. */
  #citations(): Citation[] | undefined {
    const texts = this.#parts.filter((part) => part.type === 'text');
    const open = texts.findIndex((part) => part === this.#parts[this.#text?.part ?? -1]);
    if (open < 0) return undefined;
    const lists = readCitations(
      this.#fields,
      texts.map(({ text }) => text),
    );
    const citations = lists[open] ?? [];
    return citations.length > 0 ? citations : undefined;
  }

  /** A call comes whole, or in pieces: first its name, then arguments, all but the last with `willContinue`. */
  #readCall(wire: JsonObject, functionCall: JsonObject): CompletionEvent[] {
    const { partialArgs: _p, willContinue, args: _a, ...head } = functionCall;
    const events: CompletionEvent[] = [];
    if (textIn(head, 'name') !== undefined) {
      appendAll(events, this.#closeText());
      appendAll(events, this.#closeCall());
      appendAll(events, this.#openCall({ ...wire, functionCall: head }));
    }
    // Without a call to continue, an empty one says nothing.
    if (!this.#call) return events;
    this.#call.args.add(functionCall);
    return willContinue === true ? events : [...events, ...this.#closeCall()];
  }

  #openCall(wire: JsonObject): CompletionEvent[] {
    if (isAnswer(wire)) {
      this.#call = { part: undefined, isCustom: false, args: new PartialArgs() };
      return [];
    }
    const part = decodePart(wire, () => this.#ids.next());
    if (part.type !== 'tool_call') return this.#whole(part);
    const value = { ...part, arguments: '' };
    const at = this.#begin(value);
    this.#call = { part: at.part, isCustom: part.kind === 'custom', args: new PartialArgs() };
    return [{ type: 'part_start', ...at, value }];
  }

  /** The arguments go out in one piece: pieces may return to a place that text would already have closed. */
  #closeCall(): CompletionEvent[] {
    const open = this.#call;
    if (!open) return [];
    this.#call = undefined;
    const text = open.args.toString();
    if (open.part === undefined) {
      this.#answer ??= text;
      return [];
    }
    const at = { choice: this.index, part: open.part };
    return [
      { type: 'part_delta', ...at, delta: open.isCustom ? readCustomToolArguments(text) : text },
      { type: 'part_end', ...at },
    ];
  }

  #writeAnswer(): CompletionEvent[] {
    const answer = this.#answer;
    if (answer === undefined || this.#parts.some(({ type }) => type === 'tool_call')) return [];
    const at = this.#begin({ type: 'text', text: answer });
    return [
      { type: 'part_start', ...at, value: { type: 'text', text: '' } },
      { type: 'part_delta', ...at, delta: answer },
      { type: 'part_end', ...at },
    ];
  }
}
