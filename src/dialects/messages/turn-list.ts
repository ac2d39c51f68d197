import { appendAll } from '../../conversation/append-all.ts';
import type { Message, Part, ToolCallPart, ToolResultPart } from '../../conversation/conversation.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { callerWord, participantField, partPaths } from '../caller-words.ts';
import { CLOSING_WORDS, OPENING_WORDS } from '../filler-words.ts';
import type { EncodeContext } from './encode-context.ts';
import type { ToolCallIds } from './tool-call-ids.ts';

/** One message on the wire: all neighbours of one role. */
export interface Turn {
  role: 'user' | 'assistant' | 'system';
  /** The API wants them first, all of one turn in one message. */
  results: JsonObject[];
  blocks: JsonObject[];
  /** What the API's own dialect alone says of a message. */
  fields: JsonObject;
}

/** How an API whose turns alternate as Anthropic's do writes what stands in them. `path`: of the part, in the caller's words. */
export interface BlockForm {
  system(part: Part, path: string): JsonObject[];
  user(part: Part, path: string): JsonObject[];
  assistant(part: Exclude<Part, ToolCallPart>, path: string): JsonObject[];
  call(part: ToolCallPart, wireId: string): JsonObject[];
  result(part: ToolResultPart, wireId: string, path: string): JsonObject[];
  text(text: string): JsonObject;
  isText(block: JsonObject): boolean;
  isCall(block: JsonObject): boolean;
  isReasoning(block: JsonObject): boolean;
  /** Whether a block makes no message by itself. */
  saysNothing(block: JsonObject): boolean;
  fields(message: Message): JsonObject;
}

type ListContext = Pick<EncodeContext, 'conversation' | 'dropped' | 'isNative'>;

/** The messages of a conversation as turns that alternate. */
export class TurnList {
  readonly system: JsonObject[] = [];
  turns: Turn[] = [];
  readonly #context: ListContext;
  readonly #form: BlockForm;
  readonly #ids: ToolCallIds;

  /** `isNative`: the caller's turns are in the API's order already, with the system messages that it knows between them. */
  constructor(context: ListContext, form: BlockForm, ids: ToolCallIds) {
    this.#context = context;
    this.#form = form;
    this.#ids = ids;
    for (const [index, message] of context.conversation.messages.entries()) this.#add(message, index);
    this.#ids.closeTurn();
    if (!context.isNative) this.#dropLooseReasoning();
    this.#trimEnd();
  }

  /**
   * Whether the running turn (all since the user's last message without tool results) called tools and does not begin
   * with reasoning: its client lost it on the way.
   */
  get lostReasoning(): boolean {
    const { isCall, isReasoning } = this.#form;
    const lastWords = this.turns.findLastIndex(
      ({ role, results }) => role === 'user' && results.length === 0,
    );
    const running = this.turns.slice(lastWords + 1).filter(({ role }) => role === 'assistant');
    const first = running[0]?.blocks[0];
    return running.some(({ blocks }) => blocks.some(isCall)) && !(first && isReasoning(first));
  }

  /** @param takesPrefill the model goes on from an assistant's message at the end */
  encode(takesPrefill: boolean): { role: string; content: JsonObject[] }[] {
    const messages = this.turns.map(({ role, results, blocks, fields }) => ({
      role: role as string,
      content: [...results, ...blocks],
      ...fields,
    }));
    if (this.#context.isNative) return messages;
    if (messages[0]?.role !== 'user') messages.unshift(this.#userTurn(OPENING_WORDS));
    if (!takesPrefill && messages.at(-1)?.role === 'assistant') messages.push(this.#userTurn(CLOSING_WORDS));
    return messages;
  }

  #add(message: Message, index: number): void {
    const { conversation, dropped } = this.#context;
    const form = this.#form;
    // The name of a tool message is that of the tool, which its call says.
    if (message.name !== undefined && message.role !== 'tool') {
      dropped.add(participantField(conversation, index));
    }
    const paths = partPaths(conversation, index);
    const encodeAll = (encode: (part: Part, path: string) => JsonObject[]) =>
      message.parts.flatMap((part, at) => encode(part, paths[at] ?? ''));
    switch (message.role) {
      case 'system':
      case 'developer':
        this.#addSystem(message, encodeAll(form.system));
        break;
      case 'user':
        this.#append('user', message, encodeAll(form.user));
        break;
      case 'tool': {
        const results = encodeAll((part, path) =>
          part.type === 'tool_result'
            ? form.result(part, this.#ids.answer(part.callId, index), path)
            : form.user(part, path),
        );
        if (results.length > 0) appendAll(this.#turn('user', message).results, results);
        break;
      }
      case 'assistant':
        if (this.turns.at(-1)?.role === 'user') this.#ids.closeTurn();
        this.#append(
          'assistant',
          message,
          encodeAll((part, path) =>
            part.type === 'tool_call'
              ? form.call(part, this.#ids.call(part.id, index))
              : form.assistant(part, path),
          ),
        );
        break;
      default:
        message.role satisfies never;
    }
  }

  /**
   * System messages between turns are a native caller's alone, each with fields of its own; those of all others go into the
   * one system prompt.
   */
  #addSystem(message: Message, blocks: JsonObject[]): void {
    if (!this.#context.isNative || this.turns.length === 0) appendAll(this.system, blocks);
    else this.turns.push({ role: 'system', results: [], blocks, fields: this.#form.fields(message) });
  }

  #append(role: 'user' | 'assistant', message: Message, blocks: JsonObject[]): void {
    if (!blocks.every(this.#form.saysNothing)) appendAll(this.#turn(role, message).blocks, blocks);
  }

  #turn(role: Turn['role'], message: Message): Turn {
    let turn = this.turns.at(-1);
    if (turn?.role !== role) {
      turn = { role, results: [], blocks: [], fields: {} };
      this.turns.push(turn);
    }
    turn.fields = { ...turn.fields, ...this.#form.fields(message) };
    return turn;
  }

  /** Reasoning must lead to something in its message; where that was dropped, the reasoning goes too. */
  #dropLooseReasoning(): void {
    const { conversation, dropped } = this.#context;
    for (const { role, blocks } of this.turns) {
      for (let last = blocks.at(-1); role === 'assistant' && last && this.#form.isReasoning(last); ) {
        blocks.pop();
        dropped.add(callerWord(conversation, 'signedReasoning'));
        last = blocks.at(-1);
      }
    }
    this.#dropEmpty();
  }

  #dropEmpty(): void {
    const kept: Turn[] = [];
    for (const turn of this.turns) {
      if (turn.results.length + turn.blocks.length === 0) continue;
      const before = kept.at(-1);
      if (before?.role === turn.role) {
        appendAll(before.results, turn.results);
        appendAll(before.blocks, turn.blocks);
      } else {
        kept.push(turn);
      }
    }
    this.turns = kept;
  }

  /** The API refuses white space at the end of a last message that is the assistant's. */
  #trimEnd(): void {
    const last = this.turns.at(-1);
    const block = last?.role === 'assistant' ? last.blocks.at(-1) : undefined;
    if (last && block && this.#form.isText(block)) {
      last.blocks[last.blocks.length - 1] = { ...block, text: String(block['text']).trimEnd() };
    }
  }

  #userTurn(text: string): { role: string; content: JsonObject[] } {
    return { role: 'user', content: [this.#form.text(text)] };
  }
}
