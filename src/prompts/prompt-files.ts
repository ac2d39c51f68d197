import type { compilePrompt, Prompt, PromptSource } from './compile-prompt.ts';
import { PromptFileError } from './problem.ts';
import { nameOfFile, type PromptFiles } from './prompt-directory.ts';

/** A file that is no prompt as it stands. */
export interface BrokenPrompt {
  path: string;
  error: PromptFileError;
}

/** What the files of a directory say. */
export interface ReadPrompts {
  prompts: Prompt[];
  broken: BrokenPrompt[];
  /** Names that have a file, broken ones too. */
  names: ReadonlySet<string>;
}

/** Makes prompts of files. What has not changed since is not made again. */
export class PromptCompiler {
  readonly #compile: typeof compilePrompt;
  #made = new Map<string, { key: string; prompt: Prompt }>();

  constructor(compile: typeof compilePrompt) {
    this.#compile = compile;
  }

  /** The prompt that a file's content makes, where it was made. */
  find(name: string, hash: string): Prompt | undefined {
    const prompt = this.#made.get(name)?.prompt;
    return prompt?.hash === hash ? prompt : undefined;
  }

  async read(files: PromptFiles): Promise<ReadPrompts> {
    const partials = new Map<string, string>();
    const sources: { path: string; name: string; source: string | PromptFileError }[] = [];
    const broken: BrokenPrompt[] = [];
    for (const [path, source] of files) {
      const { name, isPartial } = nameOfFile(path);
      if (!isPartial) sources.push({ path, name, source });
      else if (typeof source === 'string') partials.set(name, source);
      else broken.push({ path, error: source });
    }
    const prompts: Prompt[] = [];
    for (const { path, name, source } of sources) {
      try {
        if (typeof source !== 'string') throw source;
        if (name.includes('@')) throw new PromptFileError("the name of a prompt may hold no '@'");
        prompts.push(await this.#make({ name, source, partials: partialsFor(name, partials) }));
      } catch (error) {
        if (!(error instanceof PromptFileError)) throw error;
        broken.push({ path, error });
      }
    }
    const names = new Set(sources.map(({ name }) => name));
    for (const name of this.#made.keys()) if (!names.has(name)) this.#made.delete(name);
    return { prompts, broken, names };
  }

  async #make(source: PromptSource): Promise<Prompt> {
    const known = this.#made.get(source.name);
    const key = JSON.stringify([source.source, source.partials]);
    if (known?.key === key) return known.prompt;
    const prompt = await this.#compile(source);
    this.#made.set(source.name, { key, prompt });
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
