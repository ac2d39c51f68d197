import type { Completion } from '../conversation/completion.ts';
import type { Usage } from '../conversation/usage.ts';

/** An answer of a prompt that may be given again. */
export interface KeptAnswer {
  completion: Completion;
  /** Who gave it: `provider/model-version`. */
  target: string;
  /** What it used, as far as that is known. */
  usage: Usage | null;
  /** Unix milliseconds. */
  expiresAt: number;
}

/** What became of a call that others with the same input waited for. `left`: its client did not stay; `none`: its answer is not to be kept. */
export type Landing = KeptAnswer | 'left' | 'none';

/** Ends the wait for a call, with what it came to. */
export type Land = (landing: Landing) => void;

/** Where instances keep answers together. Nothing here ever rejects: what cannot be had is not there. */
export interface SharedAnswers {
  find(key: string): Promise<string | undefined>;
  keep(key: string, answer: string, ttlMs: number): void;
  /** Has other instances wait for an answer that this one asks for, until what it gives is called; `undefined` where another one asks already. */
  claim(key: string): Promise<(() => void) | undefined>;
  /** The answer that another instance asks for, when that has it; `undefined` where it has none to give, or takes too long, or nobody waits any more. */
  wait(key: string, isGone: () => boolean): Promise<string | undefined>;
  close(): void;
}

const MOST_ENTRIES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
const LARGEST_BYTES = 1024 * 1024;

/** Answers of prompts that want them kept, by all that they depend on: the newest in this process, and all in what instances share. */
export class AnswerCache {
  readonly #now: () => number;
  readonly #shared: SharedAnswers | undefined;
  /** As JSON, the one that was not asked for longest first. */
  readonly #kept = new Map<string, { answer: string; expiresAt: number }>();
  #bytes = 0;
  readonly #flights = new Map<string, Promise<Landing>>();

  /** `now`: Unix milliseconds. */
  constructor(now: () => number, shared?: SharedAnswers) {
    this.#now = now;
    this.#shared = shared;
  }

  async find(key: string): Promise<KeptAnswer | undefined> {
    const own = this.#kept.get(key);
    if (own && own.expiresAt > this.#now()) {
      this.#kept.delete(key);
      this.#kept.set(key, own);
      return JSON.parse(own.answer) as KeptAnswer;
    }
    if (own) this.#forget(key);
    return this.#take(key, await this.#shared?.find(key));
  }

  keep(key: string, kept: KeptAnswer): void {
    const answer = JSON.stringify(kept);
    if (Buffer.byteLength(answer) > LARGEST_BYTES) return;
    this.#remember(key, answer, kept.expiresAt);
    this.#shared?.keep(key, answer, kept.expiresAt - this.#now());
  }

  /** The call that is under way for the same answer; it never rejects. */
  join(key: string): Promise<Landing> | undefined {
    return this.#flights.get(key);
  }

  /**
   * Others with the same key may wait from now on, until the function given back is called, with what they wait for. Gives the answer itself
   * where another instance was asking for it.
   *
   * @param isGone whether nobody wants it any more
   */
  async begin(key: string, isGone: () => boolean): Promise<KeptAnswer | Land> {
    const { promise, resolve } = Promise.withResolvers<Landing>();
    this.#flights.set(key, promise);
    const land: Land = (landing) => {
      if (this.#flights.get(key) === promise) this.#flights.delete(key);
      resolve(landing);
    };
    if (!this.#shared) return land;
    const release = await this.#shared.claim(key);
    if (release)
      return (landing) => {
        land(landing);
        release();
      };
    const kept = this.#take(key, await this.#shared.wait(key, isGone));
    if (!kept) return land;
    land(kept);
    return kept;
  }

  close(): void {
    this.#shared?.close();
  }

  /** What another instance has kept. */
  #take(key: string, answer: string | undefined): KeptAnswer | undefined {
    if (answer === undefined) return undefined;
    const kept = JSON.parse(answer) as KeptAnswer;
    if (kept.expiresAt <= this.#now()) return undefined;
    this.#remember(key, answer, kept.expiresAt);
    return kept;
  }

  #remember(key: string, answer: string, expiresAt: number): void {
    this.#forget(key);
    this.#kept.set(key, { answer, expiresAt });
    this.#bytes += Buffer.byteLength(answer);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_ENTRIES && this.#bytes <= MOST_BYTES) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const known = this.#kept.get(key);
    if (!known) return;
    this.#kept.delete(key);
    this.#bytes -= Buffer.byteLength(known.answer);
  }
}
