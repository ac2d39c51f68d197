import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Conversation, Part } from '../conversation/conversation.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { tellingBytes } from './body-bytes.ts';
import { type TokenLoad, weighAnswer, weighConversation } from './conversation-load.ts';
import { sliceText } from './cut-text.ts';
import { type Encoding, familyOf } from './families.ts';

/** What the thread is asked at a time, and what it answers. */
export interface CountRequest {
  encoding: Encoding;
  texts: string[];
}
export type CountAnswer = { tokens: number } | { error: string };

export interface TokenCounterOptions {
  /** How much text may wait, in characters; what comes on top is refused as `overloaded`. */
  maxWaitingChars?: number;
}

const MAX_WAITING_CHARS = 32 * 1024 * 1024;

/** As much is counted in one go (some 20 ms): a long text does not keep short ones waiting for more than that. */
const REQUEST_CHARS = 64 * 1024;

interface Job {
  requests: CountRequest[];
  tokens: number;
  chars: number;
  resolve(tokens: number): void;
  reject(error: Error): void;
}

/**
 * Counts tokens on a thread of its own, begun with the first count. Small texts go there, too: an encoder takes a third
 * of a second to load, which the thread that serves calls must not wait for, and is held in memory once.
 * Counting many texts at once takes turns between them. An idle thread does not keep the process alive.
 */
export class TokenCounter {
  readonly #maxWaitingChars: number;
  readonly #jobs: Job[] = [];
  #waitingChars = 0;
  /** Its request is with the thread. */
  #current: Job | undefined;
  #worker: Worker | undefined;
  #stopped = false;

  constructor({ maxWaitingChars = MAX_WAITING_CHARS }: TokenCounterOptions = {}) {
    this.#maxWaitingChars = maxWaitingChars;
  }

  /** Input tokens of a conversation with a model: an estimate, also where the family's rules are exact for text. */
  countConversation(conversation: Conversation, model: string): Promise<number> {
    return this.#countLoad(weighConversation(conversation, familyOf(model)), model);
  }

  /**
   * What a request comes to as a model's input at most, as far as that can be told: what is said in it is counted, and of what is not understood a
   * byte is taken for a token.
   *
   * @param body the request that was decoded, without what only addresses it
   */
  async boundConversation(conversation: Conversation, body: JsonObject, model: string): Promise<number> {
    const load = weighConversation(conversation, familyOf(model));
    const { texts, fixed, besides, standsFor } = load;
    const rest = standsFor.reduce<number>((sum, value) => sum - tellingBytes(value), tellingBytes(body));
    const counted = await this.#countLoad({ texts: [...texts, ...besides], fixed }, model);
    return counted + Math.max(0, rest);
  }

  /** Output tokens of an answer. */
  countAnswer(parts: readonly Part[], model: string): Promise<number> {
    return this.#countLoad(weighAnswer(parts, familyOf(model)), model);
  }

  /** Tokens of bare texts, as embedding models count them. */
  countTexts(texts: string[], model: string): Promise<number> {
    return this.#countLoad({ texts, fixed: 0 }, model);
  }

  /** Ends the thread. What is being counted then fails, and what comes later. */
  async stop(): Promise<void> {
    this.#stopped = true;
    const worker = this.#worker;
    this.#fail(new GatewayError('overloaded', 'The gateway is stopping.'));
    await worker?.terminate();
  }

  async #countLoad({ texts, fixed }: Pick<TokenLoad, 'texts' | 'fixed'>, model: string): Promise<number> {
    const { encoding, factor } = familyOf(model);
    const requests = groupTexts(texts).map((group) => ({ encoding, texts: group }));
    const tokens = requests.length === 0 ? 0 : await this.#enqueue(requests);
    return Math.ceil(tokens * factor) + fixed;
  }

  #enqueue(requests: CountRequest[]): Promise<number> {
    const chars = requests.reduce((sum, { texts }) => sum + charsOf(texts), 0);
    if (this.#stopped || this.#waitingChars + chars > this.#maxWaitingChars) {
      const message = 'More text waits to be counted than the gateway takes; try again later.';
      return Promise.reject(new GatewayError('overloaded', message, { retryAfterMs: 1000 }));
    }
    return new Promise((resolve, reject) => {
      this.#waitingChars += chars;
      this.#jobs.push({ requests, tokens: 0, chars, resolve, reject });
      this.#sendNext();
    });
  }

  #sendNext(): void {
    if (this.#current) return;
    const job = this.#jobs.shift();
    const request = job?.requests.shift();
    if (!job || !request) {
      this.#worker?.unref();
      return;
    }
    this.#current = job;
    this.#worker ??= this.#startWorker();
    this.#worker.ref();
    this.#worker.postMessage(request);
  }

  #take(answer: CountAnswer): void {
    const job = this.#current;
    if (!job) return;
    this.#current = undefined;
    if ('error' in answer) {
      this.#finish(job);
      job.reject(new Error(`tokens could not be counted: ${answer.error}`));
    } else {
      job.tokens += answer.tokens;
      if (job.requests.length > 0) this.#jobs.push(job);
      else {
        this.#finish(job);
        job.resolve(job.tokens);
      }
    }
    this.#sendNext();
  }

  #finish(job: Job): void {
    this.#waitingChars -= job.chars;
  }

  #startWorker(): Worker {
    // The sources end in .ts, what is built from them in .js.
    const worker = new Worker(new URL(`./count-worker${extname(import.meta.url)}`, import.meta.url), {
      // Of the flags of this process, some are of no use to a thread, and some it does not start with.
      execArgv: [],
    });
    worker.on('message', (answer: CountAnswer) => this.#take(answer));
    worker.on('error', (cause) => this.#fail(new Error('the thread that counts tokens failed', { cause })));
    worker.on('exit', () => this.#fail(new Error('the thread that counts tokens ended')));
    return worker;
  }

  /** The thread is gone or of no use: everything that waits for it fails, and the next count begins a new one. */
  #fail(error: Error): void {
    this.#worker?.removeAllListeners();
    this.#worker = undefined;
    const failed = this.#current ? [this.#current, ...this.#jobs] : [...this.#jobs];
    this.#current = undefined;
    this.#jobs.length = 0;
    for (const job of failed) {
      this.#finish(job);
      job.reject(error);
    }
  }
}

/** Texts in groups of at most `REQUEST_CHARS`, long ones cut. Empty ones count nothing. */
function groupTexts(texts: string[]): string[][] {
  const groups: string[][] = [];
  let group: string[] = [];
  let chars = 0;
  for (const slice of texts.flatMap((text) => sliceText(text, REQUEST_CHARS))) {
    if (slice === '') continue;
    if (chars + slice.length > REQUEST_CHARS && group.length > 0) {
      groups.push(group);
      group = [];
      chars = 0;
    }
    group.push(slice);
    chars += slice.length;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

function charsOf(texts: string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}
