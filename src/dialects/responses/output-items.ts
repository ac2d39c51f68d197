import type { ReasoningPart, RefusalPart, TextPart, ToolCallPart } from '../../conversation/conversation.ts';
import { type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { writeEncryptedContent, writeTextSignature } from './carried-items.ts';
import { encodeOutputPart } from './encode-content.ts';
import { argumentsOf, reasoningItem } from './encode-items.ts';
import { ITEM, ownFields, ownObject } from './extra.ts';

/** Writes one event; sequence numbers are the writer's matter. */
export type Emit = (type: string, fields: JsonObject) => void;

/** Where an output item stands. */
export interface Place {
  id: string;
  index: number;
}

/**
 * An item of the output on its way to the client: it writes its events while its parts come, and is the item in
 * `value` when it is done.
 *
 * Source: OpenAI API reference (streaming events of the Responses API); the order of recorded streams.
 */
export abstract class OutputItem {
  /** The item as it stands; whole once it is done. */
  value: JsonObject;
  readonly #emit: Emit;
  readonly #place: Place;

  constructor(emit: Emit, place: Place, value: JsonObject) {
    this.#emit = emit;
    this.#place = place;
    this.value = value;
    emit('response.output_item.added', { output_index: place.index, item: value });
  }

  protected emit(type: string, fields: JsonObject): void {
    const { id, index } = this.#place;
    this.#emit(`response.${type}`, { item_id: id, output_index: index, ...fields });
  }

  protected finish(value: JsonObject): void {
    this.value = value;
    this.#emit('response.output_item.done', { output_index: this.#place.index, item: value });
  }
}

type Words = TextPart | RefusalPart;

/** Text and refusals: one content part each. */
export class MessageItem extends OutputItem {
  readonly #fields: JsonObject;
  readonly #content: JsonObject[] = [];
  #open = 0;
  /** Nothing more is added to it: it is done as soon as what is open has ended. */
  #sealed: JsonValue | undefined;

  constructor(emit: Emit, place: Place, extra: Words['extra']) {
    const { status: _, ...fields } = ownObject(extra, ITEM);
    const own = { id: place.id, type: 'message', ...fields };
    super(emit, place, { ...own, status: 'in_progress', role: 'assistant', content: [] });
    this.#fields = own;
  }

  /** @returns the place of the content part */
  begin(part: Words): number {
    const content_index = this.#content.length;
    const empty = { ...contentOf({ ...part, text: '' }, []) };
    this.#content.push(empty);
    this.#open++;
    this.emit('content_part.added', { content_index, part: empty });
    return content_index;
  }

  delta({ type }: Words, content_index: number, delta: string): void {
    if (type === 'refusal') this.emit('refusal.delta', { content_index, delta });
    else this.emit('output_text.delta', { content_index, delta, logprobs: [] });
  }

  end(words: Words, content_index: number, logprobs: readonly JsonValue[]): void {
    const part = contentOf(words, logprobs);
    this.#content[content_index] = part;
    if (words.type === 'refusal') {
      this.emit('refusal.done', { content_index, refusal: words.text });
    } else {
      const { annotations } = part;
      for (const [annotation_index, annotation] of (Array.isArray(annotations)
        ? annotations
        : []
      ).entries()) {
        this.emit('output_text.annotation.added', { content_index, annotation_index, annotation });
      }
      this.emit('output_text.done', { content_index, text: words.text, logprobs: [...logprobs] });
    }
    this.emit('content_part.done', { content_index, part });
    this.#open--;
    this.#finishIfDone();
  }

  seal(status: 'completed' | 'incomplete'): void {
    if (this.#sealed !== undefined) return;
    this.#sealed = status;
    this.#finishIfDone();
  }

  #finishIfDone(): void {
    if (this.#open > 0 || this.#sealed === undefined) return;
    this.finish({ ...this.#fields, status: this.#sealed, role: 'assistant', content: this.#content });
  }
}

/** OpenAI writes log probabilities with every text, as an empty list where nobody asked for them. */
function contentOf(words: Words, logprobs: readonly JsonValue[]): JsonObject {
  const part = encodeOutputPart(words);
  return words.type === 'refusal' ? part : { ...part, logprobs: [...logprobs] };
}

/** Reasoning: its readable form goes out as a summary, or as raw reasoning where a provider gave it as that. */
export class ReasoningItem extends OutputItem {
  readonly #fields: JsonObject;
  readonly #isRaw: boolean;
  #begun = false;

  constructor(emit: Emit, place: Place, { extra }: ReasoningPart) {
    const fields = { id: place.id, ...ownObject(extra, ITEM) };
    super(emit, place, { type: 'reasoning', ...fields, summary: [] });
    this.#fields = fields;
    this.#isRaw = Array.isArray(ownFields(extra)['content']);
  }

  delta(delta: string): void {
    if (this.#isRaw) {
      if (!this.#begun) this.#emitPart('content_part.added', '');
      this.emit('reasoning_text.delta', { content_index: 0, delta });
    } else {
      if (!this.#begun) this.#emitPart('reasoning_summary_part.added', '');
      this.emit('reasoning_summary_text.delta', { summary_index: 0, delta });
    }
    this.#begun = true;
  }

  end(part: ReasoningPart): void {
    const { text } = part;
    if (this.#begun && this.#isRaw) {
      this.emit('reasoning_text.done', { content_index: 0, text });
      this.#emitPart('content_part.done', text);
    } else if (this.#begun) {
      this.emit('reasoning_summary_text.done', { summary_index: 0, text });
      this.#emitPart('reasoning_summary_part.done', text);
    }
    const fields = { ...this.#fields, ...ownObject(part.extra, ITEM), id: this.#fields['id'] };
    this.finish(reasoningItem(part, fields, writeEncryptedContent(part)));
  }

  #emitPart(type: string, text: string): void {
    if (this.#isRaw) this.emit(type, { content_index: 0, part: { type: 'reasoning_text', text } });
    else this.emit(type, { summary_index: 0, part: { type: 'summary_text', text } });
  }
}

/** A call of a function or of a custom tool. */
export class CallItem extends OutputItem {
  readonly #fields: JsonObject;
  readonly #isCustom: boolean;
  #said = false;

  /** `callId`: what the client is given as the call's id. */
  constructor(emit: Emit, place: Place, call: ToolCallPart, callId: string) {
    const { status: _, ...item } = ownObject(call.extra, ITEM);
    const isCustom = call.kind === 'custom';
    const type = isCustom ? 'custom_tool_call' : 'function_call';
    const fields = { id: place.id, type, ...item, call_id: callId, name: call.name };
    super(emit, place, { ...fields, status: 'in_progress', [isCustom ? 'input' : 'arguments']: '' });
    this.#fields = fields;
    this.#isCustom = isCustom;
  }

  delta(delta: string): void {
    this.#said = true;
    this.emit(this.#isCustom ? 'custom_tool_call_input.delta' : 'function_call_arguments.delta', { delta });
  }

  /** The item is done only when it is known whether the call is all that the model meant. */
  end(call: ToolCallPart): void {
    if (this.#isCustom) {
      this.emit('custom_tool_call_input.done', { input: call.arguments });
      return;
    }
    const whole = argumentsOf(call);
    if (!this.#said) this.delta(whole);
    this.emit('function_call_arguments.done', { name: call.name, arguments: whole });
  }

  seal(call: ToolCallPart, judged: 'completed' | 'incomplete'): void {
    const { status = judged } = ownObject(call.extra, ITEM);
    const said = this.#isCustom ? { input: call.arguments } : { arguments: argumentsOf(call) };
    this.finish({ ...this.#fields, status, ...said });
  }
}

/** A search for tools that the client makes, which is called as a function elsewhere. Its arguments are an object, and come whole. */
export class SearchItem extends OutputItem {
  readonly #fields: JsonObject;

  constructor(emit: Emit, place: Place, callId: string) {
    const fields = { id: place.id, type: 'tool_search_call', call_id: callId, execution: 'client' };
    super(emit, place, { ...fields, status: 'in_progress', arguments: {} });
    this.#fields = fields;
  }

  delta(): void {}

  end(): void {}

  seal(call: ToolCallPart, status: 'completed' | 'incomplete'): void {
    const text = argumentsOf(call);
    this.finish({ ...this.#fields, status, arguments: tryParseJson(text) ?? text });
  }
}

/** An item that stands whole: one that only this dialect knows, a generated image, a signature of the text. */
export class WholeItem extends OutputItem {
  constructor(emit: Emit, place: Place, value: JsonObject) {
    super(emit, place, value);
    this.finish(value);
  }
}

export function signatureItem(id: string, signature: NonNullable<TextPart['signature']>): JsonObject {
  return { type: 'reasoning', id, summary: [], encrypted_content: writeTextSignature(signature) };
}
