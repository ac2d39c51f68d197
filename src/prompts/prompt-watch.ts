import { RepeatedLook } from '../store/repeated-look.ts';
import { PromptDirectory, type PromptFiles } from './prompt-directory.ts';
import type { BrokenPrompt } from './prompt-files.ts';
import type { PromptKeeper } from './prompt-keeper.ts';

/** How often the store and the files are looked at: a change is to reach all instances within a second. */
const LOOK_MS = 500;

export interface PromptWatchOptions {
  keeper: PromptKeeper;
  /** Where the files are by the configuration in force. */
  directory(): string;
  /** Whether these are the prompts that come with the project: they do not change while it runs. */
  hasExamples(): boolean;
  /** Told once of each fault of a file; its prompt stays as it was. */
  onBroken(broken: BrokenPrompt): void;
  /** Told once that the directory cannot be read, until it can again. */
  onUnreadable(directory: string, error: unknown): void;
  /** The store does not answer; told once, until it does again. */
  onFailure(error: unknown): void;
  schedule(task: () => void, delayMs: number): () => void;
  /** Unix milliseconds. */
  now(): number;
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
  readonly #watch: RepeatedLook;

  constructor(options: PromptWatchOptions) {
    const { schedule, onFailure } = options;
    this.#options = options;
    // While the store is away what is in service stays so; what the files say is taken when it is there again.
    this.#watch = new RepeatedLook({ look: () => this.#refresh(), everyMs: LOOK_MS, onFailure, schedule });
  }

  /** Reads the prompts, and goes on looking. Rejects where the store does not have them. */
  async start(): Promise<void> {
    await this.#refresh();
    this.#watch.start();
  }

  stop(): Promise<void> {
    return this.#watch.stop();
  }

  async #refresh(): Promise<void> {
    const { keeper } = this.#options;
    await this.#readFiles();
    if (this.#files) this.#tell(await keeper.takeFiles(this.#files));
    else await keeper.read();
    this.#files = undefined;
  }

  async #readFiles(): Promise<void> {
    const { directory, hasExamples, keeper, onUnreadable, now } = this.#options;
    const path = directory();
    if (path === this.#path && hasExamples() && !this.#isUnreadable) return;
    if (path !== this.#path) {
      this.#directory = new PromptDirectory(path, now);
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
