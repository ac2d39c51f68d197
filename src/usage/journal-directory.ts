import { randomUUID } from 'node:crypto';
import { mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/*
 * The files of the journal, `OWNER-NNNNNN.log` and `OWNER.lock`, in one directory that several processes may share. An
 * owner is one start of one process. It holds its lock as long as it lives, and whoever can take a lock may take over
 * the owner's segments. The lock is SQLite's, on an empty database: the one lock that Node has which ends with its
 * process however that ends. A process id would not do: containers on one volume all have the same.
 */

const OWNER = /^([a-z0-9]+)(?:-\d{6}\.log|\.lock)$/;

/** A lock that is held until it is released or the process ends, or nothing refers to it any more. */
export class OwnerLock {
  readonly owner: string;
  readonly #path: string;
  readonly #database: DatabaseSync;

  private constructor(owner: string, path: string, database: DatabaseSync) {
    this.owner = owner;
    this.#path = path;
    this.#database = database;
  }

  /** `undefined` where somebody else holds it. */
  static take(directory: string, owner: string): OwnerLock | undefined {
    const path = join(directory, `${owner}.lock`);
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec('begin exclusive');
      return new OwnerLock(owner, path, database);
    } catch (error) {
      database.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  /** Gives it up, to be called when the owner has no segments any more. */
  release(): void {
    rmSync(this.#path, { force: true });
    this.#database.close();
  }

  /** Gives it up and leaves it to be found with the owner's segments. */
  abandon(): void {
    this.#database.close();
  }
}

/** SQLite's result code 5, SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 5;
}

/** Makes a new owner and takes its lock. */
export function becomeOwner(directory: string): OwnerLock {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (;;) {
    // Whoever starts at the same time may look whether this one is dead before it has its lock.
    const lock = OwnerLock.take(directory, randomUUID().replaceAll('-', ''));
    if (lock) return lock;
  }
}

/** Opens a new segment for appending. Nobody but the gateway's user may read it: it names tenants and models. */
export function openSegment(directory: string, owner: string, number: number): { path: string; fd: number } {
  const path = join(directory, `${owner}-${String(number).padStart(6, '0')}.log`);
  return { path, fd: openSync(path, 'ax', 0o600) };
}

/** All owners that left something here, those that live among them. */
export function listOwners(directory: string): string[] {
  const owners = new Set(listFiles(directory).map((file) => OWNER.exec(file)?.[1]));
  return [...owners].filter((owner) => owner !== undefined).toSorted();
}

/** The paths of an owner's segments, oldest first. */
export function listSegments(directory: string, owner: string): string[] {
  const own = listFiles(directory).filter((file) => file.startsWith(`${owner}-`) && file.endsWith('.log'));
  return own.toSorted().map((file) => join(directory, file));
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
