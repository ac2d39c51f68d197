import { isSameInOrder, type JsonValue } from '../conversation/json.ts';
import {
  type Entry,
  type EntryKind,
  entryId,
  isTenantList,
  type OwnedEntry,
  type Owner,
  splitListName,
} from './entry.ts';

/** What became of one entry. One of the two values is there at least. */
export interface Change {
  owner: Owner;
  kind: EntryKind;
  name: string;
  before: JsonValue | undefined;
  after: JsonValue | undefined;
}

/** Whether anything is another than before. */
export function isChange({ before, after }: Change): boolean {
  return !isSameInOrder(before, after);
}

/** The tenants that changes are of, also where only something in a list of theirs becomes another. */
export function tenantsOf(changes: readonly Pick<Change, 'kind' | 'name'>[]): Set<string> {
  const names = new Set<string>();
  for (const { kind, name } of changes) {
    if (kind === 'tenants') names.add(name);
    else if (isTenantList(kind)) names.add(splitListName(name).tenant);
  }
  return names;
}

export function invertChange({ before, after, ...change }: Change): Change {
  return { ...change, before: after, after: before };
}

/**
 * What must change so that the entries of an owner, `current`, become those that are `wanted`.
 *
 * @throws Error where two of `wanted` have one name: the later would silently replace the earlier
 */
export function diffEntries(owner: Owner, current: Iterable<Entry>, wanted: Iterable<Entry>): Change[] {
  const left = new Map<string, Entry>();
  for (const entry of current) left.set(entryId(entry), entry);
  const changes: Change[] = [];
  const seen = new Set<string>();
  for (const { kind, name, value } of wanted) {
    const id = entryId({ kind, name });
    if (seen.has(id)) throw new Error(`two entries have one name: ${id}`);
    seen.add(id);
    const before = left.get(id)?.value;
    left.delete(id);
    if (!isSameInOrder(before, value)) changes.push({ owner, kind, name, before, after: value });
  }
  for (const { kind, name, value } of left.values()) {
    changes.push({ owner, kind, name, before: value, after: undefined });
  }
  return changes;
}

/** What changes that were made one after the other, the oldest first, come to together. */
export function foldChanges(history: Iterable<Change>): Change[] {
  const folded = new Map<string, Change>();
  for (const change of history) {
    const place = `${change.owner} ${entryId(change)}`;
    const earlier = folded.get(place);
    folded.set(place, earlier ? { ...change, before: earlier.before } : change);
  }
  return [...folded.values()].filter(({ before, after }) => before !== undefined || after !== undefined);
}

/** What brings the entries from what they are now to what changes come to. `find`: an entry as it is now. */
export function changesFrom(
  folded: readonly Change[],
  find: (kind: EntryKind, name: string) => OwnedEntry | undefined,
): Change[] {
  return folded
    .map((change) => {
      const entry = find(change.kind, change.name);
      return { ...change, before: entry?.owner === change.owner ? entry.value : undefined };
    })
    .filter(({ before, after }) => before !== undefined || after !== undefined);
}

/**
 * What brings the entries back to what they were before `history`, the changes since then with the oldest first.
 * `find`: an entry as it is now.
 */
export function undoChanges(
  history: Iterable<Change>,
  find: (kind: EntryKind, name: string) => OwnedEntry | undefined,
): Change[] {
  const changes: Change[] = [];
  for (const { owner, kind, name, before } of foldChanges(history)) {
    const entry = find(kind, name);
    const now = entry?.owner === owner ? entry.value : undefined;
    if (!isSameInOrder(now, before)) changes.push({ owner, kind, name, before: now, after: before });
  }
  return changes;
}
