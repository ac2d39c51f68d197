import type { Conversation } from '../../conversation/conversation.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { callerWord, messagePath, opaqueName, partPaths } from '../caller-words.ts';
import type { EncodeContext } from './encode-context.ts';

/** What pairing needs to know of a request. */
export type PairingContext = Pick<EncodeContext, 'conversation' | 'isNative'>;

/**
 * Pairs tool results with their calls. The API takes a call only if the next turn holds its result, and a result
 * only if the turn before it holds the call; ids must be unique in the conversation and of a certain alphabet.
 * Callers of this dialect get the API's own words about all that.
 */
export class ToolCallIds {
  readonly #context: PairingContext;
  readonly #maxLength: number;
  /** Calls of the last assistant turn, by the caller's id. */
  readonly #open = new Map<string, { wireId: string; message: number; isAnswered: boolean }>();
  readonly #used = new Set<string>();

  /** @param maxLength how long an id may be on the wire */
  constructor(context: PairingContext, maxLength = Number.POSITIVE_INFINITY) {
    this.#context = context;
    this.#maxLength = maxLength;
  }

  /** @returns the id on the wire */
  call(id: string, message: number): string {
    if (!this.#context.isNative && this.#open.has(id)) {
      throw repeatedCall(this.#context.conversation, id, message);
    }
    const wireId = this.#unique(legalId(id, this.#maxLength));
    this.#open.set(id, { wireId, message, isAnswered: false });
    return wireId;
  }

  /** @returns the id on the wire */
  answer(id: string, message: number): string {
    const call = this.#open.get(id);
    if (this.#context.isNative) return call?.wireId ?? legalId(id, this.#maxLength);
    if (!call) {
      const what = `answers the tool call '${id}', which the turn before it does not hold.`;
      throw this.#error({ type: 'tool_result', id, message }, what);
    }
    if (call.isAnswered)
      throw this.#error({ type: 'tool_result', id, message }, `answers the tool call '${id}' a second time.`);
    call.isAnswered = true;
    return call.wireId;
  }

  /** The turn that must answer the open calls is over. */
  closeTurn(): void {
    if (!this.#context.isNative) {
      for (const [id, { message, isAnswered }] of this.#open) {
        if (isAnswered) continue;
        throw this.#error(
          { type: 'tool_call', id, message },
          `is the tool call '${id}' without its result in the messages after it.`,
        );
      }
    }
    this.#open.clear();
  }

  #unique(id: string): string {
    let unique = id;
    for (let count = 2; this.#used.has(unique); count++) {
      unique = `${id.slice(0, this.#maxLength - ROOM_FOR_SUFFIX)}_${count}`;
    }
    this.#used.add(unique);
    return unique;
  }

  #error(part: PairedPart, what: string): Error {
    return unpaired(
      this.#context.conversation,
      part,
      `${what} Send every tool call with its result, or neither.`,
    );
  }
}

/**
 * Refuses two calls of one message by the same id: no result could say which of them it answers. Other messages may say it again, as
 * servers do that count the calls of each answer.
 */
export function refuseRepeatedCalls(conversation: Conversation): void {
  for (const [index, { parts }] of conversation.messages.entries()) {
    const seen = new Set<string>();
    for (const part of parts) {
      if (part.type !== 'tool_call') continue;
      if (seen.has(part.id)) throw repeatedCall(conversation, part.id, index);
      seen.add(part.id);
    }
  }
}

function repeatedCall(conversation: Conversation, id: string, message: number): Error {
  const { path, param } = placeOfPair(conversation, { type: 'tool_call', id, message });
  return invalidRequest(
    `'${path}' has the id '${id}' of another call beside it, so no result could say which of them it answers. Give each call an id of its own.`,
    param,
    'repeated_tool_call',
  );
}

interface PairedPart {
  type: 'tool_call' | 'tool_result';
  id: string;
  /** Of the message that it stands in. */
  message: number;
}

/**
 * What a caller is told of a call without its result, or the other way round: where it stands, and the field of its id. A result may
 * have its call in what only the caller's dialect knows, which is not for others to answer.
 */
export function unpaired(conversation: Conversation, part: PairedPart, what: string): Error {
  const { path, param } = placeOfPair(conversation, part);
  if (part.type === 'tool_call') return invalidRequest(`'${path}' ${what}`, param, 'unanswered_tool_call');
  const opaque = opaqueCall(conversation, part);
  if (opaque === undefined) return invalidRequest(`'${path}' ${what}`, param, 'unknown_tool_call');
  return invalidRequest(
    `'${path}' answers ${opaque}, which only the provider can read that has it. Leave both out, or choose another model.`,
    param,
    'unsupported_content',
  );
}

/** Where the last part of this id stands in its message, and the field of the id. */
function placeOfPair(
  conversation: Conversation,
  { type, id, message }: PairedPart,
): { path: string; param: string } {
  const parts = conversation.messages[message]?.parts ?? [];
  const at = parts.findLastIndex(
    (part) =>
      part.type === type &&
      (part.type === 'tool_call' ? part.id : part.type === 'tool_result' && part.callId) === id,
  );
  const path = partPaths(conversation, message)[at] ?? messagePath(conversation, message);
  const word = callerWord(conversation, type === 'tool_call' ? 'calledId' : 'toolCallId');
  return { path, param: `${path}.${word}` };
}

/** Where the call of a result stands, and what it is, if it is one of those that only the caller's dialect has (`local_shell_call`). */
function opaqueCall(conversation: Conversation, { id, message }: PairedPart): string | undefined {
  for (const [index, { parts }] of conversation.messages.slice(0, message).entries()) {
    const at = parts.findIndex((part) => part.type === 'opaque' && part.value['call_id'] === id);
    const found = parts[at];
    if (found?.type !== 'opaque') continue;
    return `'${partPaths(conversation, index)[at]}' of the type '${opaqueName(found.value)}'`;
  }
  return undefined;
}

/** The hash (at most 7 characters), and the number that tells an id from another of the same name. */
const ROOM_FOR_SUFFIX = 13;

const LEGAL_ID = /^[a-zA-Z0-9_-]+$/;

/** Ids that other providers made may hold other characters, or too many. The hash keeps apart what the replacement makes alike. */
function legalId(id: string, maxLength: number): string {
  if (LEGAL_ID.test(id) && id.length <= maxLength) return id;
  const suffix = `_${hash(id)}`;
  return id.replace(/[^a-zA-Z0-9_-]/g, '_').slice(0, maxLength - ROOM_FOR_SUFFIX) + suffix;
}

/** FNV-1a of 32 bits. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value >>> 0).toString(36);
}
