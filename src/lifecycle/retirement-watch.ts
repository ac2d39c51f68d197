import type { Config } from '../config/resolve.ts';
import { announce } from './announce.ts';
import { listMoves, listRetiring, type Move } from './list-retiring.ts';
import type { Notices } from './notices.ts';

/** How often it is looked what is on its way out: days are what matters. */
const LOOK_MS = 10 * 60_000;

export interface RetirementWatchOptions {
  /** The one in force. */
  config(): Config;
  notices: Pick<Notices, 'tellOnce'>;
  /** Drafts rollouts, as configured, that are not there yet. */
  draft(moves: readonly Move[]): Promise<void>;
  /** What could not be done is tried again with the next look. */
  onFailure(error: unknown): void;
  /** Unix milliseconds. */
  now(): number;
  schedule(task: () => void, delayMs: number): () => void;
}

/** Tells ahead of time what is on its way out of what the configuration leads to, and has it moved where that is configured. */
export class RetirementWatch {
  readonly #options: RetirementWatchOptions;
  /** What this process told: others' word is in the store. */
  readonly #told = new Set<string>();
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: RetirementWatchOptions) {
    this.#options = options;
  }

  /** Looks, and goes on looking. */
  start(): void {
    if (this.#isStopped) return;
    this.#looking = this.look().finally(() => {
      if (!this.#isStopped) this.#cancel = this.#options.schedule(() => this.start(), LOOK_MS);
    });
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#looking;
  }

  /** Rejects never. */
  async look(): Promise<void> {
    const { config, notices, draft, onFailure, now } = this.#options;
    const nowMs = now();
    const current = config();
    for (const retiring of listRetiring(current)) {
      const due = announce(retiring, nowMs);
      if (!due || this.#told.has(due.key)) continue;
      this.#told.add(due.key);
      notices.tellOnce(due.key, due.notice);
    }
    const { draftRollouts, ahead } = current.lifecycle;
    if (!draftRollouts) return;
    try {
      await draft(listMoves(current, nowMs + ahead));
    } catch (error) {
      onFailure(error);
    }
  }
}
