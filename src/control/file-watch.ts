import { type Stats, statSync, unwatchFile, watchFile } from 'node:fs';

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

  start(): void {
    if (this.#path === null) return;
    watchFile(this.#path, { interval: POLL_MS }, this.#changed);
  }

  stop(): void {
    clearTimeout(this.#settling);
    if (this.#path !== null) unwatchFile(this.#path, this.#changed);
  }

  readonly #changed = (seen: Stats): void => {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => this.#tellIfSettled(seen), POLL_MS);
  };

  /** Another write may have begun since the last look. */
  #tellIfSettled(seen: Stats): void {
    const now = this.#path === null ? undefined : statSync(this.#path, { throwIfNoEntry: false });
    const isSame = (now?.mtimeMs ?? 0) === seen.mtimeMs && (now?.size ?? 0) === seen.size;
    if (!isSame && now) this.#changed(now);
    else this.#onChange();
  }
}
