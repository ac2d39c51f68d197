import type {
  Message,
  OpaquePart,
  ReasoningPart,
  RefusalPart,
  TextPart,
  ToolCallPart,
  ToolResultPart,
} from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { partField, participantField } from '../caller-words.ts';
import { refusedContent } from '../chat/encode-content.ts';
import { calledName } from '../chat/tool-names.ts';
import { refuseRepeatedCalls } from '../messages/tool-call-ids.ts';
import { placeOf } from '../places.ts';
import { isEmptyInstruction } from '../shown-messages.ts';
import type { UnknownPart } from '../unknown-parts.ts';
import { encodeInputContent, encodeOutputPart, plainText } from './encode-content.ts';
import { AS_IT_CAME, ITEM, ownFields, ownObject, partFields } from './extra.ts';
import type { ResponsesTarget } from './target.ts';
import { isWord } from './words.ts';

/** Writes `instructions` (where a client of this dialect said them) and `input`. */
export function encodeInput(target: ResponsesTarget): { instructions?: string; input: JsonObject[] } {
  if (!target.sameDialect) refuseRepeatedCalls(target.conversation);
  const writer = new ItemWriter(target);
  const [first, ...others] = target.conversation.messages;
  const instructions = first && instructionsOf(first);
  const messages = instructions === undefined ? target.conversation.messages : others;
  for (const message of messages) writer.add(message);
  return instructions === undefined ? { input: writer.input } : { instructions, input: writer.input };
}

function instructionsOf({ parts: [first] }: Message): string | undefined {
  return first?.type === 'text' && ownFields(first.extra)['instructions'] === true ? first.text : undefined;
}

class ItemWriter {
  readonly input: JsonObject[] = [];
  readonly #target: ResponsesTarget;
  /** Ids of calls of custom tools: their results are of another type than those of functions. */
  readonly #customCalls = new Set<string>();

  constructor(target: ResponsesTarget) {
    this.#target = target;
  }

  add(message: Message): void {
    this.#nameParticipant(message);
    switch (message.role) {
      case 'assistant':
        this.#addTurn(message);
        break;
      case 'tool':
        for (const part of message.parts) if (part.type === 'tool_result') this.#addResult(part);
        break;
      case 'system':
      case 'developer':
      case 'user': {
        if (!this.#target.sameDialect && isEmptyInstruction(message)) break;
        const [first] = message.parts;
        const item = first && 'extra' in first ? ownObject(first.extra, ITEM) : {};
        const content = encodeInputContent(message.parts, this.#target);
        this.input.push({ ...item, role: message.role, content });
        break;
      }
      default:
        message.role satisfies never;
    }
  }

  #nameParticipant(message: Message): void {
    const { role, name } = message;
    const target = this.#target;
    // The name of a tool message is that of the tool, which its call says.
    if (name !== undefined && role !== 'tool')
      target.drop(participantField(target.conversation, target.conversation.messages.indexOf(message)));
  }

  #addTurn({ parts }: Message): void {
    const target = this.#target;
    let words: (TextPart | RefusalPart | UnknownPart)[] = [];
    const flush = () => {
      if (words.length > 0) this.input.push(messageItem(words));
      words = [];
    };
    for (const part of parts) {
      if (isWord(part)) {
        if (part.type === 'opaque' && part.dialect !== 'responses') continue;
        if (ITEM in ownFields(part.extra)) flush();
        if (part.type === 'opaque') {
          words.push(part);
          continue;
        }
        target.dropCacheHint(part.cacheHint, placeOf(part));
        // Empty words beside others say nothing, and OpenAI's API wants some.
        if (part.text !== '' || target.sameDialect) words.push(part);
        continue;
      }
      flush();
      switch (part.type) {
        case 'reasoning':
          this.#addReasoning(part);
          break;
        case 'tool_call':
          this.#addCall(part);
          break;
        case 'opaque':
          if (part.dialect === 'responses') this.input.push(part.value);
          break;
        case 'image':
        case 'audio':
        case 'file':
          throw refusedContent(
            `A part of type '${part.type}' in an assistant message`,
            'in a message of the user',
            part,
          );
        case 'tool_result':
          break;
        default:
          part satisfies never;
      }
    }
    flush();
  }

  /**
   * Only OpenAI's own reasoning can be given back, and of it only what it would know again: the encrypted form, or an
   * item that it keeps. All other means nothing to it.
   */
  #addReasoning(part: ReasoningPart): void {
    if (!isWritten(part)) return;
    const { text, encrypted, extra } = part;
    const proof = encrypted?.dialect === 'responses' ? encrypted.value : undefined;
    this.input.push(reasoningItem({ text, extra }, ownObject(extra, ITEM), proof));
  }

  #addCall(call: ToolCallPart): void {
    const { [AS_IT_CAME]: asItCame } = ownFields(call.extra);
    if (isObject(asItCame)) {
      this.input.push(asItCame);
      return;
    }
    const { id: call_id } = call;
    const name = calledName(this.#target, call.name);
    this.#target.dropCacheHint(call.cacheHint, placeOf(call));
    const item = ownObject(call.extra, ITEM);
    if (call.kind === 'custom') {
      this.#customCalls.add(call_id);
      this.input.push({ type: 'custom_tool_call', call_id, name, input: call.arguments, ...item });
      return;
    }
    this.input.push({ type: 'function_call', call_id, name, arguments: argumentsOf(call), ...item });
  }

  #addResult(result: ToolResultPart): void {
    const { [AS_IT_CAME]: asItCame } = ownFields(result.extra);
    if (isObject(asItCame)) {
      this.input.push(asItCame);
      return;
    }
    const target = this.#target;
    // The dialect has no word for it; tools say in their text that they failed.
    if (result.isError) target.drop(partField(target.conversation, result, 'failedResult'));
    target.dropCacheHint(result.cacheHint, placeOf(result));
    const { callId: call_id } = result;
    const type = this.#customCalls.has(call_id) ? 'custom_tool_call_output' : 'function_call_output';
    const output = encodeInputContent(result.parts, target);
    this.input.push({ type, call_id, output, ...ownObject(result.extra, ITEM) });
  }
}

/** Whether a reasoning part reaches the provider. */
export function isWritten({ encrypted, extra }: ReasoningPart): boolean {
  return encrypted?.dialect === 'responses' || 'id' in ownObject(extra, ITEM);
}

function messageItem(words: readonly (TextPart | RefusalPart | OpaquePart)[]): JsonObject {
  const item = ownObject(words[0]?.extra, ITEM);
  const content = words.map((part) => (part.type === 'opaque' ? part.value : encodeOutputPart(part)));
  // An item with an id is one that the API gave, which has its content in the form that it was given in.
  return { ...item, role: 'assistant', content: 'id' in item ? content : plainText(content) };
}

/** A reasoning item, in requests and answers alike. */
export function reasoningItem(
  { text, extra }: Pick<ReasoningPart, 'text' | 'extra'>,
  item: JsonObject,
  encryptedContent: string | undefined,
): JsonObject {
  const { summary, content } = partFields(extra);
  const { type: _, ...fields } = item;
  return {
    type: 'reasoning',
    ...fields,
    summary: summary ?? (text === '' || content !== undefined ? [] : [{ type: 'summary_text', text }]),
    ...(content === undefined ? {} : { content }),
    ...(encryptedContent === undefined ? {} : { encrypted_content: encryptedContent }),
  };
}

/** Arguments of a function are never empty: that would be no JSON. */
export function argumentsOf({ arguments: text }: ToolCallPart): string {
  return text === '' ? '{}' : text;
}
