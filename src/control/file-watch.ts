import { statSync, unwatchFile, watchFile } from 'node:fs';
import type { FileState } from '../config/load.ts';

/** Half of what a change may take to be in effect; the other half is for reading it only when it is whole. */
const POLL_MS = 250;

/** Watches several files, which may become others. */
export class FileWatches {
  readonly #onChange: () => void;
  readonly #watches = new Map<string, FileWatch>();

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** Watches these files from now on, and no others. */
  follow(paths: readonly string[]): void {
    for (const [path, watch] of this.#watches) {
      if (paths.includes(path)) continue;
      watch.stop();
      this.#watches.delete(path);
    }
    for (const path of paths) {
      if (this.#watches.has(path)) continue;
      const watch = new FileWatch(path, this.#onChange);
      this.#watches.set(path, watch);
      watch.start();
    }
  }
}

/**
 * Watches one file by asking for its state: that works on every file system, with editors that write another file and
 * rename it, and with the symbolic links of Kubernetes, where notifications do not. A file that is being written is
 * left alone until it has been the same for a moment.
 */
export class FileWatch {
  readonly #path: string | null;
  readonly #onChange: () => void;
  #settling: NodeJS.Timeout | undefined;

  constructor(path: string | null, onChange: () => void) {
    this.#path = path;
    this.#onChange = onChange;
  }

  /** `seen`: what the file was when it was read; what became of it until the watch began is a change, too. */
  start(seen: FileState | null = null): void {
    if (this.#path === null) return;
    watchFile(this.#path, { interval: POLL_MS }, this.#changed);
    if (seen === null) return;
    // The watch begins with a look of its own, some time after this.
    this.#settling = setTimeout(() => {
      const now = this.#look();
      if (!isSame(now, seen)) this.#changed(now ?? GONE);
    }, POLL_MS);
  }

  stop(): void {
    clearTimeout(this.#settling);
    if (this.#path !== null) unwatchFile(this.#path, this.#changed);
  }

  readonly #changed = (seen: FileState): void => {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#tellIfSettled(seen), POLL_MS);
  };

  /** Another write may have begun since the last look. */
  #tellIfSettled(seen: FileState): void {
    const now = this.#look();
    if (now && !isSame(now, seen)) this.#changed(now);
    else this.#onChange();
  }

  #look(): FileState | undefined {
    return this.#path === null ? undefined : statSync(this.#path, { throwIfNoEntry: false });
  }
}

const GONE: FileState = { mtimeMs: 0, size: 0 };

function isSame(now: FileState = GONE, seen: FileState): boolean {
  return now.mtimeMs === seen.mtimeMs && now.size === seen.size;
}
