import type { CompletionEvent } from '../../conversation/completion.ts';
import type { Part } from '../../conversation/conversation.ts';
import { parseExactly } from '../../conversation/exact-numbers.ts';
import { isObject, type JsonObject, type JsonValue, tryParseJson } from '../../conversation/json.ts';
import { PartWriter } from '../part-writer.ts';
import { readCustomToolText } from '../reserved-tools.ts';
import { citedText, decodeBlock, isModelsCall, opaque, toolPart } from './decode-blocks.ts';
import { objectOf, textOf } from './fields.ts';

/** One content block of a stream, from its start to its stop. Each call gives the events that follow from it. */
export interface StreamBlock {
  start(): CompletionEvent[];
  delta(delta: JsonObject): CompletionEvent[];
  stop(): CompletionEvent[];
}

/**
 * The block that a `contentBlockStart` begins.
 *
 * @param part the index that the part of this block has in the answer
 */
export function openBlock(start: JsonObject, part: number): StreamBlock {
  const writer = new PartWriter(part);
  const { toolUse } = start;
  if (!isObject(toolUse) || !isModelsCall(toolUse)) return new OpaqueBlock(writer, start);
  const value = toolPart(toolUse);
  return value.type === 'tool_call' && value.kind === 'custom'
    ? new CustomToolBlock(writer, value)
    : new ToolBlock(writer, value);
}

/** The block that a delta without a start belongs to: text and reasoning have no start. */
export function impliedBlock(delta: JsonObject, part: number): StreamBlock {
  const writer = new PartWriter(part);
  if (delta['text'] !== undefined || delta['citation'] !== undefined) return new TextBlock(writer);
  if (isObject(delta['reasoningContent'])) {
    return 'redactedContent' in delta['reasoningContent']
      ? new RedactedBlock(writer)
      : new ReasoningBlock(writer);
  }
  return new OpaqueBlock(writer, {});
}

class TextBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #citations: JsonValue[] = [];
  #text = '';

  constructor(writer: PartWriter) {
    this.#writer = writer;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start({ type: 'text', text: '' })];
  }

  delta({ text, citation }: JsonObject): CompletionEvent[] {
    if (isObject(citation)) this.#citations.push(citation);
    this.#text += textOf(text);
    return this.#writer.delta(textOf(text));
  }

  stop(): CompletionEvent[] {
    const { citations, extra } = citedText(this.#text, this.#citations);
    return [this.#writer.end({ ...(citations ? { citations } : {}), ...(extra ? { extra } : {}) })];
  }
}

class ReasoningBlock implements StreamBlock {
  readonly #writer: PartWriter;
  #signature = '';

  constructor(writer: PartWriter) {
    this.#writer = writer;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start({ type: 'reasoning', text: '' })];
  }

  delta({ reasoningContent }: JsonObject): CompletionEvent[] {
    const { text, signature } = objectOf(reasoningContent);
    this.#signature += textOf(signature);
    return this.#writer.delta(textOf(text));
  }

  stop(): CompletionEvent[] {
    const signature = { dialect: 'converse', value: this.#signature } as const;
    return [this.#writer.end(this.#signature === '' ? {} : { signature })];
  }
}

/** Reasoning in its encrypted form: a part that is whole only at its stop. */
class RedactedBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #pieces: Buffer[] = [];

  constructor(writer: PartWriter) {
    this.#writer = writer;
  }

  start(): CompletionEvent[] {
    return [];
  }

  delta({ reasoningContent }: JsonObject): CompletionEvent[] {
    this.#pieces.push(Buffer.from(textOf(objectOf(reasoningContent)['redactedContent']), 'base64'));
    return [];
  }

  stop(): CompletionEvent[] {
    const value = Buffer.concat(this.#pieces).toString('base64');
    const part: Part = { type: 'reasoning', text: '', encrypted: { dialect: 'converse', value } };
    return [this.#writer.start(part), this.#writer.end()];
  }
}

/** The input goes on as it comes: into the arguments of a call, or as text where it is the answer itself. */
class ToolBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #value: Part;
  #isEmpty = true;

  constructor(writer: PartWriter, value: Part) {
    this.#writer = writer;
    this.#value = value;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start(this.#value)];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    const piece = inputPiece(delta);
    if (piece !== '') this.#isEmpty = false;
    return this.#writer.delta(piece);
  }

  /** A tool without arguments has no input in the stream; it is an empty object all the same. */
  stop(): CompletionEvent[] {
    return [...this.#writer.delta(this.#isEmpty ? '{}' : ''), this.#writer.end()];
  }
}

/** The free text is inside a JSON string, which is read once it is whole. */
class CustomToolBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #value: Part;
  #input = '';

  constructor(writer: PartWriter, value: Part) {
    this.#writer = writer;
    this.#value = value;
  }

  start(): CompletionEvent[] {
    return [this.#writer.start(this.#value)];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    this.#input += inputPiece(delta);
    return [];
  }

  stop(): CompletionEvent[] {
    const text = readCustomToolText(tryParseJson(this.#input || '{}') ?? this.#input);
    return [...this.#writer.delta(text), this.#writer.end()];
  }
}

/**
 * What Bedrock itself ran and what that gave, an image, or a block of a kind that is not known yet: whole only at its
 * stop, in the form that the answer without a stream has.
 */
class OpaqueBlock implements StreamBlock {
  readonly #writer: PartWriter;
  readonly #start: JsonObject;
  readonly #deltas: JsonObject[] = [];

  constructor(writer: PartWriter, start: JsonObject) {
    this.#writer = writer;
    this.#start = start;
  }

  start(): CompletionEvent[] {
    return [];
  }

  delta(delta: JsonObject): CompletionEvent[] {
    this.#deltas.push(delta);
    return [];
  }

  stop(): CompletionEvent[] {
    const block = this.#whole();
    return [this.#writer.start(decodeBlock(block) ?? opaque(block)), this.#writer.end()];
  }

  #whole(): JsonObject {
    const { toolUse, toolResult, image } = this.#start;
    if (isObject(toolUse)) {
      const input = this.#deltas.map(inputPiece).join('');
      return { toolUse: { ...toolUse, input: parseExactly(input || '{}') ?? input } };
    }
    if (isObject(toolResult)) {
      const content = this.#deltas.flatMap((delta) =>
        Array.isArray(delta['toolResult']) ? delta['toolResult'] : [],
      );
      return { toolResult: { ...toolResult, content } };
    }
    if (isObject(image)) {
      const sources = this.#deltas.map((delta) => objectOf(objectOf(delta['image'])['source']));
      const bytes = Buffer.concat(sources.map((source) => Buffer.from(textOf(source['bytes']), 'base64')));
      return { image: { ...image, source: { bytes: bytes.toString('base64') } } };
    }
    return Object.fromEntries([this.#start, ...this.#deltas].flatMap((fields) => Object.entries(fields)));
  }
}

function inputPiece(delta: JsonObject): string {
  return textOf(objectOf(delta['toolUse'])['input']);
}
