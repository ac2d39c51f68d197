import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import type { Citation, Extra, Part, ReasoningPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { readFinishReason } from '../finish-reasons.ts';
import { finishWithCalls } from '../finish-with-calls.ts';
import { AudioOutputPieces, decodeAudioOutput } from './audio-output.ts';
import { decodeAnnotations } from './citations.ts';
import { decodeImages } from './content-parts.ts';
import { chatExtra } from './extra.ts';
import { detailsText, joinDetailPieces, plainReasoning, sealDetails } from './reasoning-details.ts';
import {
  type AnswerOptions,
  CHOICE_FIELDS,
  type ContentChunk,
  contentChunks,
  MESSAGE_FIELDS,
  otherContent,
} from './response.ts';
import { StreamToolCalls } from './stream-tool-calls.ts';
import { ThinkTags } from './think-tags.ts';
import { fallbackCallId } from './tool-calls.ts';

type TextKind = 'text' | 'reasoning' | 'refusal';

/** One choice of a streamed answer, put together from its deltas. */
export class StreamChoice {
  readonly #index: number;
  readonly #calls: StreamToolCalls;
  #parts = 0;
  #open: { kind: TextKind; part: number } | undefined;
  #finishWord = '';
  readonly #thinkTags: ThinkTags | undefined;
  readonly #replaysReasoning: boolean;
  readonly #sealsDetails: boolean;
  /** Pieces of `reasoning_details` since the open reasoning part began. */
  #details: JsonObject[] = [];
  /** Pieces without text that came while the answer's text was open: its citations may still come. */
  #lateDetails: JsonObject[] = [];
  /** Reasoning came under a plain name: what its details say is the same again, in the same chunk or at the end. */
  #saysPlainReasoning = false;
  #audio: AudioOutputPieces | undefined;
  #citations: Citation[] = [];
  #otherAnnotations: JsonValue[] = [];
  /** The newest values of fields that the neutral model has no word for. */
  readonly #choiceFields = new Map<string, JsonValue | undefined>();
  readonly #messageFields = new Map<string, JsonValue | undefined>();

  constructor(
    index: number,
    completionId: string,
    { thinkTags = false, replaysReasoning = false, sealsDetails = false }: AnswerOptions = {},
  ) {
    this.#index = index;
    this.#replaysReasoning = replaysReasoning;
    this.#sealsDetails = sealsDetails;
    this.#thinkTags = thinkTags ? new ThinkTags() : undefined;
    this.#calls = new StreamToolCalls({
      choice: index,
      nextPart: () => this.#parts++,
      fallbackId: (call) => fallbackCallId(completionId, index, call),
    });
  }

  /** Whether the server said why the choice ended. */
  get isFinished(): boolean {
    return this.#finishWord !== '';
  }

  push(choice: JsonObject): CompletionEvent[] {
    const events: CompletionEvent[] = [];
    const delta = this.#deltaOf(choice);
    if (delta) this.#pushDelta(delta, events);
    const { logprobs, finish_reason: finish } = choice;
    if (isObject(logprobs)) events.push({ type: 'logprobs', choice: this.#index, value: logprobs });
    // Some servers repeat it, some clear it again.
    if (typeof finish === 'string' && finish !== '') this.#finishWord = finish;
    keepNewest(this.#choiceFields, choice, CHOICE_FIELDS);
    return events;
  }

  /** What the whole answer rests on, unless its own annotations said so. */
  cite(citations: Citation[]): void {
    if (this.#citations.length === 0) appendAll(this.#citations, citations);
  }

  /** Ends what is open and says why it ended: at the very end, because deltas may follow a finish reason. */
  finish(): CompletionEvent[] {
    const events: CompletionEvent[] = [];
    for (const { kind, text } of this.#thinkTags?.end() ?? []) this.#say(kind, text, events);
    this.#closeText(events, this.#citations);
    appendAll(events, this.#calls.end());
    if (this.#audio) this.#pushWhole(decodeAudioOutput(this.#audio.whole()), events);
    const reason = this.isFinished ? readFinishReason('chat', this.#finishWord) : 'stop';
    const extra = chatExtra(this.#extraFields());
    events.push({
      type: 'finish',
      choice: this.#index,
      reason: finishWithCalls(reason, this.#calls.any),
      ...(extra ? { extra } : {}),
    });
    return events;
  }

  /** A server that answers with one event puts a whole message into it; where there were deltas it only repeats them. */
  #deltaOf({ delta, message }: JsonObject): JsonObject | undefined {
    if (isObject(delta)) return delta;
    return this.#parts === 0 && isObject(message) ? message : undefined;
  }

  #pushDelta(delta: JsonObject, events: CompletionEvent[]): void {
    const { content, refusal, reasoning_details: details, audio } = delta;
    this.#pushReasoning(this.#reasoningOf(delta), details, events);
    if (typeof content === 'string') this.#sayContent(content, events);
    for (const { kind, text } of contentChunks(content)) this.#say(kind, text, events);
    for (const part of otherContent(content)) this.#pushWhole(part, events);
    if (typeof refusal === 'string') this.#say('refusal', refusal, events);
    for (const image of decodeImages(delta['images'])) this.#pushWhole(image, events);
    for (const call of callDeltas(delta)) {
      this.#closeText(events);
      appendAll(events, this.#calls.push(call));
    }
    if (isObject(audio)) {
      this.#audio ??= new AudioOutputPieces();
      this.#audio.push(audio);
    }
    const { citations, others } = decodeAnnotations(delta['annotations']);
    appendAll(this.#citations, citations);
    appendAll(this.#otherAnnotations, others);
    keepNewest(this.#messageFields, delta, MESSAGE_FIELDS);
  }

  #reasoningOf(delta: JsonObject): string {
    const plain = plainReasoning(delta);
    if (plain !== undefined) this.#saysPlainReasoning = true;
    return plain ?? (this.#saysPlainReasoning ? '' : (detailsText(delta['reasoning_details']) ?? ''));
  }

  #pushReasoning(text: string, details: JsonValue | undefined, events: CompletionEvent[]): void {
    const pieces = Array.isArray(details) ? details.filter(isObject) : [];
    if (text === '' && pieces.length === 0) return;
    if (text === '' && this.#open?.kind === 'text') {
      appendAll(this.#lateDetails, pieces);
      return;
    }
    this.#openText('reasoning', events);
    appendAll(this.#details, pieces);
    this.#say('reasoning', text, events);
  }

  #sayContent(content: string, events: CompletionEvent[]): void {
    const chunks: ContentChunk[] = this.#thinkTags?.read(content) ?? [{ kind: 'text', text: content }];
    for (const { kind, text } of chunks) this.#say(kind, text, events);
  }

  #say(kind: TextKind, delta: string, events: CompletionEvent[]): void {
    if (delta === '') return;
    const part = this.#openText(kind, events);
    events.push({ type: 'part_delta', choice: this.#index, part, delta });
  }

  /** Text of one kind goes on in the part that is open; another kind, or a tool call between, begins a new one. */
  #openText(kind: TextKind, events: CompletionEvent[]): number {
    if (this.#open?.kind === kind) return this.#open.part;
    this.#closeText(events);
    appendAll(events, this.#calls.endWhole());
    const part = this.#parts++;
    this.#open = { kind, part };
    const value: Part =
      kind === 'reasoning' && this.#replaysReasoning
        ? { type: kind, text: '', wantedBack: true }
        : { type: kind, text: '' };
    events.push({ type: 'part_start', choice: this.#index, part, value });
    return part;
  }

  /** `citations` are known for good only when the stream is over. */
  #closeText(events: CompletionEvent[], citations: Citation[] = []): void {
    if (!this.#open) return;
    const { kind, part } = this.#open;
    const end: CompletionEvent = { type: 'part_end', choice: this.#index, part };
    if (kind === 'text' && citations.length > 0) {
      end.citations = citations;
      this.#citations = [];
    }
    if (kind === 'reasoning' && this.#details.length > 0) {
      Object.assign(end, this.#wholeDetails(this.#details));
      this.#details = [];
    }
    this.#open = undefined;
    events.push(end);
    if (kind === 'text') this.#pushLateDetails(events);
  }

  #pushLateDetails(events: CompletionEvent[]): void {
    const details = this.#lateDetails;
    this.#lateDetails = [];
    if (details.length === 0) return;
    this.#pushWhole({ type: 'reasoning', text: '', ...this.#wholeDetails(details) }, events);
  }

  /** What is known of a reasoning part by its details, once all of them came. */
  #wholeDetails(pieces: readonly JsonObject[]): Pick<ReasoningPart, 'encrypted' | 'extra'> {
    const details = joinDetailPieces(pieces);
    const extra: Extra = { dialect: 'chat', fields: { reasoning_details: details } };
    return this.#sealsDetails ? { encrypted: sealDetails(details), extra } : { extra };
  }

  #pushWhole(value: Part, events: CompletionEvent[]): void {
    this.#closeText(events);
    const at = { choice: this.#index, part: this.#parts++ };
    events.push({ type: 'part_start', ...at, value }, { type: 'part_end', ...at });
  }

  #extraFields(): JsonObject {
    const message = Object.fromEntries(this.#messageFields);
    const annotations = [...this.#citations.map(annotationOf), ...this.#otherAnnotations];
    if (annotations.length > 0) message['annotations'] = annotations;
    const fields = Object.fromEntries(this.#choiceFields);
    return Object.keys(message).length > 0 ? { ...fields, message } : fields;
  }
}

/** Tool calls of a delta; the deprecated form of a single call counts as one, unless the delta says it in both. */
function callDeltas(delta: JsonObject): JsonObject[] {
  const calls = Array.isArray(delta['tool_calls']) ? delta['tool_calls'].filter(isObject) : [];
  const legacy = delta['function_call'];
  return calls.length === 0 && isObject(legacy) ? [{ index: 0, function: legacy }] : calls;
}

/** A citation of text that was closed before the citation came, as it stood on the wire. */
function annotationOf({ url, title, quote, start, end }: Citation): JsonObject {
  const cited: JsonObject = { start_index: start, end_index: end, url, title };
  if (quote !== undefined) cited['content'] = quote;
  return { type: 'url_citation', url_citation: cited };
}

function keepNewest(
  fields: Map<string, JsonValue | undefined>,
  source: JsonObject,
  known: ReadonlySet<string>,
): void {
  for (const [key, value] of Object.entries(source)) if (!known.has(key)) fields.set(key, value);
}
