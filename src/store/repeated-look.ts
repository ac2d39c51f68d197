export interface RepeatedLookOptions {
  look(): Promise<void>;
  everyMs: number;
  /** A look has failed, of which there will be another; told once, until one goes well again. */
  onFailure(error: unknown): void;
  schedule(task: () => void, delayMs: number): () => void;
}

/** Looks again and again at what others may change, one look after another. */
export class RepeatedLook {
  readonly #options: RepeatedLookOptions;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #hasFailed = false;
  #isStopped = false;

  constructor(options: RepeatedLookOptions) {
    this.#options = options;
  }

  /** The first look is when the time for it has come. */
  start(): void {
    if (this.#isStopped) return;
    const { schedule, everyMs } = this.#options;
    this.#cancel = schedule(() => {
      this.#looking = this.#look().finally(() => this.start());
    }, everyMs);
  }

  /** Resolves when no look is under way any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#looking;
  }

  async #look(): Promise<void> {
    try {
      await this.#options.look();
      this.#hasFailed = false;
    } catch (error) {
      if (!this.#hasFailed) this.#options.onFailure(error);
      this.#hasFailed = true;
    }
  }
}
