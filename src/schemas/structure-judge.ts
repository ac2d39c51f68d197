import { extname } from 'node:path';
import { LimitedThread } from '../threads/limited-thread.ts';
import type { Structure } from './check-structure.ts';

/** Most are judged in less than a millisecond, on a busy machine in some. */
const LIMIT_MS = 1_000;
/** Whoever waited longer than this for others is not judged: usage records wait for it. */
const LONGEST_WAIT_MS = 2_000;
/** For so long nothing of a tenant is judged that had a schema that took too long: it has cost others their turns. */
const PAUSE_MS = 60_000;

const RESOURCES = { maxOldGenerationSizeMb: 128 };

export interface StructureJudgeOptions {
  monotonicMs: () => number;
  limitMs?: number;
}

/**
 * Says whether texts are what schemas of tenants want, on a thread of its own: a hostile schema costs a second of that once a minute, and
 * no call anything.
 */
export class StructureJudge {
  readonly #monotonicMs: () => number;
  readonly #thread: LimitedThread<readonly Structure[], (boolean | null)[]>;
  /** By tenant: until when nothing of it is judged. */
  readonly #paused = new Map<string, number>();
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ monotonicMs, limitMs = LIMIT_MS }: StructureJudgeOptions) {
    this.#monotonicMs = monotonicMs;
    // The sources end in .ts, what is built from them in .js.
    const script = new URL(`./check-worker${extname(import.meta.url)}`, import.meta.url);
    this.#thread = new LimitedThread({ script, limitMs, resourceLimits: RESOURCES });
  }

  /** Whether all of them fit. `undefined`: that cannot be told of one, and all others do. Never rejects. */
  fit(tenant: string, structures: readonly Structure[]): Promise<boolean | undefined> {
    if (structures.length === 0) return Promise.resolve(undefined);
    const askedMs = this.#monotonicMs();
    const judged = this.#turn.then(() => this.#judge(tenant, structures, askedMs));
    this.#turn = judged;
    return judged;
  }

  stop(): Promise<void> {
    return this.#thread.stop();
  }

  async #judge(
    tenant: string,
    structures: readonly Structure[],
    askedMs: number,
  ): Promise<boolean | undefined> {
    const nowMs = this.#monotonicMs();
    if (nowMs - askedMs > LONGEST_WAIT_MS || this.#isPaused(tenant, nowMs)) return undefined;
    let verdicts: (boolean | null)[] | undefined;
    try {
      verdicts = (await this.#thread.run(structures))?.result;
    } catch {
      // The thread ran out of memory: as bad as one that takes for ever.
    }
    if (!verdicts) {
      this.#paused.set(tenant, this.#monotonicMs() + PAUSE_MS);
      return undefined;
    }
    if (verdicts.includes(false)) return false;
    return verdicts.includes(null) ? undefined : true;
  }

  #isPaused(tenant: string, nowMs: number): boolean {
    const until = this.#paused.get(tenant);
    if (until === undefined) return false;
    if (until > nowMs) return true;
    this.#paused.delete(tenant);
    return false;
  }
}
