import { appendAll } from '../../conversation/append-all.ts';
import type { CompletionEvent } from '../../conversation/completion.ts';
import type { ToolCallPart } from '../../conversation/conversation.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { readCustomToolArguments, readCustomToolName } from '../reserved-tools.ts';
import { ArgumentsText } from './arguments-text.ts';
import { chatExtra } from './extra.ts';
import { argumentsText } from './tool-calls.ts';

/** What a choice's tool calls need of the choice that they stand in. */
export interface PartNumbering {
  choice: number;
  nextPart(): number;
  fallbackId(call: number): string;
}

/**
 * Puts the tool calls of one choice together from their deltas. OpenAI gives each delta the call's index, and id
 * and name in the first of them. Of its kin, some leave the index out or count every call 0, some send name or id
 * late, in pieces or again with every delta, some the whole call at once, some an empty one beside a text. So a call is
 * announced only once its name and id are known and its arguments begin, or those of one behind it, or when the stream is over.
 */
export class StreamToolCalls {
  readonly #at: PartNumbering;
  readonly #calls: StreamCall[] = [];
  /** Those that have not ended, in order. */
  #open: StreamCall[] = [];
  /** The newest with each number. */
  readonly #byIndex = new Map<number, StreamCall>();
  /** By number and id: a server may count every call 0, another give all of them one id. */
  readonly #byId = new Map<string, StreamCall>();

  constructor(at: PartNumbering) {
    this.#at = at;
  }

  get any(): boolean {
    return this.#calls.some((call) => call.isCall);
  }

  push(delta: JsonObject): CompletionEvent[] {
    const known = this.#find(delta);
    const events = known ? [] : this.endWhole();
    const call = known ?? this.#begin(delta);
    call.take(delta);
    if (call.begins) for (const before of this.#silentBefore(call)) appendAll(events, before.announce());
    appendAll(events, call.tell());
    if (call.id !== '') this.#byId.set(idKey(delta, call.id), call);
    return events;
  }

  /** Ends the calls that nothing can follow, so that the parts of an answer overlap as little as they can. */
  endWhole(): CompletionEvent[] {
    const events: CompletionEvent[] = [];
    for (const call of this.#open) if (call.isWhole) appendAll(events, call.end());
    if (events.length > 0) this.#open = this.#open.filter((call) => !call.hasEnded);
    return events;
  }

  end(): CompletionEvent[] {
    return this.#open.toSorted(inOrder).flatMap((call) => call.end());
  }

  /** Those that stand before a call and have no arguments yet, nor maybe any at all: the answer has them in their order. */
  #silentBefore(call: StreamCall): StreamCall[] {
    if (this.#open.length === 1) return [];
    return this.#open.filter((other) => other.isSilent && inOrder(other, call) < 0).toSorted(inOrder);
  }

  #begin(delta: JsonObject): StreamCall {
    const { index } = delta;
    const call = new StreamCall(this.#at, this.#calls.length, typeof index === 'number' ? index : undefined);
    this.#calls.push(call);
    this.#open.push(call);
    if (typeof index === 'number') this.#byIndex.set(index, call);
    return call;
  }

  /** The call that a delta goes on with; `undefined` where it begins another. */
  #find(delta: JsonObject): StreamCall | undefined {
    const id = textOf(delta['id']);
    const name = textOf(bodyOf(delta)['name']);
    const { index } = delta;
    const named = id === '' ? undefined : this.#byId.get(idKey(delta, id));
    if (named) return named;
    if (typeof index === 'number') {
      const newest = this.#byIndex.get(index);
      return newest?.isFollowedBy(id, name, delta) ? undefined : newest;
    }
    if (id !== '') return undefined;
    const last = this.#calls.at(-1);
    return last?.hasArguments && name !== '' ? undefined : last;
  }
}

/** By their numbers, where both have one of their own; else as they came. */
function inOrder(a: StreamCall, b: StreamCall): number {
  const byIndex = a.index === undefined || b.index === undefined ? 0 : a.index - b.index;
  return byIndex === 0 ? a.position - b.position : byIndex;
}

function idKey({ index }: JsonObject, id: string): string {
  return typeof index === 'number' ? `${index} ${id}` : ` ${id}`;
}

const CALL_FIELDS = new Set(['index', 'id', 'type', 'function', 'custom']);

class StreamCall {
  id = '';
  /** How many came before it. */
  readonly position: number;
  /** Its number, as the server gives it. */
  readonly index: number | undefined;
  readonly #at: PartNumbering;
  readonly #arguments = new ArgumentsText();
  readonly #fields = new Map<string, JsonValue | undefined>();
  #name = '';
  #kind: ToolCallPart['kind'] = 'function';
  /** Arguments that came before the call could be announced. */
  #waiting = '';
  #part: number | undefined;
  #announcedFields = 0;
  #ended = false;
  /** The custom tool that a function stands for, whose text is read once its arguments are whole. */
  #emulated: string | undefined;

  constructor(at: PartNumbering, position: number, index: number | undefined) {
    this.#at = at;
    this.position = position;
    this.index = index;
  }

  /** It has arguments, and can be announced with them. */
  get begins(): boolean {
    return this.#part === undefined && this.#waiting !== '' && this.#isNamed;
  }

  /** It could be announced, and has no arguments. */
  get isSilent(): boolean {
    return this.#part === undefined && this.#waiting === '' && this.#isNamed;
  }

  get #isNamed(): boolean {
    return this.id !== '' && this.#name !== '';
  }

  get hasArguments(): boolean {
    return this.#arguments.text !== '';
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  get isWhole(): boolean {
    return !this.#ended && this.#hasWholeArguments;
  }

  /** An id alone, or nothing at all, calls no tool. */
  get isCall(): boolean {
    return this.#name !== '' || this.hasArguments;
  }

  /**
   * Whether a delta with this call's number begins another all the same. Ids and names may come in pieces until there
   * are arguments; what comes with neither is told apart only where this call's arguments are whole.
   */
  isFollowedBy(id: string, name: string, delta: JsonObject): boolean {
    if (id !== '' && this.id !== '') {
      return name === '' ? this.#hasWholeArguments : this.hasArguments || !id.startsWith(this.id);
    }
    if (id !== '' || name === '' || this.#name === '' || !this.#hasWholeArguments) return false;
    const piece = argumentsText(bodyOf(delta)['arguments']);
    return name !== this.#name || (piece !== '' && !piece.startsWith(this.#arguments.text));
  }

  get #hasWholeArguments(): boolean {
    return this.#kind === 'function' && this.#arguments.isWhole;
  }

  take(delta: JsonObject): void {
    if (isObject(delta['custom'])) this.#kind = 'custom';
    const body = bodyOf(delta);
    if (this.#part === undefined) {
      this.id = joinPiece(this.id, textOf(delta['id']));
      this.#name = joinPiece(this.#name, textOf(body['name']));
    }
    for (const [key, value] of Object.entries(delta)) {
      if (!CALL_FIELDS.has(key)) this.#fields.set(key, value);
    }
    const piece = argumentsText(this.#kind === 'custom' ? body['input'] : body['arguments']);
    if (piece !== '' && !this.#ended) this.#waiting += this.#piece(piece);
  }

  /** What has come and can be told. */
  tell(): CompletionEvent[] {
    return this.#waiting !== '' && this.#isNamed ? this.#flush() : [];
  }

  announce(): CompletionEvent[] {
    return this.#flush();
  }

  end(): CompletionEvent[] {
    if (this.#ended || !this.isCall) return [];
    this.#waiting += this.#arguments.end();
    if (this.#part === undefined) this.#emulate();
    if (this.#emulated !== undefined) this.#waiting = readCustomToolArguments(this.#waiting);
    const events = this.#flush(true);
    this.#ended = true;
    const end: CompletionEvent = { type: 'part_end', choice: this.#at.choice, part: this.#part ?? 0 };
    const extra = this.#fields.size > this.#announcedFields ? this.#extra() : undefined;
    if (extra) end.extra = extra;
    return [...events, end];
  }

  /** Free text may repeat itself as it likes; only JSON shows that a piece is a repetition. */
  #piece(piece: string): string {
    if (this.#kind === 'function') return this.#arguments.take(piece);
    this.#arguments.text += piece;
    return piece;
  }

  #emulate(): void {
    if (this.#kind === 'function') this.#emulated = readCustomToolName(this.#name);
  }

  #flush(isLast = false): CompletionEvent[] {
    const events: CompletionEvent[] = [];
    if (this.#part === undefined) {
      this.#emulate();
      this.#part = this.#at.nextPart();
      events.push({ type: 'part_start', choice: this.#at.choice, part: this.#part, value: this.#describe() });
    }
    if (this.#emulated !== undefined && !isLast) return events;
    if (this.#waiting !== '') {
      events.push({ type: 'part_delta', choice: this.#at.choice, part: this.#part, delta: this.#waiting });
    }
    this.#waiting = '';
    return events;
  }

  #describe(): ToolCallPart {
    const id = this.id === '' ? this.#at.fallbackId(this.position) : this.id;
    const value: ToolCallPart = {
      type: 'tool_call',
      id,
      kind: this.#emulated === undefined ? this.#kind : 'custom',
      name: this.#emulated ?? this.#name,
      arguments: '',
    };
    const extra = this.#extra();
    if (extra) value.extra = extra;
    this.#announcedFields = this.#fields.size;
    return value;
  }

  #extra(): ToolCallPart['extra'] {
    return chatExtra(Object.fromEntries(this.#fields));
  }
}

function bodyOf(delta: JsonObject): JsonObject {
  const body = delta['custom'] ?? delta['function'];
  return isObject(body) ? body : {};
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** A name or id may come in pieces, or whole with every delta. */
function joinPiece(before: string, piece: string): string {
  return piece.startsWith(before) ? piece : before + piece;
}
