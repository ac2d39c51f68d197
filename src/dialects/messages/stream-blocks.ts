import type { CompletionEvent } from '../../conversation/completion.ts';
import type { Part } from '../../conversation/conversation.ts';
import { parseExactly } from '../../conversation/exact-numbers.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { PartWriter } from '../part-writer.ts';
import { JSON_OUTPUT_TOOL, readCustomToolName, readCustomToolText } from '../reserved-tools.ts';
import { readSignature } from './carried-signatures.ts';
import { decodeCitations } from './citations.ts';
import { decodeBlock, opaque, type Reject, TOOL_USE_FIELDS } from './decode-blocks.ts';
import { extraOf, unknownFields } from './fields.ts';

/** One content block of a stream, from its start to its stop. Each call gives the events that follow from it. */
export interface StreamBlock {
  start(): CompletionEvent[];
  delta(delta: JsonObject): CompletionEvent[];
  stop(): CompletionEvent[];
}

/** @param part the index that the part of this block has in the answer */
export function openBlock(block: JsonObject, part: number, reject: Reject): StreamBlock {
  const writer = new PartWriter(part);
  switch (block['type']) {
    case 'text':
      return new TextBlock(writer, block);
    case 'thinking':
      return new ThinkingBlock(writer, block);
    case 'redacted_thinking':
      return new WholeBlock(writer, decodeBlock(block, 'content_block', reject));
    case 'tool_use':
      return openToolUse(writer, block);
    default:
      return new OpaqueBlock(writer, block);
  }
}

function openToolUse(writer: PartWriter, block: JsonObject): StreamBlock {
  const name = text(block['name']);
  if (name === JSON_OUTPUT_TOOL) return new ToolBlock(writer, block, { type: 'text', text: '' });
  const custom = readCustomToolName(name);
  const call: Part = {
    type: 'tool_call',
    id: text(block['id']),
    name: custom ?? name,
    kind: custom === undefined ? 'function' : 'custom',
    arguments: '',
    ...extraOf(unknownFields(block, TOOL_USE_FIELDS)),
  };
  return custom === undefined ? new ToolBlock(writer, block, call) : new CustomToolBlock(writer, block, call);
}

class TextBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #block: JsonObject;
  readonly #citations: JsonValue[];
  #length = 0;

  constructor(writer: PartWriter, block: JsonObject) {
    this.#writer = writer;
    this.#block = block;
    this.#citations = Array.isArray(block['citations']) ? [...block['citations']] : [];
  }

  start(): CompletionEvent[] {
    const extra = extraOf(unknownFields(this.#block, new Set(['type', 'text', 'citations'])));
    return [
      this.#writer.start({ type: 'text', text: '', ...extra }),
      ...this.#append(text(this.#block['text'])),
    ];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    if (delta['type'] === 'citations_delta' && delta['citation'] !== undefined) {
      this.#citations.push(delta['citation']);
      return [];
    }
    return delta['type'] === 'text_delta' ? this.#append(text(delta['text'])) : [];
  }

  stop(): CompletionEvent[] {
    if (this.#citations.length === 0) return [this.#writer.end()];
    const citations = decodeCitations(this.#citations, this.#length);
    const fields = unknownFields(this.#block, new Set(['type', 'text', 'citations']));
    return [
      this.#writer.end({
        ...(citations.length > 0 ? { citations } : {}),
        ...extraOf({ ...fields, citations: this.#citations }),
      }),
    ];
  }

  #append(piece: string): CompletionEvent[] {
    this.#length += piece.length;
    return this.#writer.delta(piece);
  }
}

class ThinkingBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #block: JsonObject;
  #signature: string;

  constructor(writer: PartWriter, block: JsonObject) {
    this.#writer = writer;
    this.#block = block;
    this.#signature = text(block['signature']);
  }

  start(): CompletionEvent[] {
    const extra = extraOf(unknownFields(this.#block, new Set(['type', 'thinking', 'signature'])));
    return [
      this.#writer.start({ type: 'reasoning', text: '', ...extra }),
      ...this.#writer.delta(text(this.#block['thinking'])),
    ];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    if (delta['type'] === 'signature_delta') this.#signature += text(delta['signature']);
    return delta['type'] === 'thinking_delta' ? this.#writer.delta(text(delta['thinking'])) : [];
  }

  stop(): CompletionEvent[] {
    return [this.#writer.end(readSignature(this.#signature, 'signature'))];
  }
}

/** A block that has no deltas and is a part as it stands. */
class WholeBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #value: Part;

  constructor(writer: PartWriter, value: Part) {
    this.#writer = writer;
    this.#value = value;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start(this.#value)];
  }

  delta(): CompletionEvent[] {
    return [];
  }

  stop(): CompletionEvent[] {
    return [this.#writer.end()];
  }
}

/**
 * Collects the pieces of an `input`. They add up to JSON text, or, where the model took none, to nothing; some
 * calls (of tools run by code) come with the input whole at the start.
 */
class InputPieces {
  readonly #initial: JsonValue | undefined;
  #pieces = '';

  constructor(block: JsonObject) {
    this.#initial = block['input'];
  }

  /** @returns the piece of this delta, `''` where it is none */
  add(delta: JsonObject): string {
    const piece = delta['type'] === 'input_json_delta' ? text(delta['partial_json']) : '';
    this.#pieces += piece;
    return piece;
  }

  /** What the input is that no piece has said: everything or nothing. */
  get rest(): string {
    return this.#pieces === '' ? JSON.stringify(this.#initial ?? {}) : '';
  }

  get value(): JsonValue {
    if (this.#pieces === '') return this.#initial ?? {};
    return parseExactly(this.#pieces) ?? this.#pieces;
  }
}

/** The input goes on as it comes: into the arguments of a call, or as text where it is the answer itself. */
class ToolBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #input: InputPieces;
  readonly #value: Part;

  constructor(writer: PartWriter, block: JsonObject, value: Part) {
    this.#writer = writer;
    this.#input = new InputPieces(block);
    this.#value = value;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start(this.#value)];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    return this.#writer.delta(this.#input.add(delta));
  }

  stop(): CompletionEvent[] {
    return [...this.#writer.delta(this.#input.rest), this.#writer.end()];
  }
}

/** The free text is inside a JSON string, which is read once it is whole. */
class CustomToolBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #input: InputPieces;
  readonly #value: Part;

  constructor(writer: PartWriter, block: JsonObject, value: Part) {
    this.#writer = writer;
    this.#input = new InputPieces(block);
    this.#value = value;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start(this.#value)];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    this.#input.add(delta);
    return [];
  }

  stop(): CompletionEvent[] {
    return [...this.#writer.delta(readCustomToolText(this.#input.value)), this.#writer.end()];
  }
}

/** A block of a type without a neutral form: kept verbatim, and whole only at its stop. */
class OpaqueBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #input: InputPieces;
  #block: JsonObject;

  constructor(writer: PartWriter, block: JsonObject) {
    this.#writer = writer;
    this.#input = new InputPieces(block);
    this.#block = block;
  }

  start(): CompletionEvent[] {
    return [];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    if (delta['type'] === 'input_json_delta') this.#input.add(delta);
    else this.#block = foldDelta(this.#block, delta);
    return [];
  }

  stop(): CompletionEvent[] {
    const block = 'input' in this.#block ? { ...this.#block, input: this.#input.value } : this.#block;
    return [this.#writer.start(opaque(block)), this.#writer.end()];
  }
}

/** Deltas of unknown types name the field that they add to: text is appended, anything else is set. */
function foldDelta(block: JsonObject, delta: JsonObject): JsonObject {
  const fields = Object.entries(delta).filter(([key]) => key !== 'type');
  const folded = fields.map(([key, value]): [string, JsonValue | undefined] => {
    const before = Object.hasOwn(block, key) ? block[key] : undefined;
    return [key, typeof before === 'string' && typeof value === 'string' ? before + value : value];
  });
  return { ...block, ...Object.fromEntries(folded) };
}

function text(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** Servers that leave out `content_block_start`: the block that a delta implies, where it implies one. */
export function impliedBlock(delta: JsonValue | undefined): JsonObject | undefined {
  if (!isObject(delta)) return undefined;
  if (delta['type'] === 'text_delta') return { type: 'text', text: '' };
  if (delta['type'] === 'thinking_delta') return { type: 'thinking', thinking: '' };
  return undefined;
}
