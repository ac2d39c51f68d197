import { Redis } from 'ioredis';
import type { SharedAnswers } from './answer-cache.ts';

const PREFIX = 'fairlead:answer:';
const CONNECT_MS = 2_000;
const LONGEST_RECONNECT_MS = 2_000;
/** After a failure nobody waits for it for so long. */
const PAUSE_MS = 5_000;

export interface RedisAnswersOptions {
  url: string;
  /** Longer than this no call waits for it. */
  replyMs: number;
  /** Unix milliseconds. */
  now: () => number;
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
