import { invalidRequest } from '../../conversation/gateway-error.ts';
import { callerWord, messagePath } from '../caller-words.ts';
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
  /** Calls of the last assistant turn, by the caller's id. */
  readonly #open = new Map<string, { wireId: string; message: number; isAnswered: boolean }>();
  readonly #used = new Set<string>();

  constructor(context: PairingContext) {
    this.#context = context;
  }

  /** @returns the id on the wire */
  call(id: string, message: number): string {
    const wireId = this.#unique(legalId(id));
    this.#open.set(id, { wireId, message, isAnswered: false });
    return wireId;
  }

  /** @returns the id on the wire */
  answer(id: string, message: number): string {
    const call = this.#open.get(id);
    if (this.#context.isNative) return call?.wireId ?? legalId(id);
    if (!call) {
      throw this.#error(message, `answers the tool call '${id}', which the turn before it does not hold.`);
    }
    if (call.isAnswered) throw this.#error(message, `answers the tool call '${id}' a second time.`);
    call.isAnswered = true;
    return call.wireId;
  }

  /** The turn that must answer the open calls is over. */
  closeTurn(): void {
    if (!this.#context.isNative) {
      for (const [id, { message, isAnswered }] of this.#open) {
        if (isAnswered) continue;
        throw this.#error(
          message,
          `holds the tool call '${id}' without its result in the messages after it.`,
        );
      }
    }
    this.#open.clear();
  }

  #unique(id: string): string {
    let unique = id;
    for (let count = 2; this.#used.has(unique); count++) unique = `${id}_${count}`;
    this.#used.add(unique);
    return unique;
  }

  #error(message: number, what: string): Error {
    const { conversation } = this.#context;
    const path = messagePath(conversation, message);
    const param = `${path}.${callerWord(conversation, 'toolCallId')}`;
    return invalidRequest(`'${path}' ${what} Send every tool call with its result, or neither.`, param);
  }
}

const LEGAL_ID = /^[a-zA-Z0-9_-]+$/;

/** Ids that other providers made may hold other characters. The hash keeps apart what the replacement makes alike. */
function legalId(id: string): string {
  if (LEGAL_ID.test(id)) return id;
  return `${id.replace(/[^a-zA-Z0-9_-]/g, '_')}_${hash(id)}`;
}

/** FNV-1a of 32 bits. */
function hash(text: string): string {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return (value >>> 0).toString(36);
}
