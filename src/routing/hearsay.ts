import { type CreditWord, namedForOf, type Word } from './health-word.ts';
import { cappedMs, type NamedFor } from './limit.ts';

/** What is said of lanes and of whether accounts can be reached. */
type HealthWord = Exclude<Word, CreditWord>;

/** What is known of a place by the word of others: monotonic milliseconds. */
export interface Heard {
  heardMs: number;
  opensUntil: number | undefined;
  coolsUntil: number | undefined;
  /** What that was named for. */
  namedFor: NamedFor;
}

/** How many places are remembered that nobody has called here yet. */
export const MOST_HEARD = 1_000;

/** What other instances say of places that this one does not know: until it does. */
export class Hearsay {
  readonly #places = new Map<string, Heard>();

  get size(): number {
    return this.#places.size;
  }

  keep(word: HealthWord, nowMs: number): void {
    const { scope, name, account, what, forMs } = word;
    const key = keyOf(scope, name, account);
    const known = this.#places.get(key);
    const heard: Heard = known ?? {
      ...{ heardMs: nowMs, opensUntil: undefined, coolsUntil: undefined },
      namedFor: 'limited',
    };
    if (what === 'cooling') {
      const untilMs = nowMs + cappedMs(forMs);
      if (untilMs > (heard.coolsUntil ?? 0)) {
        heard.coolsUntil = untilMs;
        heard.namedFor = namedForOf(word);
      }
    } else if (what === 'open') {
      // As a breaker that is open already.
      if (heard.opensUntil !== undefined) return;
      heard.heardMs = nowMs;
      heard.opensUntil = nowMs + forMs;
    } else {
      heard.opensUntil = undefined;
      if (heard.coolsUntil === undefined) {
        this.#places.delete(key);
        return;
      }
    }
    if (!known) this.#makeRoom();
    this.#places.set(key, heard);
  }

  /** And forgets it: from now on the place knows it. */
  take(scope: HealthWord['scope'], name: string, account: string): Heard | undefined {
    const key = keyOf(scope, name, account);
    const heard = this.#places.get(key);
    if (heard) this.#places.delete(key);
    return heard;
  }

  #makeRoom(): void {
    if (this.#places.size < MOST_HEARD) return;
    const [oldest] = this.#places.keys();
    if (oldest !== undefined) this.#places.delete(oldest);
  }
}

function keyOf(scope: HealthWord['scope'], name: string, account: string): string {
  return `${scope}\n${name}\n${account}`;
}
