import { PromptDirectory, type PromptFiles } from './prompt-directory.ts';
import type { BrokenPrompt } from './prompt-files.ts';
import type { PromptKeeper } from './prompt-keeper.ts';

/** How often the store and the files are looked at: a change is to reach all instances within a second. */
const LOOK_MS = 500;

export interface PromptWatchOptions {
  keeper: PromptKeeper;
  /** Where the files are by the configuration in force. */
  directory(): string;
  /** Told once of each fault of a file; its prompt stays as it was. */
  onBroken(broken: BrokenPrompt): void;
  /** Told once that the directory cannot be read, until it can again. */
  onUnreadable(directory: string, error: unknown): void;
  /** The store does not answer; told once, until it does again. */
  onFailure(error: unknown): void;
  schedule(task: () => void, delayMs: number): () => void;
}

/** Keeps the prompts as their files and the store are. */
export class PromptWatch {
  readonly #options: PromptWatchOptions;
  #directory: PromptDirectory | undefined;
  #path = '';
  /** What the files say and the store has not taken yet. */
  #files: PromptFiles | undefined;
  #told = new Set<string>();
  #isUnreadable = false;
  #isStoreAway = false;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: PromptWatchOptions) {
    this.#options = options;
  }

  /** Reads the prompts, and goes on looking. Rejects where the store does not have them. */
  async start(): Promise<void> {
    await this.#refresh();
    this.#again();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancel?.();
    await this.#looking;
  }

  #again(): void {
    if (this.#isStopped) return;
    this.#cancel = this.#options.schedule(() => {
      this.#looking = this.#look().finally(() => this.#again());
    }, LOOK_MS);
  }

  async #look(): Promise<void> {
    try {
      await this.#refresh();
      this.#isStoreAway = false;
    } catch (error) {
      // What is in service stays so, and what the files say is taken when the store is there again.
      if (!this.#isStoreAway) this.#options.onFailure(error);
      this.#isStoreAway = true;
    }
  }

  async #refresh(): Promise<void> {
    const { keeper } = this.#options;
    await this.#readFiles();
    if (this.#files) this.#tell(await keeper.takeFiles(this.#files));
    else await keeper.read();
    this.#files = undefined;
  }

  async #readFiles(): Promise<void> {
    const { directory, keeper, onUnreadable } = this.#options;
    const path = directory();
    if (path !== this.#path) {
      this.#directory = new PromptDirectory(path);
      keeper.forgetFiles();
    }
    this.#path = path;
    try {
      this.#files = (await this.#directory?.read()) ?? this.#files;
      this.#isUnreadable = false;
    } catch (error) {
      if (!this.#isUnreadable) onUnreadable(path, error);
      this.#isUnreadable = true;
    }
  }

  #tell(broken: readonly BrokenPrompt[]): void {
    const told = new Set<string>();
    for (const one of broken) {
      const key = `${one.path}: ${one.error.message}`;
      told.add(key);
      if (!this.#told.has(key)) this.#options.onBroken(one);
    }
    this.#told = told;
  }
}
