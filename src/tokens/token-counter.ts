import type { Conversation, Part } from '../conversation/conversation.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonObject } from '../conversation/json.ts';
import { tellingBytes } from './body-bytes.ts';
import { type TokenLoad, weighAnswer, weighConversation } from './conversation-load.ts';
import { type CountRequest, type CountThread, THREAD_OF_PROCESS } from './count-thread.ts';
import { sliceText } from './cut-text.ts';
import { familyOf } from './families.ts';

export interface TokenCounterOptions {
  /** How much text may wait, in characters; what comes on top is refused as `overloaded`. */
  maxWaitingChars?: number;
  /** What counts. That of the process where absent. */
  thread?: Pick<CountThread, 'count'>;
}

const MAX_WAITING_CHARS = 32 * 1024 * 1024;

/** As much is counted in one go (some 20 ms): a long text does not keep short ones waiting for more than that. */
const REQUEST_CHARS = 64 * 1024;

interface Job {
  requests: CountRequest[];
  tokens: number;
  chars: number;
  resolve(tokens: number): void;
  reject(error: unknown): void;
}

/** Counts tokens on a thread, also of small texts. Counting many texts at once takes turns between them. */
export class TokenCounter {
  readonly #maxWaitingChars: number;
  readonly #thread: Pick<CountThread, 'count'>;
  readonly #jobs: Job[] = [];
  #waitingChars = 0;
  /** Its request is with the thread. */
  #current: Job | undefined;
  #stopped = false;

  constructor({ maxWaitingChars = MAX_WAITING_CHARS, thread = THREAD_OF_PROCESS }: TokenCounterOptions = {}) {
    this.#maxWaitingChars = maxWaitingChars;
    this.#thread = thread;
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

  /** What is being counted fails, and what comes later. */
  stop(): void {
    this.#stopped = true;
    const stopped = this.#current ? [this.#current, ...this.#jobs] : this.#jobs;
    for (const { reject } of stopped) reject(new GatewayError('overloaded', 'The gateway is stopping.'));
    this.#jobs.length = 0;
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
      if (!this.#current) void this.#countJobs();
    });
  }

  async #countJobs(): Promise<void> {
    for (let job = this.#jobs.shift(); job; job = this.#jobs.shift()) {
      this.#current = job;
      await this.#countPartOf(job);
    }
    this.#current = undefined;
  }

  /** Counts one request of a job, which goes behind all others where it has more. */
  async #countPartOf(job: Job): Promise<void> {
    const request = job.requests.shift();
    try {
      if (request) job.tokens += await this.#thread.count(request);
      if (job.requests.length > 0 && !this.#stopped) {
        this.#jobs.push(job);
        return;
      }
      job.resolve(job.tokens);
    } catch (error) {
      job.reject(error);
    }
    this.#waitingChars -= job.chars;
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
