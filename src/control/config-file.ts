import { hash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { BLANK_FILE } from '../config/document.ts';
import type { LoadedConfig } from '../config/load.ts';
import { ConfigError } from '../config/problem.ts';
import type { JsonObject } from '../conversation/json.ts';
import type { Change } from './change.ts';
import { type Entry, entryId, INSTANCE_SECTIONS, type OwnedEntry, splitDocument } from './entry.ts';
import type { NewRevision } from './revision-store.ts';
import type { Vault } from './veil.ts';

/** What a file declares, and by what it is known again. */
export interface SplitFile {
  entries: readonly Entry[];
  hash: string;
}

export type UnnumberedRevision = Omit<NewRevision, 'number' | 'createdAt'>;

export function splitFile({ written }: LoadedConfig, vault: Vault): SplitFile {
  const entries = splitDocument(vault.veil(written));
  // What is encrypted is another text under another secret: a file is the same file all the same.
  const marked = vault.seals ? splitDocument(vault.fingerprint(written)) : entries;
  return { entries, hash: hash('sha256', JSON.stringify([marked, vault.seals]), 'hex') };
}

export function fileRevision(
  file: SplitFile,
  { config }: LoadedConfig,
  changes: readonly Change[],
): UnnumberedRevision {
  return { author: config.file ?? 'no file', source: 'file', documentHash: file.hash, changes };
}

/** The store tells entries by their age; those of a file were made at once, and have their order in the file. */
export function inFileOrder(entries: readonly OwnedEntry[], file: SplitFile['entries']): OwnedEntry[] {
  const ofFile = new Map<string, OwnedEntry | undefined>(file.map((entry) => [entryId(entry), undefined]));
  // Most entries may be the API's: they need no look at the file.
  const others = entries.filter((entry) => {
    if (entry.owner !== 'file') return true;
    const id = entryId(entry);
    if (!ofFile.has(id)) return true;
    ofFile.set(id, entry);
    return false;
  });
  return [...[...ofFile.values()].filter((entry) => entry !== undefined), ...others];
}

/** Nobody meant to declare anything, or to take anything away: that would be `{}`. */
export function saysNothing({ config, isBlank }: LoadedConfig): boolean {
  return config.file === null || isBlank;
}

/** A file that is being written is empty for a moment: nobody shall lose everything by that. */
export function blankFile({ config }: LoadedConfig): ConfigError {
  return new ConfigError([{ file: config.file ?? 'config file', path: '', message: BLANK_FILE }]);
}

/** What of a document belongs to the instance, which reads it at its start. */
export function pickInstance(document: JsonObject): JsonObject {
  return Object.fromEntries(INSTANCE_SECTIONS.map((section) => [section, document[section]]));
}

export function changedInstance(before: JsonObject, after: JsonObject): string[] {
  return INSTANCE_SECTIONS.filter((section) => !isDeepStrictEqual(after[section], before[section]));
}
