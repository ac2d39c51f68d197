import { CarriedIdWriter } from '../../conversation/carried-reasoning.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import type { Part, ReasoningPart, TextPart, ToolCallPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import type { Usage } from '../../conversation/usage.ts';
import type { StreamEncoder, StreamEncoderOptions } from '../dialect.ts';
import { dropPart } from '../dropped-parts.ts';
import { nameFittedFinish } from '../finish-reasons.ts';
import { finishWithCalls } from '../finish-with-calls.ts';
import { nameForeignEvent } from '../foreign-answers.ts';
import { encodeAudioOutput } from './audio-output.ts';
import { encodeCitations } from './citations.ts';
import { generatedImages } from './encode-content.ts';
import { encodeError } from './errors.ts';
import { ownFields, ownObject } from './extra.ts';
import { wantsFunctionCall, writeFinish } from './function-call.ts';
import { ReasoningDetailWriter } from './reasoning-details.ts';
import { ownDetails } from './response.ts';
import { encodeUsage } from './usage.ts';

/**
 * Writes the stream of a chat client: chunks, the finish reason in a chunk of its own, usage in a last one without
 * choices if the client asked for it, `[DONE]`. An error is an event `{ error }`, which OpenAI's SDKs raise as an
 * `APIError`; nothing follows it.
 *
 * Source: OpenAI API reference (chat completion chunk object, `stream_options`), the SDKs' stream readers.
 */
export class ChatStreamEncoder implements StreamEncoder {
  readonly #includeUsage: boolean;
  readonly #asFunctionCall: boolean;
  #head: JsonObject = {};
  #id = '';
  #usage: Usage | undefined;
  #over = false;
  readonly #choices = new Map<number, ChoiceWriter>();
  readonly #dropped: string[];

  constructor({ includeUsage, request, dropped = [] }: StreamEncoderOptions) {
    this.#dropped = dropped;
    this.#asFunctionCall = wantsFunctionCall(request);
    this.#includeUsage = includeUsage;
  }

  push(event: CompletionEvent): string {
    if (this.#over) return '';
    nameForeignEvent(this.#dropped, event, 'chat');
    switch (event.type) {
      case 'start': {
        const { id, model, created = 0 } = event;
        const { usage: _, ...fields } = ownFields(event.extra);
        this.#id = id;
        this.#head = { id, object: 'chat.completion.chunk', created, model, ...fields };
        return '';
      }
      case 'part_start':
      case 'part_delta':
      case 'part_end':
        return this.#deltas(event.choice, this.#writer(event.choice).push(event));
      case 'logprobs':
        return this.#chunk(event.choice, this.#writer(event.choice).withRole({}), { logprobs: event.value });
      case 'finish': {
        const { message, ...fields } = ownFields(event.extra);
        const writer = this.#writer(event.choice);
        const reason = finishWithCalls(event.reason, writer.callsTools);
        nameFittedFinish(this.#dropped, 'chat', reason, 'finish_reason');
        const finish_reason = writeFinish(reason, this.#asFunctionCall);
        const delta = isObject(message) ? message : {};
        return this.#chunk(event.choice, writer.withRole(delta), { finish_reason, ...fields });
      }
      case 'usage':
        this.#usage = event.usage;
        return '';
      case 'error':
        this.#over = true;
        return sse(encodeError(event.error));
      case 'end':
        this.#over = true;
        return `${this.#usageChunk(event)}data: [DONE]\n\n`;
      default:
        return event satisfies never;
    }
  }

  #writer(choice: number): ChoiceWriter {
    let writer = this.#choices.get(choice);
    if (!writer) {
      writer = new ChoiceWriter(this.#id, this.#dropped, this.#asFunctionCall);
      this.#choices.set(choice, writer);
    }
    return writer;
  }

  #deltas(choice: number, deltas: JsonObject[]): string {
    return deltas.map((delta) => this.#chunk(choice, delta)).join('');
  }

  #chunk(index: number, delta: JsonObject, fields: JsonObject = {}): string {
    const choice = { index, delta, logprobs: null, finish_reason: null, ...fields };
    // OpenAI says a null usage in every chunk of a stream whose last one reports it.
    return sse({ ...this.#head, choices: [choice], ...(this.#includeUsage ? { usage: null } : {}) });
  }

  #usageChunk({ extra }: Extract<CompletionEvent, { type: 'end' }>): string {
    if (!this.#includeUsage || !this.#usage) return '';
    const { usage: _, ...fields } = ownFields(extra);
    const usage = encodeUsage(this.#usage, ownObject(extra, 'usage'));
    return sse({ ...this.#head, ...fields, choices: [], usage });
  }
}

type PartEvent = Extract<CompletionEvent, { type: 'part_start' | 'part_delta' | 'part_end' }>;

/** Writes the deltas of one choice. */
class ChoiceWriter {
  readonly #completionId: string;
  readonly #ids = new CarriedIdWriter();
  readonly #details = new ReasoningDetailWriter();
  readonly #parts = new Map<number, { part: Part; call: number }>();
  #calls = 0;
  #hasRole = false;
  /** How much text the message has before the part that is being written: positions of citations count from there. */
  #textLength = 0;
  readonly #dropped: string[];
  readonly #asFunctionCall: boolean;

  constructor(completionId: string, dropped: string[], asFunctionCall: boolean) {
    this.#dropped = dropped;
    this.#completionId = completionId;
    this.#asFunctionCall = asFunctionCall;
  }

  get callsTools(): boolean {
    return this.#calls > 0;
  }

  push(event: PartEvent): JsonObject[] {
    return this.#write(event).map((delta) => this.withRole(delta));
  }

  /** The first delta of a message says its role; SDKs that add deltas up would repeat it otherwise. */
  withRole(delta: JsonObject): JsonObject {
    if (this.#hasRole) return delta;
    this.#hasRole = true;
    return { role: 'assistant', ...delta };
  }

  #write(event: PartEvent): JsonObject[] {
    if (event.type === 'part_start') return this.#start(event.part, event.value);
    const open = this.#parts.get(event.part);
    if (!open) return [];
    if (event.type === 'part_delta') return this.#delta(open.part, open.call, event.delta);
    const { signature, encrypted, citations, extra } = event;
    // The part is our own copy since its start.
    Object.assign(
      open.part,
      signature && { signature },
      encrypted && { encrypted },
      citations && { citations },
      extra && { extra },
    );
    return this.#end(open.part, open.call);
  }

  #start(index: number, value: Part): JsonObject[] {
    if (value.type === 'tool_call') return this.#startCall(index, value);
    if (value.type === 'text' || value.type === 'reasoning' || value.type === 'refusal') {
      const part = { ...value, text: '' };
      this.#parts.set(index, { part, call: 0 });
      return value.text === '' ? [] : this.#delta(part, 0, value.text);
    }
    const images = generatedImages([value]);
    if (images.length > 0) return [{ images }];
    const audio = value.type === 'audio' ? encodeAudioOutput(value, this.#completionId) : undefined;
    if (audio) return [{ audio }];
    dropPart(this.#dropped, value);
    return [];
  }

  /** The carried id goes out first of all, so it can only hold what is known when the call begins. */
  #startCall(index: number, value: ToolCallPart): JsonObject[] {
    if (this.#asFunctionCall && this.#calls > 0) {
      dropPart(this.#dropped, value);
      return [];
    }
    const call = this.#calls++;
    const part = { ...value, arguments: '' };
    this.#parts.set(index, { part, call });
    const { name, kind } = value;
    if (this.#asFunctionCall) {
      return [{ function_call: { name, arguments: '' } }, ...this.#delta(part, call, value.arguments)];
    }
    const body = kind === 'custom' ? { custom: { name, input: '' } } : { function: { name, arguments: '' } };
    const head = { index: call, id: this.#ids.write(value), type: kind, ...body, ...ownFields(value.extra) };
    const deltas: JsonObject[] = [{ tool_calls: [head] }];
    return value.arguments === '' ? deltas : [...deltas, ...this.#delta(part, call, value.arguments)];
  }

  #delta(part: Part, call: number, delta: string): JsonObject[] {
    if (delta === '') return [];
    switch (part.type) {
      case 'text':
        part.text += delta;
        return [{ content: delta }];
      case 'reasoning':
        part.text += delta;
        return [{ reasoning_content: delta }];
      case 'refusal':
        return [{ refusal: delta }];
      case 'tool_call':
        part.arguments += delta;
        return [this.#argumentsDelta(part, call, delta)];
      default:
        return [];
    }
  }

  #end(part: Part, call: number): JsonObject[] {
    switch (part.type) {
      case 'text':
        return this.#endText(part);
      case 'reasoning':
        return this.#endReasoning(part);
      case 'tool_call':
        return this.#endCall(part, call);
      default:
        return [];
    }
  }

  #endText(part: TextPart): JsonObject[] {
    const annotations = encodeCitations(part, this.#textLength);
    this.#textLength += part.text.length;
    const deltas: JsonObject[] = annotations.length > 0 ? [{ annotations }] : [];
    return part.signature ? [...deltas, { reasoning_details: [this.#details.text(part.signature)] }] : deltas;
  }

  #endReasoning(part: ReasoningPart): JsonObject[] {
    this.#ids.addReasoning(part);
    const details: JsonValue[] = [...this.#details.reasoning(part), ...ownDetails(part)];
    return details.length > 0 ? [{ reasoning_details: details }] : [];
  }

  /** A function without arguments is called with `{}`: the empty text is no JSON. */
  #endCall(part: ToolCallPart, call: number): JsonObject[] {
    const isEmpty = part.kind === 'function' && part.arguments === '';
    const deltas = isEmpty ? [this.#argumentsDelta(part, call, '{}')] : [];
    if (!part.signature) return deltas;
    return [...deltas, { reasoning_details: [this.#details.toolCall(part.id, part.signature)] }];
  }

  #argumentsDelta({ kind }: ToolCallPart, index: number, delta: string): JsonObject {
    if (this.#asFunctionCall) return { function_call: { arguments: delta } };
    const said = kind === 'custom' ? { custom: { input: delta } } : { function: { arguments: delta } };
    return { tool_calls: [{ index, ...said }] };
  }
}

function sse(value: JsonObject): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
