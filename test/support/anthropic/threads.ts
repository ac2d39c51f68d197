import { isObject, type JsonObject, type JsonValue } from '../../../src/conversation/json.ts';
import { anthropicError, invalid } from './errors.ts';

/** Without this flag `thread` is no field of the API. Source: documentation, "Message threads". */
export const THREADS_BETA = 'message-threads-2026-08-12';

/** A thread is gone five minutes behind its last request. */
const LIFETIME_MS = 5 * 60 * 1000;

/** A conversation as it was when an answer ended. */
interface Turn {
  /** `system` and `tools` of the request that created the thread. */
  kept: JsonObject;
  messages: JsonValue[];
  isContinued: boolean;
  expiresAt: number;
}

/** Taken from the thread: a request that continues one must not repeat them (`ThreadState` of the official SDK). */
const CREATE_ONLY = ['system', 'tools'];

/**
 * The conversations that an account holds, by the id of their last answer. Sources: documentation, "Message threads";
 * the official SDK (`BetaMessageThreadParam`, `ThreadNotFoundErrorDetails` and its kin).
 */
export class MessageThreads {
  readonly #turns = new Map<string, Turn>();

  /** A request with all of its conversation in it, as if it had come without a thread. */
  resume({ thread, ...request }: JsonObject): JsonObject {
    if (!isObject(thread) || thread['type'] !== 'continue') return request;
    const repeated = CREATE_ONLY.find((name) => request[name] !== undefined);
    // The words are not public.
    if (repeated !== undefined) throw invalid(`${repeated}: Not permitted when a thread is continued`);
    const turn = this.#turns.get(String(thread['previous_message_id']));
    if (!turn || turn.expiresAt < Date.now()) {
      throw threadError(404, 'not_found_error', 'thread_not_found', 'No usable thread state was found.');
    }
    if (turn.isContinued) {
      throw threadError(
        400,
        'invalid_request_error',
        'thread_already_continued',
        'The response was continued already.',
      );
    }
    const messages = Array.isArray(request['messages']) ? request['messages'] : [];
    return { ...request, ...turn.kept, messages: [...turn.messages, ...messages] };
  }

  /** @param request as it came @param whole as it was resumed */
  keep(request: JsonObject, whole: JsonObject, id: string, content: JsonValue): void {
    const { thread } = request;
    if (!isObject(thread)) return;
    const previous = this.#turns.get(String(thread['previous_message_id']));
    if (previous) previous.isContinued = true;
    const messages = Array.isArray(whole['messages']) ? whole['messages'] : [];
    this.#turns.set(id, {
      kept: Object.fromEntries(Object.entries(whole).filter(([name]) => CREATE_ONLY.includes(name))),
      messages: [...messages, { role: 'assistant', content }],
      isContinued: false,
      expiresAt: Date.now() + LIFETIME_MS,
    });
  }

  /** As if their time were over. */
  forget(): void {
    this.#turns.clear();
  }
}

function threadError(status: number, type: string, code: string, message: string): Error {
  return anthropicError(status, type, message, {}, { error_code: code });
}
