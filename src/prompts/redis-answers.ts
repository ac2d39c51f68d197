import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { SharedAnswers } from './answer-cache.ts';

const PREFIX = 'fairlead:answer:';
/** Whoever asks for an answer notes that here. */
const ASKED = 'fairlead:asked:';
/** A note is renewed as long as its instance is there to do it. */
const NOTE_MS = 5_000;
const RENEW_MS = 2_000;
const LOOK_MS = 50;
/** Longer than this nobody waits for another instance's answer. */
const LONGEST_WAIT_MS = 60_000;

/** Only what is its own a process renews, or takes back. */
const RENEW = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('PEXPIRE', KEYS[1], ARGV[2])";
const END = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1])";

const CONNECT_MS = 2_000;
const LONGEST_RECONNECT_MS = 2_000;
/** After a failure nobody waits for it for so long. */
const PAUSE_MS = 5_000;

export interface RedisAnswersOptions {
  url: string;
  /** Longer than this no call waits for it. */
  replyMs: number;
  /** Longer than this no call waits for another instance's answer; a minute where absent. */
  longestWaitMs?: number;
  /** Unix milliseconds. */
  now: () => number;
  schedule(task: () => void, delayMs: number): () => void;
  /** Told once of each time that it is away. */
  onAway(error: unknown): void;
}

/** Answers in the Redis that instances share. Where it is away they ask the models. */
export class RedisAnswers implements SharedAnswers {
  readonly #redis: Redis;
  readonly #options: RedisAnswersOptions;
  #pausedUntil = 0;
  #isAway = false;

  constructor(options: RedisAnswersOptions) {
    this.#options = options;
    this.#redis = new Redis(options.url, {
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: CONNECT_MS,
      commandTimeout: options.replyMs,
      retryStrategy: (times) => Math.min(times * 50, LONGEST_RECONNECT_MS),
      connectionName: 'fairlead-answers',
    });
    // The commands that fail tell; without a listener an 'error' would be written to the console.
    this.#redis.on('error', () => undefined);
  }

  async find(key: string): Promise<string | undefined> {
    return (await this.#ask(() => this.#redis.get(PREFIX + key))) ?? undefined;
  }

  keep(key: string, answer: string, ttlMs: number): void {
    if (ttlMs >= 1) void this.#ask(() => this.#redis.set(PREFIX + key, answer, 'PX', Math.floor(ttlMs)));
  }

  async claim(key: string): Promise<(() => void) | undefined> {
    const own = randomUUID();
    const reply = await this.#ask(async () => ({
      isOurs: (await this.#redis.set(ASKED + key, own, 'PX', NOTE_MS, 'NX')) !== null,
    }));
    if (reply?.isOurs === false) return undefined;
    const { schedule } = this.#options;
    let cancel: () => void = () => undefined;
    const renewLater = () => {
      cancel = schedule(() => {
        void this.#ask(() => this.#redis.call('EVAL', [RENEW, 1, ASKED + key, own, NOTE_MS]));
        renewLater();
      }, RENEW_MS);
    };
    renewLater();
    return () => {
      cancel();
      void this.#ask(() => this.#redis.call('EVAL', [END, 1, ASKED + key, own]));
    };
  }

  async wait(key: string, isGone: () => boolean): Promise<string | undefined> {
    const { now, schedule, longestWaitMs = LONGEST_WAIT_MS } = this.#options;
    const until = now() + longestWaitMs;
    while (now() < until && !isGone()) {
      const [answer, asker] = (await this.#ask(() => this.#redis.mget(PREFIX + key, ASKED + key))) ?? [];
      if (answer) return answer;
      if (!asker) return undefined;
      await new Promise<void>((resolve) => schedule(resolve, LOOK_MS));
    }
    return undefined;
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #ask<Reply>(command: () => Promise<Reply>): Promise<Reply | undefined> {
    const { now, onAway } = this.#options;
    if (now() < this.#pausedUntil || this.#redis.status !== 'ready') return undefined;
    try {
      const reply = await command();
      this.#isAway = false;
      return reply;
    } catch (error) {
      this.#pausedUntil = now() + PAUSE_MS;
      if (!this.#isAway) onAway(error);
      this.#isAway = true;
      return undefined;
    }
  }
}
