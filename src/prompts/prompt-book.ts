import { compilePrompt, type Prompt, type PromptSource } from './compile-prompt.ts';
import { PromptFileError } from './problem.ts';
import { nameOfFile, type PromptFiles } from './prompt-directory.ts';

/** A file that is no prompt as it stands. */
export interface BrokenPrompt {
  path: string;
  error: PromptFileError;
}

/** The prompts in service. It outlives configurations. */
export class PromptBook {
  #prompts: ReadonlyMap<string, Prompt> = new Map();
  /** By the hash of what each was made from. */
  readonly #sources = new Map<string, { key: string; prompt: Prompt }>();

  find(name: string): Prompt | undefined {
    return this.#prompts.get(name);
  }

  /** In the order of their names. */
  list(): Prompt[] {
    return [...this.#prompts.values()];
  }

  /**
   * Takes what the files say from now on. A file that is broken leaves the prompt in service that it had made before; one that is gone
   * takes its prompt with it.
   */
  async take(files: PromptFiles): Promise<BrokenPrompt[]> {
    const partials = new Map<string, string>();
    const prompts: { path: string; name: string; source: string }[] = [];
    for (const [path, source] of files) {
      const { name, isPartial } = nameOfFile(path);
      if (isPartial) partials.set(name, source);
      else prompts.push({ path, name, source });
    }
    const broken: BrokenPrompt[] = [];
    const next = new Map<string, Prompt>();
    for (const { path, name, source } of prompts) {
      try {
        next.set(name, await this.#compile({ name, source, partials: partialsFor(name, partials) }));
      } catch (error) {
        if (!(error instanceof PromptFileError)) throw error;
        broken.push({ path, error });
        const before = this.#prompts.get(name);
        if (before) next.set(name, before);
      }
    }
    for (const name of this.#sources.keys()) if (!next.has(name)) this.#sources.delete(name);
    this.#prompts = new Map([...next].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    return broken;
  }

  async #compile(source: PromptSource): Promise<Prompt> {
    const known = this.#sources.get(source.name);
    const key = JSON.stringify([source.source, source.partials]);
    if (known?.key === key) return known.prompt;
    const prompt = await compilePrompt(source);
    this.#sources.set(source.name, { key, prompt });
    return prompt;
  }
}

/** Partials by what a prompt calls them: by their whole names, and those of its own folder by the last part alone. */
function partialsFor(prompt: string, partials: ReadonlyMap<string, string>): Record<string, string> {
  const folder = prompt.slice(0, prompt.lastIndexOf('/') + 1);
  const own: Record<string, string> = Object.fromEntries(partials);
  for (const [name, source] of partials)
    if (folder !== '' && name.startsWith(folder)) own[name.slice(folder.length)] = source;
  return own;
}
