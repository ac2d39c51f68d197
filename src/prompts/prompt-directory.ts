import { isUtf8 } from 'node:buffer';
import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PromptFileError } from './problem.ts';

/**
 * Files that make prompts, by their paths within the directory, with slashes: what they hold, or why that cannot be read. A folder that
 * cannot be read is there as well, its path with a slash at its end.
 */
export type PromptFiles = ReadonlyMap<string, string | PromptFileError>;

const ENDING = '.prompt';
/** A larger file is no prompt. */
const MOST_BYTES = 1024 * 1024;

interface KnownFile {
  /** Another one where the file is another. */
  stamp: string;
  source: string | PromptFileError;
}

/** How long a file has to be the same: half of one is no prompt. */
const SETTLED_MS = 250;

/** A directory of prompt files, of which only those are read that changed. Links are what they lead to. */
export class PromptDirectory {
  readonly #path: string;
  readonly #now: () => number;
  #wasRead = false;
  #known = new Map<string, KnownFile>();
  /** Files that may be written at the moment, by what they were at the last look. */
  #settling = new Map<string, string>();

  /** `now`: Unix milliseconds, as the file system has them. */
  constructor(path: string, now: () => number) {
    this.#path = path;
    this.#now = now;
  }

  /**
   * What is there now; `undefined` where nothing has changed since. After the first time a file is left as it was while it is being written,
   * and all others for one look with it: what is changed together is taken together. What a folder had that cannot be read is as it was.
   *
   * @throws Error where the directory cannot be read
   */
  async read(): Promise<PromptFiles | undefined> {
    let isSame = true;
    const known = new Map<string, KnownFile>();
    const settling = new Map<string, string>();
    const unreadable = new Map<string, unknown>();
    for (const path of await listReadable(this.#path, ENDING, unreadable)) {
      const before = this.#known.get(path);
      const file = await this.#readFile(path, before, settling);
      if (!file) continue;
      isSame &&= before?.stamp === file.stamp;
      known.set(path, file);
    }
    for (const [folder, error] of [...unreadable].toSorted(([one], [other]) => (one < other ? -1 : 1))) {
      const stamp = error instanceof Error ? error.message : String(error);
      isSame &&= this.#known.get(folder)?.stamp === stamp;
      const source = new PromptFileError(`the folder cannot be read: ${stamp}`, undefined, { cause: error });
      known.set(folder, { stamp, source });
      for (const [path, file] of this.#known) if (path.startsWith(folder)) known.set(path, file);
    }
    const isFirstLook = [...settling.keys()].some((path) => !this.#settling.has(path));
    this.#settling = settling;
    if (isFirstLook) return undefined;
    isSame &&= known.size === this.#known.size && this.#wasRead;
    this.#known = known;
    this.#wasRead = true;
    if (isSame) return undefined;
    return new Map([...known].map(([path, { source }]) => [path, source]));
  }

  /** `undefined` of one that has gone meanwhile, or has just come. */
  async #readFile(
    path: string,
    before: KnownFile | undefined,
    settling: Map<string, string>,
  ): Promise<KnownFile | undefined> {
    const file = join(this.#path, path);
    let stamp = '';
    try {
      const stats = await stat(file);
      stamp = stampOf(stats);
      if (before?.stamp === stamp) return before;
      if (this.#wasRead && !this.#isSettled(path, stamp, stats.mtimeMs)) {
        settling.set(path, stamp);
        return before;
      }
      if (!stats.isFile()) return { stamp, source: new PromptFileError('it is no file') };
      if (stats.size > MOST_BYTES)
        return { stamp, source: new PromptFileError(`a prompt file has at most ${MOST_BYTES} bytes`) };
      const bytes = await readFile(file);
      const after = stampOf(await stat(file));
      if (after === stamp || !this.#wasRead) return { stamp, source: textOf(bytes) };
      settling.set(path, after);
      return before;
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && !(await isThere(file))) return undefined;
      const reason = NO_TARGET.has(code) ? 'the link leads to no file' : `it cannot be read: ${message}`;
      return { stamp: `${stamp} ${code}`, source: new PromptFileError(reason, undefined, { cause: error }) };
    }
  }

  /** Clocks of file systems may be others: what has not changed since the last look is whole as well. */
  #isSettled(path: string, stamp: string, mtimeMs: number): boolean {
    return this.#now() - mtimeMs >= SETTLED_MS || this.#settling.get(path) === stamp;
  }
}

function stampOf({ mtimeMs, size, ino }: Stats): string {
  return `${mtimeMs} ${size} ${ino}`;
}

/**
 * Paths of the files in a directory whose names end so, in order, with slashes. Links are what they lead to; a folder that is linked within itself is listed once.
 *
 * @throws Error where a folder cannot be read
 */
export async function listFiles(directory: string, ending: string): Promise<string[]> {
  const listed: Listed = {
    ...{ directory, ending },
    onUnreadable: (_, error) => {
      throw error;
    },
  };
  return listFolder(listed, '', [await realpath(directory)]);
}

/**
 * The same of the folders that can be read.
 *
 * @param unreadable is given the others, with slashes at their ends, and why they are that
 * @throws Error where the directory itself cannot be read
 */
async function listReadable(
  directory: string,
  ending: string,
  unreadable: Map<string, unknown>,
): Promise<string[]> {
  const around = [await realpath(directory)];
  const listed: Listed = {
    ...{ directory, ending },
    onUnreadable: (folder, error) => {
      if (folder === '') throw error;
      // It has gone meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      unreadable.set(`${folder}/`, error);
    },
  };
  return listFolder(listed, '', around);
}

interface Listed {
  directory: string;
  ending: string;
  /** Told of a folder, or a link that may lead to one; it is left out. */
  onUnreadable(path: string, error: unknown): void;
}

/** `around`: the folders that this one is in, and itself, whatever links lead there. */
async function listFolder(listed: Listed, folder: string, around: readonly string[]): Promise<string[]> {
  const { directory, ending, onUnreadable } = listed;
  const entries = await orTold(readdir(join(directory, folder), { withFileTypes: true }), (error) =>
    onUnreadable(folder, error),
  );
  const lists = (entries ?? [])
    .filter(({ name }) => !name.startsWith('.'))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .map(async (entry) => {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      const inner = await orTold(findFolder(join(directory, path), entry), (error) => {
        // Why a file cannot be read is told of the file.
        if (!entry.name.endsWith(ending)) onUnreadable(path, error);
      });
      if (inner !== undefined)
        return around.includes(inner) ? [] : listFolder(listed, path, [...around, inner]);
      return entry.name.endsWith(ending) ? [path] : [];
    });
  return (await Promise.all(lists)).flat();
}

async function orTold<T>(found: Promise<T>, tell: (error: unknown) => void): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    tell(error);
    return undefined;
  }
}

/** Where a folder is, or what a link to one leads to; `undefined` of anything else. */
async function findFolder(path: string, entry: Dirent): Promise<string | undefined> {
  const isLink = entry.isSymbolicLink();
  if (!isLink && !entry.isDirectory()) return undefined;
  try {
    const target = await realpath(path);
    return !isLink || (await stat(target)).isDirectory() ? target : undefined;
  } catch (error) {
    // It is told of where it is a prompt.
    if (isLink && NO_TARGET.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** A link is there, wherever it leads. */
function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Of links that lead nowhere, or to themselves. */
const NO_TARGET: ReadonlySet<string> = new Set(['ENOENT', 'ELOOP']);

/** Prompts are UTF-8: what is not would be called by other words than it has. */
function textOf(bytes: Buffer): string | PromptFileError {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let line = 1;
  let begin = 0;
  for (let end = bytes.indexOf('\n'); end >= 0; end = bytes.indexOf('\n', begin)) {
    if (!isUtf8(bytes.subarray(begin, end))) break;
    begin = end + 1;
    line += 1;
  }
  return new PromptFileError('the file is no UTF-8', line);
}

/** What a file is by its path: `support/triage.prompt` is the prompt `support/triage`, `support/_tone.prompt` the partial `support/tone`. */
export function nameOfFile(path: string): { name: string; isPartial: boolean } {
  const slash = path.lastIndexOf('/') + 1;
  const base = path.slice(slash, -ENDING.length);
  const isPartial = base.startsWith('_');
  return { name: path.slice(0, slash) + (isPartial ? base.slice(1) : base), isPartial };
}

/** Where a partial is by its whole name. */
export function fileOfPartial(name: string): string {
  const slash = name.lastIndexOf('/') + 1;
  return `${name.slice(0, slash)}_${name.slice(slash)}${ENDING}`;
}

/** Where a prompt is by its name. */
export function fileOfPrompt(name: string): string {
  return name + ENDING;
}
