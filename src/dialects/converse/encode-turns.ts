import type { Message } from '../../conversation/conversation.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { callerWord, partPaths } from '../caller-words.ts';
import { ToolCallIds } from '../messages/tool-call-ids.ts';
import { isModelsCall } from './decode-blocks.ts';
import { DocumentNames } from './document-names.ts';
import {
  type BlockContext,
  encodeAssistantPart,
  encodeSystemPart,
  encodeToolCall,
  encodeToolResult,
  encodeUserPart,
} from './encode-blocks.ts';
import type { EncodeContext } from './encode-context.ts';
import { objectOf, textOf } from './fields.ts';

/** One message on the wire: roles must alternate, so all neighbours of one role become one. */
interface Turn {
  role: 'user' | 'assistant';
  /** The API wants them first, all of one turn in one message. */
  results: JsonObject[];
  blocks: JsonObject[];
}

/**
 * What stands in for a user's turn where the API wants one and the caller sent none: before a conversation that
 * begins with the assistant's words or holds system messages only, and behind one that ends with the assistant's
 * words where the model cannot go on from them. A message with a document must have words too.
 */
const OPENING_WORDS = 'Begin.';
const CLOSING_WORDS = 'Continue.';
const DOCUMENT_WORDS = 'Read the attached document.';

/** Source: Bedrock API reference (`ToolUseBlock.toolUseId`). */
const MAX_ID_LENGTH = 64;

/** The messages of a conversation in the form of the API. */
export class Turns {
  readonly system: JsonObject[] = [];
  readonly #context: BlockContext;
  readonly #turns: Turn[] = [];
  readonly #ids: ToolCallIds;

  constructor(context: EncodeContext) {
    this.#context = { ...context, documents: new DocumentNames() };
    this.#ids = new ToolCallIds({ conversation: context.conversation, isNative: false }, MAX_ID_LENGTH);
    for (const [index, message] of context.conversation.messages.entries()) this.#add(message, index);
    this.#ids.closeTurn();
    this.#dropLooseReasoning();
    this.#addDocumentWords();
    this.#trimEnd();
  }

  /** Names of the tools that were called, each once, in order. */
  get calledTools(): string[] {
    const calls = this.#turns.flatMap(({ blocks }) => blocks.filter(isToolUse));
    return [...new Set(calls.map(({ toolUse }) => textOf(objectOf(toolUse)['name'])))];
  }

  /**
   * Whether the running turn (all since the user's last message without tool results) called tools and does not begin
   * with reasoning: its client lost it on the way.
   */
  get lostReasoning(): boolean {
    const lastWords = this.#turns.findLastIndex(
      ({ role, results }) => role === 'user' && results.length === 0,
    );
    const running = this.#turns.slice(lastWords + 1).filter(({ role }) => role === 'assistant');
    const calls = running.some(({ blocks }) => blocks.some(isToolUse));
    return calls && !isReasoning(running[0]?.blocks[0]);
  }

  /** @param takesPrefill the model goes on from an assistant's message at the end */
  encode(takesPrefill: boolean): JsonObject[] {
    const messages = this.#turns.map(({ role, results, blocks }) => ({
      role,
      content: withoutRepeats([...results, ...blocks]),
    }));
    if (messages[0]?.role !== 'user') messages.unshift(userTurn(OPENING_WORDS));
    if (!takesPrefill && messages.at(-1)?.role === 'assistant') messages.push(userTurn(CLOSING_WORDS));
    return messages;
  }

  #add(message: Message, index: number): void {
    const { conversation, dropped } = this.#context;
    // The name of a tool message is that of the tool, which its call says.
    if (message.name !== undefined && message.role !== 'tool') {
      dropped.add(callerWord(conversation, 'participantName'));
    }
    const paths = partPaths(conversation, index);
    switch (message.role) {
      case 'system':
      case 'developer':
        this.system.push(
          ...encodeAll(message, paths, (part, at) => encodeSystemPart(this.#context, part, at)),
        );
        break;
      case 'user':
        this.#append(
          'user',
          encodeAll(message, paths, (part, at) => encodeUserPart(this.#context, part, at)),
        );
        break;
      case 'tool':
        this.#addResults(message, index, paths);
        break;
      case 'assistant':
        this.#addAssistant(message, index, paths);
        break;
      default:
        message.role satisfies never;
    }
  }

  #addResults(message: Message, index: number, paths: readonly string[]): void {
    const results = encodeAll(message, paths, (part, at) => {
      if (part.type !== 'tool_result') return encodeUserPart(this.#context, part, at);
      return encodeToolResult(this.#context, part, this.#ids.answer(part.callId, index), at);
    });
    if (results.length > 0) this.#turn('user').results.push(...results);
  }

  #addAssistant(message: Message, index: number, paths: readonly string[]): void {
    if (this.#turns.at(-1)?.role === 'user') this.#ids.closeTurn();
    const blocks = encodeAll(message, paths, (part, at) =>
      part.type === 'tool_call'
        ? encodeToolCall(this.#context, part, this.#ids.call(part.id, index))
        : encodeAssistantPart(this.#context, part, at),
    );
    this.#append('assistant', blocks);
  }

  #append(role: Turn['role'], blocks: JsonObject[]): void {
    if (blocks.some((block) => !isCachePoint(block))) this.#turn(role).blocks.push(...blocks);
  }

  #turn(role: Turn['role']): Turn {
    let turn = this.#turns.at(-1);
    if (turn?.role !== role) {
      turn = { role, results: [], blocks: [] };
      this.#turns.push(turn);
    }
    return turn;
  }

  /** Reasoning must lead to something in its message; where that was dropped, the reasoning goes too. */
  #dropLooseReasoning(): void {
    const kept: Turn[] = [];
    for (const turn of this.#turns) {
      if (turn.role === 'assistant') while (isReasoning(turn.blocks.at(-1))) turn.blocks.pop();
      if (turn.results.length + turn.blocks.length === 0) continue;
      const before = kept.at(-1);
      if (before?.role === turn.role) {
        before.results.push(...turn.results);
        before.blocks.push(...turn.blocks);
      } else {
        kept.push(turn);
      }
    }
    this.#turns.splice(0, this.#turns.length, ...kept);
  }

  #addDocumentWords(): void {
    for (const { role, results, blocks } of this.#turns) {
      if (role !== 'user' || !blocks.some(({ document }) => document !== undefined)) continue;
      const hasWords = blocks.some(({ text }) => text !== undefined) || results.length > 0;
      if (!hasWords) blocks.push({ text: DOCUMENT_WORDS });
    }
  }

  /** White space at the end of a last message that is the assistant's is refused. */
  #trimEnd(): void {
    const last = this.#turns.at(-1);
    const block = last?.role === 'assistant' ? last.blocks.at(-1) : undefined;
    if (last && typeof block?.['text'] === 'string') {
      last.blocks[last.blocks.length - 1] = { text: block['text'].trimEnd() };
    }
  }
}

type EncodePart = (part: Message['parts'][number], path: string) => JsonObject[];

function encodeAll(message: Message, paths: readonly string[], encode: EncodePart): JsonObject[] {
  return message.parts.flatMap((part, index) => encode(part, paths[index] ?? ''));
}

/** A cache point behind another says nothing, nor does one behind nothing (the text before it was empty). */
function withoutRepeats(blocks: JsonObject[]): JsonObject[] {
  return blocks.filter((block, index) => {
    if (!isCachePoint(block)) return true;
    const before = blocks[index - 1];
    return before !== undefined && !isCachePoint(before);
  });
}

function userTurn(text: string): { role: 'user'; content: JsonObject[] } {
  return { role: 'user', content: [{ text }] };
}

function isToolUse(block: JsonObject): boolean {
  const { toolUse } = block;
  return isObject(toolUse) && isModelsCall(toolUse);
}

function isReasoning(block: JsonObject | undefined): boolean {
  return block?.['reasoningContent'] !== undefined;
}

function isCachePoint(block: JsonObject): boolean {
  return block['cachePoint'] !== undefined;
}
