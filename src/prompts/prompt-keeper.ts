import type { Prompt } from './compile-prompt.ts';
import {
  type FileContent,
  type PromptChange,
  PromptRefusal,
  promote,
  publish,
  retire,
  takeFile,
  unlabel,
} from './deeds.ts';
import type { BrokenVersion, PromptBook } from './prompt-book.ts';
import type { PromptFiles } from './prompt-directory.ts';
import type { BrokenPrompt, PromptCompiler, ReadPrompts } from './prompt-files.ts';
import type { PromptStore } from './prompt-store.ts';
import {
  EXAMPLES,
  FILE,
  findVersion,
  PRODUCTION,
  type PromptLabel,
  type PromptRecord,
  type PromptVersion,
  readReference,
  stateOf,
} from './versions.ts';

/** What somebody wants done with a prompt. */
export type PromptWish =
  | { action: 'publish'; version?: string | undefined; label?: string | undefined }
  | { action: 'promote'; version: string; label?: string | undefined }
  | { action: 'unlabel'; label: string }
  | {
      action: 'retire';
      version?: string | undefined;
      /** Unix milliseconds; at once where absent. */
      at?: number | undefined;
      successor?: string | undefined;
    };

/** What a prompt's file says in vain. */
export interface Slips extends Pick<Prompt, 'name' | 'unknownFields' | 'unknownInputs'> {
  /** What there is in the place of a model to call. */
  missingModel: string | undefined;
}

/** What is in service and is not what the files say. */
export interface Strays {
  gone: PromptVersion[];
  elsewhere: { production: PromptVersion; inFile: PromptVersion }[];
}

export interface PromptKeeperOptions {
  store: PromptStore;
  book: PromptBook;
  compiler: PromptCompiler;
  /** Whether what a file says anew is published at once, by the configuration in force. */
  publishesFiles(): boolean;
  /** Whether the files are the prompts that come with the project. */
  hasExamples(): boolean;
  /** What a prompt has in the place of a model that its calls lead to; `undefined` where it has one. */
  findMissingModel(prompt: Pick<Prompt, 'model' | 'overrides'>): string | undefined;
  /** A file that says something new says what nothing here reads, or names inputs or a model that there are not. */
  onSlips(slips: Slips): void;
  /** Told by the one instance that changed something. */
  onChange(change: PromptChange, by: string): void;
  /** A stored version that this gateway cannot use. */
  onBrokenVersion(broken: BrokenVersion): void;
  /** Prompts in service have no file, or their files say other versions; told once of each. */
  onStrays(strays: Strays): void;
  /** Versions whose day to be retired has come, or came while no instance ran; each instance tells of them. */
  onRetired(versions: readonly PromptVersion[]): void;
  /** Unix milliseconds. */
  now(): number;
}

/** What ended longer ago is told by nobody who starts. */
const LATELY_MS = 24 * 60 * 60_000;

/** Keeps the prompts in service as the store has them, and the store as files and people want them. */
export class PromptKeeper {
  readonly #options: PromptKeeperOptions;
  #change = 0;
  #reading: Promise<void> = Promise.resolve();
  /** By name, what its file said when it was last taken, by hash. */
  readonly #seen = new Map<string, string>();
  readonly #told = new Set<string>();
  /** Versions that end on a day, the next one first. */
  #ending: PromptVersion[] = [];
  /** Up to when those that have ended were told of. */
  #toldUntil: number;

  constructor(options: PromptKeeperOptions) {
    this.#options = options;
    this.#toldUntil = options.now() - LATELY_MS;
  }

  /** Takes what is new in the store. */
  read(): Promise<void> {
    const reading = this.#reading.catch(() => undefined).then(() => this.#read());
    this.#reading = reading;
    return reading;
  }

  /** The files are those of another directory from now on: what they say is met as it is. */
  forgetFiles(): void {
    this.#seen.clear();
  }

  /** Takes what the files say. One that is broken, or gone, leaves in service what there is. */
  async takeFiles(files: PromptFiles): Promise<BrokenPrompt[]> {
    const { compiler, book, store, hasExamples, publishesFiles, now } = this.#options;
    const { prompts, broken, mayHaveFile } = await compiler.read(files);
    // What the store has is made of the same files as a rule: they are compiled once.
    await this.read();
    const contents = new Map<string, FileContent>();
    for (const prompt of prompts) {
      const { name, hash, sources } = prompt;
      const seen = this.#seen.get(name);
      const isBack = seen !== undefined && seen !== hash;
      const isKnown = book.record(name)?.versions.some((version) => version.hash === hash) === true;
      if (isBack || !isKnown) contents.set(name, { name, hash, sources, isBack });
      if (!isKnown) this.#tellSlips(prompt);
    }
    if (contents.size > 0) {
      const by = hasExamples() ? EXAMPLES : FILE;
      const isPublished = hasExamples() || publishesFiles();
      const deed = { by, nowMs: now() };
      const written = await store.change([...contents.keys()], (name, record) => {
        const content = contents.get(name);
        return content ? takeFile(record, content, isPublished, deed) : { versions: [], labels: [] };
      });
      await this.read();
      this.#options.onChange(written, by);
    }
    for (const { name, hash } of prompts) this.#seen.set(name, hash);
    this.#tellStrays(mayHaveFile);
    return broken;
  }

  /**
   * Does what somebody wants done by hand. Gives what the prompt is then.
   *
   * @throws PromptRefusal
   */
  async command(name: string, wish: PromptWish, by: string): Promise<PromptRecord | undefined> {
    const { store, book, now, onChange } = this.#options;
    const deed = { by, nowMs: now() };
    if (wish.action === 'retire' && wish.successor !== undefined)
      this.#checkSuccessor(name, wish.version, wish.successor);
    const written = await store.change([name], (_, record) => {
      if (!record) throw new PromptRefusal('version_not_found', `there is no prompt '${name}'`);
      if (wish.action === 'publish') return publish(record, wish, deed);
      if (wish.action === 'promote') return promote(record, wish, deed);
      if (wish.action === 'unlabel') return unlabel(record, wish, deed);
      return retire(record, wish, deed);
    });
    await this.read();
    onChange(written, by);
    return book.record(name);
  }

  /**
   * Has a label point where something else than a hand leads it. `lead`: where, by what it points at in the store; no number leaves it. What
   * points there already is left alone, whatever its version has come to: it is asked again at each start.
   *
   * @throws PromptRefusal
   */
  async lead(
    name: string,
    label: string,
    lead: (pointer: PromptLabel) => number | string,
    by: string,
  ): Promise<void> {
    const { store, book, now, onChange } = this.#options;
    const deed = { by, nowMs: now() };
    const leadsTo = (record: PromptRecord | undefined): number | undefined => {
      const pointer = record?.labels.get(label);
      const number = pointer && lead(pointer);
      return typeof number === 'number' && number !== pointer?.number ? number : undefined;
    };
    await this.read();
    if (leadsTo(book.record(name)) === undefined) return;
    const written = await store.change([name], (_, record) => {
      const number = leadsTo(record);
      if (!record || number === undefined) return { versions: [], labels: [] };
      return promote(record, { version: String(number), label }, deed);
    });
    await this.read();
    onChange(written, by);
  }

  async #read(): Promise<void> {
    const { store, book, onBrokenVersion } = this.#options;
    const news = await store.readAfter(this.#change);
    if (news) {
      for (const broken of await book.take(news)) onBrokenVersion(broken);
      this.#change = news.change;
      this.#ending = book
        .records()
        .flatMap(({ versions }) => versions.filter(({ state }) => state === 'deprecated'))
        .toSorted((one, other) => endOf(one) - endOf(other));
    }
    this.#tellEnded();
  }

  #tellEnded(): void {
    const { now, onRetired } = this.#options;
    const nowMs = now();
    const first = this.#ending[0];
    if (!first || endOf(first) > nowMs) return;
    const ended = this.#ending.filter((version) => endOf(version) <= nowMs);
    this.#ending = this.#ending.slice(ended.length);
    const news = ended.filter((version) => endOf(version) > this.#toldUntil);
    this.#toldUntil = nowMs;
    if (news.length > 0) onRetired(news);
  }

  #checkSuccessor(name: string, version: string | undefined, successor: string): void {
    const { name: other, version: text = PRODUCTION } = readReference(successor);
    const record = this.#options.book.record(other);
    const found = record && findVersion(record, text);
    if (!found || stateOf(found, this.#options.now()) === 'retired')
      throw new PromptRefusal('not_possible', `there is no prompt '${successor}' in service to follow`);
    if (other === name && version === undefined)
      throw new PromptRefusal('not_possible', 'a prompt that ends as a whole cannot follow itself');
  }

  #tellSlips(prompt: Prompt): void {
    const { findMissingModel, onSlips } = this.#options;
    const { name, unknownFields, unknownInputs } = prompt;
    const missingModel = findMissingModel(prompt);
    if (unknownFields.length + unknownInputs.length > 0 || missingModel !== undefined)
      onSlips({ name, unknownFields, unknownInputs, missingModel });
  }

  /** A deploy takes nothing away, and nobody is to believe that it did. */
  #tellStrays(mayHaveFile: ReadPrompts['mayHaveFile']): void {
    const { book, publishesFiles, onStrays } = this.#options;
    const strays: Strays = { gone: [], elsewhere: [] };
    for (const { version: production, record } of book.list()) {
      const { name, number } = production;
      const seen = this.#seen.get(name);
      const inFile = record.versions.find(({ hash }) => hash === seen);
      const isElsewhere = publishesFiles() && inFile && inFile.number !== number;
      if (!mayHaveFile(name) && this.#isNews(`gone ${name} ${number}`)) strays.gone.push(production);
      else if (isElsewhere && this.#isNews(`${name} ${inFile.number} ${number}`))
        strays.elsewhere.push({ production, inFile });
    }
    if (strays.gone.length + strays.elsewhere.length > 0) onStrays(strays);
  }

  #isNews(what: string): boolean {
    const isNews = !this.#told.has(what);
    this.#told.add(what);
    return isNews;
  }
}

function endOf({ retiresAt }: PromptVersion): number {
  return retiresAt ?? Number.POSITIVE_INFINITY;
}
