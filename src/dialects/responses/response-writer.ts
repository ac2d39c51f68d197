import { appendAll } from '../../conversation/append-all.ts';
import { CarriedIdWriter } from '../../conversation/carried-reasoning.ts';
import type { CompletionEvent, FinishReason } from '../../conversation/completion.ts';
import type {
  ImagePart,
  Part,
  ReasoningPart,
  RefusalPart,
  TextPart,
  ToolCallPart,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import { dropPart } from '../dropped-parts.ts';
import { writeFinishReason } from '../finish-reasons.ts';
import { finishWithCalls, isCutOff } from '../finish-with-calls.ts';
import { nameForeignEvent } from '../foreign-answers.ts';
import { isReadableCall, isUnfinishedCall } from '../unfinished-calls.ts';
import { allTools } from './additional-tools.ts';
import { isForeign } from './carried-items.ts';
import { ITEM, ownFields, ownObject, responsesExtra } from './extra.ts';
import { failure } from './failure-events.ts';
import { type IdKind, itemId } from './ids.ts';
import { Namespaces } from './namespaces.ts';
import {
  CallItem,
  MessageItem,
  type OutputItem,
  type Place,
  ReasoningItem,
  SearchItem,
  signatureItem,
  WholeItem,
} from './output-items.ts';
import { responseObject } from './response-object.ts';
import { offersSearch, SEARCH_TOOL } from './tool-search.ts';
import { encodeUsage } from './usage.ts';

type PartEvent = Extract<CompletionEvent, { type: 'part_start' | 'part_delta' | 'part_end' }>;

/** A part that has begun, and the item that it stands in. */
type OpenPart =
  | { kind: 'words'; part: TextPart | RefusalPart; item: MessageItem; place: number; logprobs: JsonValue[] }
  | { kind: 'reasoning'; part: ReasoningPart; item: ReasoningItem }
  | ({ kind: 'call' } & OpenCall);

interface OpenCall {
  part: ToolCallPart;
  item: CallItem | SearchItem;
}

/**
 * Writes one answer as the events that a client's stream has. The last of them holds the whole response, which is
 * also what a client that does not stream gets. There is one choice; what has no item in this dialect (other dialects'
 * blocks, audio) is passed over and named in `dropped`.
 */
export class ResponseWriter {
  #request: JsonObject;
  #events: JsonObject[] = [];
  #sequence = 0;
  #response: JsonObject | undefined;
  #completionId = '';
  /** What a provider of this dialect said of its response beyond what the neutral model knows. */
  #own: JsonObject = {};
  readonly #items: OutputItem[] = [];
  readonly #parts = new Map<number, OpenPart>();
  readonly #callIds = new CarriedIdWriter();
  /** The message that further text goes into. */
  #message: MessageItem | undefined;
  /** Calls that have ended, until it is known whether the answer was cut off behind them. */
  #endedCalls: OpenCall[] = [];
  #callsTools = false;
  #finish: FinishReason | undefined;
  #usage: Usage | undefined;
  readonly #namespaces: Namespaces;
  /** The client searches for tools itself: a call of the function that stands for it is an item of its own. */
  readonly #hasSearch: boolean;
  readonly #dropped: string[];
  #over = false;
  /** The whole response, once it is complete (or ended before it was). */
  answer: JsonObject | undefined;

  /** `request`: the body that the client sent, which the response repeats parts of. */
  constructor(request: JsonObject = {}, dropped: string[] = []) {
    this.#dropped = dropped;
    this.#request = request;
    this.#namespaces = new Namespaces(allTools(request));
    this.#hasSearch = offersSearch(request);
  }

  push(event: CompletionEvent): JsonObject[] {
    if (!this.#over) this.#push(event);
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #push(event: CompletionEvent): void {
    nameForeignEvent(this.#dropped, event, 'responses');
    switch (event.type) {
      case 'start':
        this.#completionId = event.id;
        this.#own = ownFields(event.extra);
        this.#response = responseObject(event, this.#request);
        this.#request = {};
        this.#emit('response.created', { response: this.#response });
        this.#emit('response.in_progress', { response: this.#response });
        break;
      case 'part_start':
      case 'part_delta':
      case 'part_end':
        if (event.choice === 0) this.#pushPart(event);
        break;
      case 'logprobs':
        if (event.choice === 0) this.#addLogprobs(event.value['content']);
        break;
      case 'finish':
        if (event.choice === 0) this.#endChoice(event.reason);
        break;
      case 'usage':
        this.#usage = event.usage;
        break;
      case 'error':
        this.#over = true;
        this.#fail(event);
        break;
      case 'end':
        this.#over = true;
        this.#own = { ...this.#own, ...ownFields(event.extra) };
        this.#complete();
        break;
      default:
        event satisfies never;
    }
  }

  #pushPart(event: PartEvent): void {
    if (event.type === 'part_start') {
      this.#start(event.part, event.value);
      return;
    }
    const open = this.#parts.get(event.part);
    if (!open) return;
    if (event.type === 'part_delta') {
      this.#delta(open, event.delta);
      return;
    }
    this.#parts.delete(event.part);
    const { signature, encrypted, citations, extra } = event;
    // The part is our own copy since its start.
    Object.assign(
      open.part,
      signature && { signature },
      encrypted && { encrypted },
      citations && { citations },
      extra && { extra },
    );
    this.#end(open);
  }

  #start(index: number, value: Part): void {
    switch (value.type) {
      case 'text':
      case 'refusal':
        this.#startWords(index, value);
        return;
      case 'reasoning': {
        this.#leaveMessage();
        const part = { ...value, text: '' };
        const item = this.#add('reasoning', part, (emit, place) => new ReasoningItem(emit, place, part));
        this.#open(index, { kind: 'reasoning', part, item }, value.text);
        return;
      }
      case 'tool_call':
        this.#startCall(index, value);
        return;
      case 'opaque':
        if (value.dialect !== 'responses') {
          dropPart(this.#dropped, value);
          return;
        }
        this.#leaveMessage();
        this.#addWhole((emit, place) => new WholeItem(emit, place, value.value), value.value);
        return;
      case 'image': {
        const image = value;
        const source = image.source;
        if (source.kind !== 'data') {
          dropPart(this.#dropped, value);
          return;
        }
        this.#leaveMessage();
        this.#add('image', image, (emit, place) => new WholeItem(emit, place, imageItem(image, place.id)));
        return;
      }
      case 'audio':
      case 'file':
      case 'tool_result':
        // No answer of this dialect can hold them.
        dropPart(this.#dropped, value);
        return;
      default:
        value satisfies never;
    }
  }

  #startWords(index: number, value: TextPart | RefusalPart): void {
    if (ITEM in ownFields(value.extra)) this.#leaveMessage();
    this.#message ??= this.#add('message', value, (emit, place) => new MessageItem(emit, place, value.extra));
    const item = this.#message;
    const part = { ...value, text: '' };
    this.#open(index, { kind: 'words', part, item, place: item.begin(part), logprobs: [] }, value.text);
  }

  #startCall(index: number, value: ToolCallPart): void {
    this.#leaveMessage();
    this.#callsTools = true;
    const part = this.#inNamespace({ ...value, arguments: '' });
    // This dialect's own signatures stand in items of its own.
    const { signature, ...unsigned } = value;
    const callId = this.#callIds.write(signature?.dialect === 'responses' ? unsigned : value);
    if (this.#hasSearch && value.name === SEARCH_TOOL) {
      const search = this.#add('tool_search_call', part, (emit, at) => new SearchItem(emit, at, callId));
      this.#open(index, { kind: 'call', part, item: search }, value.arguments);
      return;
    }
    const kind = value.kind === 'custom' ? 'custom_tool_call' : 'function_call';
    const item = this.#add(kind, part, (emit, place) => new CallItem(emit, place, part, callId));
    this.#open(index, { kind: 'call', part, item }, value.arguments);
  }

  /** A tool of a namespace goes by a plain name at other providers; the client knows it by its own. */
  #inNamespace(call: ToolCallPart): ToolCallPart {
    const named = this.#namespaces.read(call.name);
    if (!named) return call;
    const { name, namespace } = named;
    const extra = responsesExtra({ [ITEM]: { ...ownObject(call.extra, ITEM), namespace } });
    return { ...call, name, ...(extra ? { extra } : {}) };
  }

  #open(index: number, open: OpenPart, said: string): void {
    this.#parts.set(index, open);
    if (said !== '') this.#delta(open, said);
  }

  #delta(open: OpenPart, delta: string): void {
    if (delta === '') return;
    if (open.kind === 'call') {
      open.part.arguments += delta;
      open.item.delta(delta);
      return;
    }
    open.part.text += delta;
    if (open.kind === 'reasoning') open.item.delta(delta);
    else open.item.delta(open.part, open.place, delta);
  }

  #end(open: OpenPart): void {
    switch (open.kind) {
      case 'words': {
        const { part, item, place, logprobs } = open;
        item.end(part, place, logprobs);
        const signature = part.type === 'text' ? part.signature : undefined;
        if (!signature || signature.dialect === 'responses') return;
        this.#leaveMessage();
        this.#add(
          'reasoning',
          undefined,
          (emit, at) => new WholeItem(emit, at, signatureItem(at.id, signature)),
        );
        return;
      }
      case 'reasoning':
        if (isForeign(open.part)) this.#callIds.addReasoning(open.part);
        open.item.end(open.part);
        return;
      case 'call':
        open.item.end(open.part);
        this.#endedCalls.push(open);
        return;
      default:
        open satisfies never;
    }
  }

  /** What follows is an item of its own, and further text another message. */
  #leaveMessage(): void {
    this.#message?.seal('completed');
    this.#message = undefined;
  }

  #add<Item extends OutputItem>(
    kind: IdKind,
    part: Part | undefined,
    make: (emit: (type: string, fields: JsonObject) => void, place: Place) => Item,
  ): Item {
    this.#sealReadableCalls();
    const index = this.#items.length;
    const { id } = part && 'extra' in part ? ownObject(part.extra, ITEM) : {};
    const own = typeof id === 'string' && id !== '' ? id : itemId(kind, this.#completionId, index);
    const item = make((type, fields) => this.#emit(type, fields), { id: own, index });
    this.#items.push(item);
    return item;
  }

  #addWhole(
    make: (emit: (type: string, fields: JsonObject) => void, place: Place) => OutputItem,
    value: JsonObject,
  ): void {
    this.#sealReadableCalls();
    const { id } = value;
    const place = { id: typeof id === 'string' ? id : '', index: this.#items.length };
    this.#items.push(make((type, fields) => this.#emit(type, fields), place));
  }

  /** What can be read and has an item behind it is whole, however the answer ends. */
  #sealReadableCalls(): void {
    const ended = this.#endedCalls;
    if (ended.length === 0) return;
    this.#endedCalls = ended.filter(({ part }) => !isReadableCall(part));
    for (const { part, item } of ended) if (isReadableCall(part)) item.seal(part, 'completed');
  }

  #sealCalls(wasCutOff: boolean): void {
    const last = this.#items.at(-1);
    for (const { part, item } of this.#endedCalls) {
      item.seal(part, wasCutOff && isUnfinishedCall(part, item === last) ? 'incomplete' : 'completed');
    }
    this.#endedCalls = [];
  }

  /** Log probabilities come after the words that they are of. */
  #addLogprobs(content: JsonValue | undefined): void {
    if (!Array.isArray(content)) return;
    const words = [...this.#parts.values()].findLast((open) => open.kind === 'words');
    if (words?.kind === 'words') appendAll(words.logprobs, content);
  }

  #endChoice(reason: FinishReason): void {
    this.#finish = finishWithCalls(reason, this.#callsTools);
    this.#message?.seal(this.#endWord === 'completed' ? 'completed' : 'incomplete');
    this.#message = undefined;
    this.#sealCalls(isCutOff(this.#finish));
  }

  /** `completed`, or why the response is incomplete; nothing where nobody says why. */
  get #endWord(): string {
    return writeFinishReason('responses', this.#finish ?? 'other');
  }

  #complete(): void {
    const word = this.#endWord;
    const said = this.#own['incomplete_details'];
    const details = isObject(said) ? said : word === 'completed' ? null : word === '' ? {} : { reason: word };
    const status = details === null ? 'completed' : 'incomplete';
    this.answer = this.#whole({ status, incomplete_details: details });
    this.#emit(`response.${status}`, { response: this.answer });
  }

  #whole(fields: JsonObject): JsonObject {
    const { usage: rest, ...own } = this.#own;
    const usage = this.#usage ? encodeUsage(this.#usage, isObject(rest) ? rest : {}) : null;
    const output = this.#items.map(({ value }) => value);
    return { ...this.#response, ...own, ...fields, output, usage };
  }

  #fail({ error, head }: Extract<CompletionEvent, { type: 'error' }>): void {
    this.#sealCalls(true);
    this.#response ??= head && responseObject(head, this.#request);
    const response = this.#response && this.#whole({});
    for (const [type, fields] of failure(error, response)) this.#emit(type, fields);
  }

  #emit(type: string, fields: JsonObject): void {
    this.#events.push({ type, sequence_number: this.#sequence++, ...fields });
  }
}

/** An image that a model made, as the built-in tool for it would have given it. */
function imageItem({ source }: ImagePart, id: string): JsonObject {
  if (source.kind !== 'data') return {};
  const output_format = source.mediaType.slice(source.mediaType.indexOf('/') + 1);
  return { id, type: 'image_generation_call', status: 'completed', output_format, result: source.base64 };
}
