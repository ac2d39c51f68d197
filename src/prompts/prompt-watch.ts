import type { BrokenPrompt, PromptBook } from './prompt-book.ts';
import { PromptDirectory } from './prompt-directory.ts';

/** How often the files are looked at. */
const LOOK_MS = 500;

export interface PromptWatchOptions {
  book: PromptBook;
  /** Where the files are by the configuration in force. */
  directory(): string;
  /** Told once of each fault of a file; its prompt stays as it was. */
  onBroken(broken: BrokenPrompt): void;
  /** Told once that the directory cannot be read, until it can again. */
  onUnreadable(directory: string, error: unknown): void;
  schedule(task: () => void, delayMs: number): () => void;
}

/** Keeps the prompts as their files are. */
export class PromptWatch {
  readonly #options: PromptWatchOptions;
  #directory: PromptDirectory | undefined;
  #path = '';
  #told = new Set<string>();
  #isUnreadable = false;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #isStopped = false;

  constructor(options: PromptWatchOptions) {
    this.#options = options;
  }

  /** Reads the prompts, and goes on looking. */
  async start(): Promise<void> {
    await this.#look();
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
    const { book, directory, onUnreadable } = this.#options;
    const path = directory();
    if (path !== this.#path) this.#directory = new PromptDirectory(path);
    this.#path = path;
    try {
      const files = await this.#directory?.read();
      this.#isUnreadable = false;
      if (files) this.#tell(await book.take(files));
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
