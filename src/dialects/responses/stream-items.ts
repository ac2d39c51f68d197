import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import type {
  Part,
  ReasoningPart,
  RefusalPart,
  TextPart,
  ToolCallPart,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { omitKeys } from '../read-json.ts';
import { decodeAnnotations } from './annotations.ts';
import { ITEM, responsesExtra } from './extra.ts';
import { PIECE_SEPARATOR, piecesText, reasoningExtra } from './reasoning-text.ts';

/** Numbers the parts of the one choice that a response is. */
export interface PartNumbering {
  nextPart(): number;
}

/**
 * One item of a streamed output, put together from its events. What was known only at the end, and what a server
 * left out of its events, is taken from the whole item that ends it.
 */
export interface StreamItem {
  readonly isDone: boolean;
  /** What can be said of it as soon as it has begun. */
  begin(): CompletionEvent[];
  /** An event of the item that is neither its first nor its last. */
  push(type: string, event: JsonObject): CompletionEvent[];
  /** `item`: the whole item; `undefined` where the server never gave it. */
  end(item: JsonObject | undefined): CompletionEvent[];
}

type ItemMaker = (item: JsonObject, parts: PartNumbering, fallbackId: string) => StreamItem;

const ITEMS = new Map<string, ItemMaker>([
  ['message', (item, parts) => new MessageItem(item, parts)],
  ['reasoning', (item, parts) => new ReasoningItem(item, parts)],
  ['function_call', (item, parts, id) => new CallItem(item, parts, 'function', id)],
  ['custom_tool_call', (item, parts, id) => new CallItem(item, parts, 'custom', id)],
]);

/** `fallbackId`: for calls of servers that give none. */
export function streamItem(item: JsonObject, parts: PartNumbering, fallbackId: string): StreamItem {
  const make = ITEMS.get(textOf(item['type']));
  return make ? make(item, parts, fallbackId) : new OpaqueItem(item, parts);
}

/** A part whose text comes in deltas. */
class StreamedPart {
  text = '';
  readonly #part: number;
  readonly value: Part;

  constructor(part: number, value: Part) {
    this.#part = part;
    this.value = value;
  }

  start(): CompletionEvent {
    return { type: 'part_start', choice: 0, part: this.#part, value: this.value };
  }

  delta(delta: string): CompletionEvent[] {
    if (delta === '') return [];
    this.text += delta;
    return [{ type: 'part_delta', choice: 0, part: this.#part, delta }];
  }

  /** What a whole text has beyond the deltas; a text that is another one altogether was told already. */
  rest(whole: string): CompletionEvent[] {
    return whole.startsWith(this.text) ? this.delta(whole.slice(this.text.length)) : [];
  }

  end(fields: Partial<Extract<CompletionEvent, { type: 'part_end' }>> = {}): CompletionEvent {
    return { ...fields, type: 'part_end', choice: 0, part: this.#part };
  }
}

const MESSAGE_FIELDS = new Set(['role', 'content']);
const TEXT_FIELDS = new Set(['type', 'text', 'annotations', 'logprobs']);
const REFUSAL_FIELDS = new Set(['type', 'refusal']);

/** Words of the assistant: a part for each text or refusal. */
class MessageItem implements StreamItem {
  isDone = false;
  readonly #parts: PartNumbering;
  readonly #content = new Map<number, StreamedPart>();
  readonly #annotations = new Map<number, JsonValue[]>();
  #item: JsonObject;

  constructor(item: JsonObject, parts: PartNumbering) {
    this.#item = item;
    this.#parts = parts;
  }

  begin(): CompletionEvent[] {
    return [];
  }

  push(type: string, event: JsonObject): CompletionEvent[] {
    const index = indexOf(event['content_index']);
    switch (type) {
      case 'response.content_part.added': {
        const part = objectOf(event['part']);
        const kind = part['type'] === 'refusal' ? 'refusal' : 'text';
        return this.#take(index, kind, textOf(part[kind]), true);
      }
      case 'response.output_text.delta':
        return this.#take(index, 'text', textOf(event['delta']), false);
      case 'response.refusal.delta':
        return this.#take(index, 'refusal', textOf(event['delta']), false);
      case 'response.output_text.annotation.added': {
        const { annotation } = event;
        const list = this.#annotations.get(index) ?? [];
        if (annotation !== undefined) this.#annotations.set(index, [...list, annotation]);
        return [];
      }
      default:
        return [];
    }
  }

  end(item: JsonObject | undefined): CompletionEvent[] {
    this.isDone = true;
    if (item) this.#item = item;
    const whole = Array.isArray(item?.['content']) ? item['content'].filter(isObject) : [];
    const events: CompletionEvent[] = [];
    for (const [index, part] of whole.entries()) {
      const kind = part['type'] === 'refusal' ? 'refusal' : 'text';
      appendAll(events, this.#take(index, kind, '', true));
      appendAll(events, this.#content.get(index)?.rest(textOf(part[kind])) ?? []);
      const logprobs = part['logprobs'];
      if (Array.isArray(logprobs) && logprobs.length > 0) {
        events.push({ type: 'logprobs', choice: 0, value: { content: logprobs, refusal: null } });
      }
    }
    for (const [index, part] of this.#content) events.push(this.#endPart(index, part, whole[index]));
    return events;
  }

  #take(index: number, kind: 'text' | 'refusal', delta: string, begins: boolean): CompletionEvent[] {
    const known = this.#content.get(index);
    if (known) return begins ? [] : known.delta(delta);
    const value: TextPart | RefusalPart = { type: kind, text: '' };
    const extra = this.#extra(index, {});
    if (extra) value.extra = extra;
    const part = new StreamedPart(this.#parts.nextPart(), value);
    this.#content.set(index, part);
    return [part.start(), ...part.delta(delta)];
  }

  #endPart(index: number, part: StreamedPart, whole: JsonObject | undefined): CompletionEvent {
    const isText = part.value.type === 'text';
    const { citations, annotations } = isText
      ? decodeAnnotations(whole?.['annotations'] ?? this.#annotations.get(index))
      : {};
    const rest = whole ? omitKeys(whole, isText ? TEXT_FIELDS : REFUSAL_FIELDS) : {};
    const extra = this.#extra(index, annotations ? { ...rest, annotations } : rest);
    return part.end({ ...(citations && { citations }), ...(extra && { extra }) });
  }

  /** The first part tells what the item says around its content. */
  #extra(index: number, fields: JsonObject): TextPart['extra'] {
    return responsesExtra(index === 0 ? { ...fields, [ITEM]: omitKeys(this.#item, MESSAGE_FIELDS) } : fields);
  }
}

const CALL_FIELDS = {
  function: new Set(['type', 'call_id', 'name', 'arguments']),
  custom: new Set(['type', 'call_id', 'name', 'input']),
};

class CallItem implements StreamItem {
  isDone = false;
  readonly #parts: PartNumbering;
  readonly #kind: ToolCallPart['kind'];
  readonly #fallbackId: string;
  readonly #textKey: 'arguments' | 'input';
  #item: JsonObject;
  #call: StreamedPart | undefined;

  constructor(item: JsonObject, parts: PartNumbering, kind: ToolCallPart['kind'], fallbackId: string) {
    this.#item = item;
    this.#parts = parts;
    this.#kind = kind;
    this.#fallbackId = fallbackId;
    this.#textKey = kind === 'custom' ? 'input' : 'arguments';
  }

  /** A call is announced once its name is known. */
  begin(): CompletionEvent[] {
    return textOf(this.#item['name']) === '' ? [] : this.#announce();
  }

  push(type: string, event: JsonObject): CompletionEvent[] {
    switch (type) {
      case 'response.function_call_arguments.delta':
      case 'response.custom_tool_call_input.delta':
        return [...this.#announce(), ...(this.#call?.delta(textOf(event['delta'])) ?? [])];
      case 'response.function_call_arguments.done':
      case 'response.custom_tool_call_input.done':
        return [...this.#announce(), ...(this.#call?.rest(textOf(event[this.#textKey])) ?? [])];
      default:
        return [];
    }
  }

  end(item: JsonObject | undefined): CompletionEvent[] {
    this.isDone = true;
    this.#item = item ?? this.#item;
    const events = this.#announce();
    const extra = this.#extra();
    const whole = textOf(this.#item[this.#textKey]);
    if (!this.#call) return events;
    return [...events, ...this.#call.rest(whole), this.#call.end(extra && { extra })];
  }

  #announce(): CompletionEvent[] {
    if (this.#call) return [];
    const { call_id: id, name } = this.#item;
    const value: ToolCallPart = {
      type: 'tool_call',
      id: typeof id === 'string' && id !== '' ? id : this.#fallbackId,
      kind: this.#kind,
      name: textOf(name),
      arguments: '',
    };
    const extra = this.#extra();
    if (extra) value.extra = extra;
    this.#call = new StreamedPart(this.#parts.nextPart(), value);
    return [this.#call.start()];
  }

  #extra(): ToolCallPart['extra'] {
    const fields = omitKeys(this.#item, CALL_FIELDS[this.#kind]);
    return Object.keys(fields).length === 0 ? undefined : responsesExtra({ [ITEM]: fields });
  }
}

const REASONING_FIELDS = new Set(['type', 'summary', 'content', 'encrypted_content']);

/** Reasoning: the pieces of its summary, or of the raw text, read as one text. */
class ReasoningItem implements StreamItem {
  isDone = false;
  readonly #parts: PartNumbering;
  #item: JsonObject;
  #part: StreamedPart | undefined;
  /** Which piece of the text the last delta was of. */
  #piece = '';

  constructor(item: JsonObject, parts: PartNumbering) {
    this.#item = item;
    this.#parts = parts;
  }

  begin(): CompletionEvent[] {
    return [];
  }

  push(type: string, event: JsonObject): CompletionEvent[] {
    switch (type) {
      case 'response.reasoning_summary_text.delta':
        return this.#take(`summary ${String(event['summary_index'])}`, textOf(event['delta']), false);
      case 'response.reasoning_text.delta':
        return this.#take(`content ${String(event['content_index'])}`, textOf(event['delta']), true);
      default:
        return [];
    }
  }

  end(item: JsonObject | undefined): CompletionEvent[] {
    this.isDone = true;
    const whole = item ?? this.#item;
    this.#item = whole;
    const events = this.#begin(Array.isArray(whole['content']));
    const part = this.#part;
    if (!part) return events;
    const extra = reasoningExtra(whole, omitKeys(whole, REASONING_FIELDS));
    const encrypted = whole['encrypted_content'];
    return [
      ...events,
      ...part.rest(piecesText(whole)),
      part.end({
        ...(typeof encrypted === 'string' &&
          encrypted !== '' && { encrypted: { dialect: 'responses', value: encrypted } }),
        ...(extra && { extra }),
      }),
    ];
  }

  #take(piece: string, delta: string, isRaw: boolean): CompletionEvent[] {
    if (delta === '') return [];
    const events = this.#begin(isRaw);
    const begins = this.#piece !== piece && this.#piece !== '';
    this.#piece = piece;
    return [...events, ...(this.#part?.delta(begins ? PIECE_SEPARATOR + delta : delta) ?? [])];
  }

  #begin(isRaw: boolean): CompletionEvent[] {
    if (this.#part) return [];
    const value: ReasoningPart = { type: 'reasoning', text: '' };
    const item = omitKeys(this.#item, REASONING_FIELDS);
    const extra = reasoningExtra(isRaw ? { content: [] } : {}, item);
    if (extra) value.extra = extra;
    this.#part = new StreamedPart(this.#parts.nextPart(), value);
    return [this.#part.start()];
  }
}

/** An item that only this dialect knows: it stands whole, and its own events are not told apart. */
class OpaqueItem implements StreamItem {
  isDone = false;
  readonly #part: number;
  readonly #item: JsonObject;

  constructor(item: JsonObject, parts: PartNumbering) {
    this.#item = item;
    // Its place is where it began: it may be done after later ones.
    this.#part = parts.nextPart();
  }

  begin(): CompletionEvent[] {
    return [];
  }

  push(): CompletionEvent[] {
    return [];
  }

  end(item: JsonObject | undefined): CompletionEvent[] {
    this.isDone = true;
    const at = { choice: 0, part: this.#part };
    const value: Part = { type: 'opaque', dialect: 'responses', value: item ?? this.#item };
    return [
      { type: 'part_start', ...at, value },
      { type: 'part_end', ...at },
    ];
  }
}

function indexOf(value: JsonValue | undefined): number {
  return typeof value === 'number' ? value : 0;
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
