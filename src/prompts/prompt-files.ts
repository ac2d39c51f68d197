import type { Prompt, PromptSource } from './compile-prompt.ts';
import { PromptFileError } from './problem.ts';
import { nameOfFile, type PromptFiles } from './prompt-directory.ts';

/** A file that is no prompt as it stands. */
export interface BrokenPrompt {
  /** Of a folder that cannot be read it ends with a slash. */
  path: string;
  error: PromptFileError;
}

/** What the files of a directory say. */
export interface ReadPrompts {
  prompts: Prompt[];
  broken: BrokenPrompt[];
  /** Whether a prompt has a file, a broken one too, or may have one where it cannot be seen. */
  mayHaveFile(name: string): boolean;
}

/**
 * What would be taken for something else in a reference, a path or a permission: generators of clients decode paths twice, Windows has other
 * slashes, headers hold no control characters, and who permits `a*` means more than that one.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are looked for
const NOT_IN_NAMES = /[@%*\\\u0000-\u001f\u007f-\u009f]/;

/** Makes prompts of files. What has not changed since is not made again. */
export class PromptCompiler {
  readonly #compile: (source: PromptSource) => Promise<Prompt>;
  #made = new Map<string, { partialNames: string; prompt: Prompt }>();

  constructor(compile: (source: PromptSource) => Promise<Prompt>) {
    this.#compile = compile;
  }

  /** The prompt that a file's content makes, where it was made. */
  find(name: string, hash: string): Prompt | undefined {
    const prompt = this.#made.get(name)?.prompt;
    return prompt?.hash === hash ? prompt : undefined;
  }

  async read(files: PromptFiles): Promise<ReadPrompts> {
    const partials: Record<string, string> = {};
    const sources: { path: string; name: string; source: string | PromptFileError }[] = [];
    const broken: BrokenPrompt[] = [];
    const unseen: string[] = [];
    for (const [path, source] of files) {
      if (path.endsWith('/') && typeof source !== 'string') {
        broken.push({ path, error: source });
        unseen.push(path);
        continue;
      }
      const { name, isPartial } = nameOfFile(path);
      if (!isPartial) sources.push({ path, name, source });
      else if (typeof source === 'string') partials[name] = source;
      else broken.push({ path, error: source });
    }
    const partialNames = JSON.stringify(Object.keys(partials).toSorted());
    const prompts: Prompt[] = [];
    for (const { path, name, source } of sources) {
      try {
        if (typeof source !== 'string') throw source;
        checkName(name);
        const prompt = await this.#make({ name, source, partials }, partialNames);
        if (prompt.useless) throw prompt.useless;
        prompts.push(prompt);
      } catch (error) {
        if (!(error instanceof PromptFileError)) throw error;
        broken.push({ path, error });
      }
    }
    const names = new Set(sources.map(({ name }) => name));
    for (const name of this.#made.keys()) if (!names.has(name)) this.#made.delete(name);
    const mayHaveFile = (name: string) => names.has(name) || unseen.some((folder) => name.startsWith(folder));
    return { prompts, broken, mayHaveFile };
  }

  /** @param partialNames all of them: which one is meant depends on what there is */
  async #make(source: PromptSource, partialNames: string): Promise<Prompt> {
    const known = this.#made.get(source.name);
    const isSame =
      known?.prompt.sources.source === source.source &&
      known.partialNames === partialNames &&
      Object.entries(known.prompt.sources.partials).every(([name, text]) => source.partials[name] === text);
    if (isSame) return known.prompt;
    const prompt = await this.#compile(source);
    this.#made.set(source.name, { partialNames, prompt });
    return prompt;
  }
}

function checkName(name: string): void {
  const [found] = NOT_IN_NAMES.exec(name) ?? [];
  if (found === undefined) return;
  const what = /[@%*\\]/.test(found) ? `'${found}'` : 'control character';
  throw new PromptFileError(`the name of a prompt may hold no ${what}`);
}
