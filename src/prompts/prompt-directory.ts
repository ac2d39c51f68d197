import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that make prompts, by their paths within the directory, with slashes. */
export type PromptFiles = ReadonlyMap<string, string>;

const ENDING = '.prompt';
/** A larger file is no prompt. */
const MOST_BYTES = 1024 * 1024;

/** A directory of prompt files, of which only those are read that changed. */
export class PromptDirectory {
  readonly #path: string;
  #wasRead = false;
  #known = new Map<string, { stamp: string; source: string }>();

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * What is there now; `undefined` where nothing has changed since.
   *
   * @throws Error where it cannot be read
   */
  async read(): Promise<PromptFiles | undefined> {
    let isSame = true;
    const known = new Map<string, { stamp: string; source: string }>();
    for (const path of await this.#list('')) {
      const { mtimeMs, size, ino } = await stat(join(this.#path, path));
      if (size > MOST_BYTES) throw new Error(`'${path}' is larger than ${MOST_BYTES} bytes`);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      const before = this.#known.get(path);
      isSame &&= before?.stamp === stamp;
      const source = before?.stamp === stamp ? before.source : await readFile(join(this.#path, path), 'utf8');
      known.set(path, { stamp, source });
    }
    isSame &&= known.size === this.#known.size && this.#wasRead;
    this.#known = known;
    this.#wasRead = true;
    if (isSame) return undefined;
    return new Map([...known].map(([path, { source }]) => [path, source]));
  }

  async #list(folder: string): Promise<string[]> {
    const entries = await readdir(join(this.#path, folder), { withFileTypes: true });
    const lists = entries
      .filter(({ name }) => !name.startsWith('.'))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(async (entry) => {
        const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (entry.isDirectory()) return this.#list(path);
        return entry.name.endsWith(ENDING) ? [path] : [];
      });
    return (await Promise.all(lists)).flat();
  }
}

/** What a file is by its path: `support/triage.prompt` is the prompt `support/triage`, `support/_tone.prompt` the partial `support/tone`. */
export function nameOfFile(path: string): { name: string; isPartial: boolean } {
  const slash = path.lastIndexOf('/') + 1;
  const base = path.slice(slash, -ENDING.length);
  const isPartial = base.startsWith('_');
  return { name: path.slice(0, slash) + (isPartial ? base.slice(1) : base), isPartial };
}
