import type { Change } from './change.ts';
import {
  type EntryKind,
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

/** The entries of both owners. An entry has one owner, or `apply` tells of the conflict. */
export class Layers {
  readonly #byKind = new Map<EntryKind, Map<string, OwnedEntry>>();
  /** Names of entries, by list and tenant. */
  readonly #ofTenants = new Map<TenantList, Map<string, Set<string>>>();

  constructor(entries: Iterable<OwnedEntry> = []) {
    for (const entry of entries) this.#set(entry);
  }

  find(kind: EntryKind, name: string): OwnedEntry | undefined {
    return this.#byKind.get(kind)?.get(name);
  }

  /** All of a kind, in the order in which they were made. */
  ofKind(kind: EntryKind): OwnedEntry[] {
    return [...(this.#byKind.get(kind)?.values() ?? [])];
  }

  ofOwner(owner: Owner): OwnedEntry[] {
    return [...this.#byKind.values()].flatMap((entries) =>
      [...entries.values()].filter((entry) => entry.owner === owner),
    );
  }

  kinds(): EntryKind[] {
    return [...this.#byKind.keys()];
  }

  /** What a tenant has in a list of its own, in the order in which it was made. */
  ofTenant(kind: TenantList, tenant: string): OwnedEntry[] {
    const names = this.#ofTenants.get(kind)?.get(tenant) ?? [];
    return [...names].map((name) => this.find(kind, name)).filter((entry) => entry !== undefined);
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
    const entries = this.#byKind.get(kind) ?? new Map<string, OwnedEntry>();
    this.#byKind.set(kind, entries);
    entries.set(name, entry);
    if (!isTenantList(kind)) return;
    const { tenant } = splitListName(name);
    const tenants = this.#ofTenants.get(kind) ?? new Map<string, Set<string>>();
    this.#ofTenants.set(kind, tenants);
    const names = tenants.get(tenant);
    if (names) names.add(name);
    else tenants.set(tenant, new Set([name]));
  }

  #remove(kind: EntryKind, name: string): void {
    this.#byKind.get(kind)?.delete(name);
    if (!isTenantList(kind)) return;
    const { tenant } = splitListName(name);
    const tenants = this.#ofTenants.get(kind);
    const names = tenants?.get(tenant);
    names?.delete(name);
    if (names?.size === 0) tenants?.delete(tenant);
  }
}

function placeOf({ owner, kind, name }: Pick<OwnedEntry, 'owner' | 'kind' | 'name'>): string {
  return `${owner} ${kind}/${name}`;
}
