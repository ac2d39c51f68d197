import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** Who declares a part of the configuration. */
export type Owner = 'file' | 'api';

/** Parts whose entries have names, as the config language calls them. `keys` are those of tenants, named `tenant/key`. */
export const NAMED_KINDS = ['providers', 'models', 'rollouts', 'adminKeys', 'tenants', 'keys'] as const;

/** `settings` are the other sections, each as a whole (`prices`, `responses`, …). */
export type EntryKind = (typeof NAMED_KINDS)[number] | 'settings';

/** What can be owned, changed and compared by itself. */
export interface Entry {
  kind: EntryKind;
  name: string;
  /** As it was written: placeholders are not filled in, and no secret is in it. */
  value: JsonValue;
}

export interface OwnedEntry extends Entry {
  owner: Owner;
}

/** Sections that belong to the instance: other instances on the store may well have others. They take a restart. */
export const INSTANCE_SECTIONS = ['server', 'store', 'state', 'stateTimeout', 'onStateLoss'] as const;

const MAPPED_KINDS: readonly EntryKind[] = ['providers', 'models', 'rollouts', 'adminKeys'];

export function entryId({ kind, name }: Pick<Entry, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

/** The tenant and the name of a key; names hold no slash. */
export function splitKeyName(name: string): { tenant: string; key: string } {
  const slash = name.indexOf('/');
  return { tenant: name.slice(0, slash), key: name.slice(slash + 1) };
}

/** The entries of a valid document, without what belongs to the instance. */
export function splitDocument(document: JsonObject): Entry[] {
  const entries: Entry[] = [];
  for (const [section, value] of Object.entries(document)) {
    if (value === undefined || (INSTANCE_SECTIONS as readonly string[]).includes(section)) continue;
    const kind = MAPPED_KINDS.find((candidate) => candidate === section);
    if (kind) appendAll(entries, namedEntries(kind, value));
    else if (section === 'tenants') appendAll(entries, tenantEntries(value));
    else entries.push({ kind: 'settings', name: section, value });
  }
  return entries;
}

function namedEntries(kind: EntryKind, section: JsonValue): Entry[] {
  if (!isObject(section)) return [];
  return Object.entries(section).map(([name, value]) => ({ kind, name, value: value ?? null }));
}

function tenantEntries(section: JsonValue): Entry[] {
  return namedEntries('tenants', section).flatMap((entry): Entry[] => {
    if (!isObject(entry.value)) return [entry];
    const { keys, ...value } = entry.value;
    return [{ ...entry, value }, ...keyEntries(entry.name, Array.isArray(keys) ? keys : [])];
  });
}

function keyEntries(tenant: string, keys: readonly JsonValue[]): Entry[] {
  return keys
    .filter(isObject)
    .map(({ name, ...value }) => ({ kind: 'keys', name: `${tenant}/${name}`, value }));
}

/** The document that the entries are of; what `splitDocument` took apart, in the order of the entries. */
export function joinDocument(entries: Iterable<Entry>): JsonObject {
  const document: Map<string, JsonValue> = new Map();
  const sections = new Map<EntryKind, Map<string, JsonValue>>();
  const keys = new Map<string, JsonObject[]>();
  for (const { kind, name, value } of entries) {
    if (kind === 'settings') document.set(name, value);
    else if (kind === 'keys') {
      const { tenant, key } = splitKeyName(name);
      const list = keys.get(tenant) ?? [];
      keys.set(tenant, list);
      list.push({ name: key, ...(isObject(value) && value) });
    } else {
      const section = sections.get(kind) ?? new Map();
      sections.set(kind, section);
      section.set(name, value);
    }
  }
  for (const [tenant, list] of keys) {
    const tenants = sections.get('tenants') ?? new Map<string, JsonValue>();
    sections.set('tenants', tenants);
    const value = tenants.get(tenant);
    tenants.set(tenant, { ...(isObject(value) && value), keys: list });
  }
  for (const [kind, section] of sections) document.set(kind, Object.fromEntries(section));
  return Object.fromEntries(document);
}
