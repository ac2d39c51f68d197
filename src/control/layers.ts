import type { Change } from './change.ts';
import {
  type EntryKind,
  isOfTenant,
  isTenantList,
  type OwnedEntry,
  type Owner,
  splitListName,
  type TenantList,
} from './entry.ts';

/** A name that both owners would have. */
export interface Conflict {
  kind: EntryKind;
  name: string;
  owner: Owner;
  wantedBy: Owner;
}

type Entries = Map<string, OwnedEntry>;

/** The entries of both owners. An entry has one owner, or `apply` tells of the conflict. */
export class Layers {
  readonly #byKind = new Map<EntryKind, Entries>();
  /** What stands in lists of tenants: by list and tenant, for there may be a hundred thousand. */
  readonly #ofTenants = new Map<TenantList, Map<string, Entries>>();

  #lastList: { kind: TenantList; tenant: string; entries: Entries } | undefined;

  constructor(entries: Iterable<OwnedEntry> = []) {
    for (const entry of entries) this.#set(entry);
  }

  find(kind: EntryKind, name: string): OwnedEntry | undefined {
    const entries = isTenantList(kind)
      ? this.#ofTenants.get(kind)?.get(splitListName(name).tenant)
      : this.#byKind.get(kind);
    return entries?.get(name);
  }

  /** All of a kind, in the order in which they were made; of what stands in lists tenant by tenant. */
  ofKind(kind: EntryKind): OwnedEntry[] {
    const all: OwnedEntry[] = [];
    for (const entries of this.#groups(kind)) for (const entry of entries.values()) all.push(entry);
    return all;
  }

  ofOwner(owner: Owner): OwnedEntry[] {
    return this.kinds().flatMap((kind) => this.ofKind(kind).filter((entry) => entry.owner === owner));
  }

  kinds(): EntryKind[] {
    return [...this.#byKind.keys(), ...this.#ofTenants.keys()];
  }

  /** What a tenant has in a list of its own, in the order in which it was made. */
  ofTenant(kind: TenantList, tenant: string): OwnedEntry[] {
    return [...(this.#ofTenants.get(kind)?.get(tenant)?.values() ?? [])];
  }

  /** Makes all changes, or none and gives the conflicts. What goes makes room first. */
  apply(changes: readonly Change[]): Conflict[] {
    const going = new Set(changes.filter(({ after }) => after === undefined).map(placeOf));
    const conflicts = changes.flatMap(({ owner, kind, name, after }): Conflict[] => {
      const current = this.find(kind, name);
      if (after === undefined || current === undefined || current.owner === owner) return [];
      if (going.has(placeOf(current))) return [];
      return [{ kind, name, owner: current.owner, wantedBy: owner }];
    });
    if (conflicts.length > 0) return conflicts;
    for (const { kind, name, after } of changes) if (after === undefined) this.#remove(kind, name);
    for (const { owner, kind, name, after } of changes) {
      if (after !== undefined) this.#set({ owner, kind, name, value: after });
    }
    return [];
  }

  #set(entry: OwnedEntry): void {
    const { kind, name } = entry;
    const entries = isTenantList(kind) ? this.#listOf(kind, name) : entriesAt(this.#byKind, kind);
    entries.set(name, entry);
  }

  /** Entries of one list mostly come one after the other. */
  #listOf(kind: TenantList, name: string): Entries {
    const last = this.#lastList;
    if (last?.kind === kind && isOfTenant(name, last.tenant)) return last.entries;
    const { tenant } = splitListName(name);
    const entries = entriesAt(entriesAt(this.#ofTenants, kind), tenant);
    this.#lastList = { kind, tenant, entries };
    return entries;
  }

  #remove(kind: EntryKind, name: string): void {
    if (!isTenantList(kind)) {
      this.#byKind.get(kind)?.delete(name);
      return;
    }
    const { tenant } = splitListName(name);
    const tenants = this.#ofTenants.get(kind);
    const entries = tenants?.get(tenant);
    entries?.delete(name);
    if (entries?.size !== 0) return;
    tenants?.delete(tenant);
    this.#lastList = undefined;
  }

  #groups(kind: EntryKind): Iterable<Entries> {
    if (isTenantList(kind)) return this.#ofTenants.get(kind)?.values() ?? [];
    const entries = this.#byKind.get(kind);
    return entries ? [entries] : [];
  }
}

/** The map that stands at a key, made where there is none yet. */
function entriesAt<Key, Value>(maps: Map<Key, Map<string, Value>>, key: Key): Map<string, Value> {
  let map = maps.get(key);
  if (!map) {
    map = new Map();
    maps.set(key, map);
  }
  return map;
}

function placeOf({ owner, kind, name }: Pick<OwnedEntry, 'owner' | 'kind' | 'name'>): string {
  return `${owner} ${kind}/${name}`;
}
