import type { Prompt, PromptSource } from './compile-prompt.ts';
import type { PromptChange } from './deeds.ts';
import { PromptFileError } from './problem.ts';
import { mergeNews } from './prompt-store.ts';
import {
  EXAMPLES,
  findVersion,
  PRODUCTION,
  type PromptRecord,
  type PromptState,
  type PromptVersion,
  readReference,
  stateOf,
  successorOf,
} from './versions.ts';

/** A version of a prompt, ready to be called. Immutable: a call keeps the one that it began with. */
export interface PublishedPrompt extends Prompt {
  version: PromptVersion;
  record: PromptRecord;
  /** While it is deprecated: what to call in its place is in `successor`. */
  successor: string | undefined;
}

/** What a reference leads to. */
export type Found =
  | { state: Exclude<PromptState, 'retired'>; prompt: PublishedPrompt }
  | { state: 'retired'; version: PromptVersion; successor: string | undefined };

/** A version that this gateway cannot make a prompt of: an earlier one took what this one does not. */
export interface BrokenVersion {
  version: PromptVersion;
  error: PromptFileError;
}

interface Entry {
  record: PromptRecord;
  /** By number: those that a label points at, and those that were called. */
  ready: Map<number, PublishedPrompt>;
  /** By label, what it pointed at before it was moved to a version that this gateway cannot make a prompt of. */
  standIns: Map<string, PublishedPrompt>;
}

export interface PromptBookOptions {
  compile: (source: PromptSource) => Promise<Prompt>;
  /** What was made of the same sources already. */
  madeBefore(name: string, hash: string): Prompt | undefined;
  /** Whether the prompts that come with the project are in service. */
  hasExamples(): boolean;
  /** Unix milliseconds. */
  now(): number;
}

/** The prompts in service: what the store has, ready to be called. It outlives configurations. */
export class PromptBook {
  readonly #options: PromptBookOptions;
  readonly #records = new Map<string, PromptRecord>();
  #entries: ReadonlyMap<string, Entry> = new Map();

  constructor(options: PromptBookOptions) {
    this.#options = options;
  }

  /** What a name alone means, where that is in service. */
  find(name: string): PublishedPrompt | undefined {
    const entry = this.#entry(name);
    return entry && this.#production(entry);
  }

  /** What each name alone means, in the order of the names. */
  list(): PublishedPrompt[] {
    const found = [...this.#entries.values()].map((entry) =>
      this.#isThere(entry) ? this.#production(entry) : undefined,
    );
    return found.filter((prompt) => prompt !== undefined);
  }

  /** All that is known of a prompt, or of all in the order of their names. */
  record(name: string): PromptRecord | undefined {
    return this.#entry(name)?.record;
  }

  records(): PromptRecord[] {
    return [...this.#entries.values()].filter((entry) => this.#isThere(entry)).map(({ record }) => record);
  }

  /**
   * What `NAME`, `NAME@3`, `NAME@staging` or `NAME@1f0c…` leads to; `undefined` where there is no such version.
   *
   * @throws PromptFileError where this gateway cannot make a prompt of it
   */
  async open(reference: string): Promise<Found | undefined> {
    const { name, version: text = PRODUCTION } = readReference(reference);
    const entry = this.#entry(name);
    const version = entry && findVersion(entry.record, text);
    if (!entry || !version) return undefined;
    const standIn = entry.standIns.get(text);
    const nowMs = this.#options.now();
    const state = stateOf(standIn?.version ?? version, nowMs);
    if (state === 'retired') return { state, version, successor: successorOf(entry.record, version, nowMs) };
    const prompt = standIn ?? entry.ready.get(version.number) ?? (await this.#make(entry, version));
    return { state, prompt };
  }

  /** Takes what is new in the store. Prompts change when what their labels point at is ready. */
  async take(news: PromptChange): Promise<BrokenVersion[]> {
    const names = mergeNews(this.#records, news);
    const broken: BrokenVersion[] = [];
    const next = new Map(this.#entries);
    for (const name of names) {
      const record = this.#records.get(name);
      if (!record) continue;
      const entry: Entry = { record, ready: new Map(), standIns: new Map() };
      for (const label of record.labels.keys()) {
        const version = findVersion(record, label);
        if (!version || stateOf(version, this.#options.now()) === 'retired') continue;
        try {
          if (!entry.ready.has(version.number)) await this.#make(entry, version);
        } catch (error) {
          if (!(error instanceof PromptFileError)) throw error;
          broken.push({ version, error });
          const before = this.#labelled(name, label);
          if (before) entry.standIns.set(label, before);
        }
      }
      next.set(name, entry);
    }
    this.#entries =
      next.size === this.#entries.size ? next : new Map([...next].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    return broken;
  }

  async #make(entry: Entry, version: PromptVersion): Promise<PublishedPrompt> {
    const { record, ready } = entry;
    const { compile, madeBefore, now } = this.#options;
    const { name, number, hash, sources } = version;
    const before = this.#entries.get(name)?.ready.get(number);
    const made = before ?? madeBefore(name, hash) ?? (await compile({ name, ...sources }));
    const prompt = { ...made, version, record, successor: successorOf(record, version, now()) };
    ready.set(number, prompt);
    return prompt;
  }

  /** What a label leads to until now. */
  #labelled(name: string, label: string): PublishedPrompt | undefined {
    const entry = this.#entries.get(name);
    return entry?.standIns.get(label) ?? entry?.ready.get(entry.record.labels.get(label)?.number ?? 0);
  }

  #production({ record, ready, standIns }: Entry): PublishedPrompt | undefined {
    const prompt = standIns.get(PRODUCTION) ?? ready.get(record.labels.get(PRODUCTION)?.number ?? 0);
    return prompt && stateOf(prompt.version, this.#options.now()) !== 'retired' ? prompt : undefined;
  }

  #entry(name: string): Entry | undefined {
    const entry = this.#entries.get(name);
    return entry && this.#isThere(entry) ? entry : undefined;
  }

  #isThere({ record }: Entry): boolean {
    return this.#options.hasExamples() || record.versions.some(({ author }) => author !== EXAMPLES);
  }
}
