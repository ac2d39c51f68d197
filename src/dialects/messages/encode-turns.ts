import type { Message } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, partPaths } from '../caller-words.ts';
import {
  encodeAssistantPart,
  encodeSystemPart,
  encodeToolCall,
  encodeToolResult,
  encodeUserPart,
} from './encode-blocks.ts';
import type { EncodeContext } from './encode-context.ts';
import { ownFields } from './fields.ts';
import { ToolCallIds } from './tool-call-ids.ts';

/** One message on the wire: all neighbours of one role, which the API would combine anyway. */
interface Turn {
  role: 'user' | 'assistant' | 'system';
  /** The API wants them first, all of one turn in one message. */
  results: JsonObject[];
  blocks: JsonObject[];
  /** What this dialect alone says of a message. */
  fields: JsonObject;
}

/**
 * What stands in for a user's turn where the API wants one and the caller sent none: before a conversation that
 * begins with the assistant's words or holds system messages only (OpenAI answers both), and behind one that
 * ends with the assistant's words where the model cannot go on from them.
 */
const OPENING_WORDS = 'Begin.';
const CLOSING_WORDS = 'Continue.';

export class Turns {
  readonly system: JsonObject[] = [];
  readonly #context: EncodeContext;
  readonly #turns: Turn[] = [];
  readonly #ids: ToolCallIds;

  constructor(context: EncodeContext) {
    this.#context = context;
    this.#ids = new ToolCallIds(context);
    for (const [index, message] of context.conversation.messages.entries()) this.#add(message, index);
    this.#ids.closeTurn();
    if (!context.isNative) this.#dropLooseThinking();
    this.#trimEnd();
  }

  /**
   * Whether the running turn (all since the user's last message without tool results) called tools and does not begin with
   * thinking: its client lost it on the way.
   */
  get lostThinking(): boolean {
    const lastWords = this.#turns.findLastIndex(
      ({ role, results }) => role === 'user' && results.length === 0,
    );
    const running = this.#turns.slice(lastWords + 1).filter(({ role }) => role === 'assistant');
    const calls = running.some(({ blocks }) => blocks.some(({ type }) => type === 'tool_use'));
    return calls && !isThinking(running[0]?.blocks[0]);
  }

  /** @param takesPrefill the model goes on from an assistant's message at the end */
  encode(takesPrefill: boolean): JsonObject[] {
    const messages = this.#turns.map(({ role, results, blocks, fields }) => ({
      role,
      content: [...results, ...blocks],
      ...fields,
    }));
    if (this.#context.isNative) return messages;
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
        this.#addSystem(message, paths);
        break;
      case 'user':
        this.#append(
          'user',
          message,
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

  /** Only this dialect knows system messages between turns; those of all others go into the one system prompt. */
  #addSystem(message: Message, paths: readonly string[]): void {
    const blocks = encodeAll(message, paths, (part, at) => encodeSystemPart(this.#context, part, at));
    if (this.#context.isNative && this.#turns.length > 0) this.#append('system', message, blocks);
    else this.system.push(...blocks);
  }

  #addResults(message: Message, index: number, paths: readonly string[]): void {
    const results = encodeAll(message, paths, (part, at) => {
      if (part.type !== 'tool_result') return encodeUserPart(this.#context, part, at);
      return [encodeToolResult(this.#context, part, this.#ids.answer(part.callId, index), at)];
    });
    if (results.length > 0) this.#turn('user', message).results.push(...results);
  }

  #addAssistant(message: Message, index: number, paths: readonly string[]): void {
    if (this.#turns.at(-1)?.role === 'user') this.#ids.closeTurn();
    const blocks = encodeAll(message, paths, (part, at) =>
      part.type === 'tool_call'
        ? [encodeToolCall(part, this.#ids.call(part.id, index))]
        : encodeAssistantPart(this.#context, part, at),
    );
    this.#append('assistant', message, blocks);
  }

  #append(role: Turn['role'], message: Message, blocks: JsonObject[]): void {
    if (blocks.length > 0) this.#turn(role, message).blocks.push(...blocks);
  }

  #turn(role: Turn['role'], message: Message): Turn {
    const fields = ownFields(message.extra);
    let turn = this.#turns.at(-1);
    if (turn?.role !== role) {
      turn = { role, results: [], blocks: [], fields: {} };
      this.#turns.push(turn);
    }
    turn.fields = { ...turn.fields, ...fields };
    return turn;
  }

  /** Thinking must lead to something in its message; where that was dropped, the thinking goes too. */
  #dropLooseThinking(): void {
    const { conversation, dropped } = this.#context;
    for (const { role, blocks } of this.#turns) {
      while (role === 'assistant' && isThinking(blocks.at(-1))) {
        blocks.pop();
        dropped.add(callerWord(conversation, 'signedReasoning'));
      }
    }
    this.#dropEmpty();
  }

  /** The API refuses white space at the end of a last message that is the assistant's. */
  #trimEnd(): void {
    const last = this.#turns.at(-1);
    const block = last?.role === 'assistant' ? last.blocks.at(-1) : undefined;
    if (last && block && typeof block['text'] === 'string' && block['type'] === 'text') {
      last.blocks[last.blocks.length - 1] = { ...block, text: block['text'].trimEnd() };
    }
  }

  #dropEmpty(): void {
    const kept: Turn[] = [];
    for (const turn of this.#turns) {
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
}

type EncodePart = (part: Message['parts'][number], path: string) => JsonObject[];

function encodeAll(message: Message, paths: readonly string[], encode: EncodePart): JsonObject[] {
  return message.parts.flatMap((part, index) => encode(part, paths[index] ?? ''));
}

function userTurn(text: string): { role: 'user'; content: JsonObject[] } {
  return { role: 'user', content: [{ type: 'text', text }] };
}

function isThinking(block: JsonObject | undefined): boolean {
  return block?.['type'] === 'thinking' || block?.['type'] === 'redacted_thinking';
}
