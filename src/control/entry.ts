import { appendAll } from '../conversation/append-all.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';

/** Who declares a part of the configuration. */
export type Owner = 'file' | 'api';

/** Lists of a tenant whose entries are owned one by one, and what names them there: an entry is named `tenant/NAME`. */
export const TENANT_LISTS = { keys: 'name', grants: 'model' } as const;
export type TenantList = keyof typeof TENANT_LISTS;

export const LIST_KINDS: readonly TenantList[] = ['keys', 'grants'];

/** Parts whose entries have names, as the config language calls them. */
export const NAMED_KINDS = [
  'providers',
  'models',
  'rollouts',
  'adminKeys',
  'webhooks',
  'alerts',
  'tenants',
  'keys',
  'grants',
] as const;

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

/** Sections that are mappings of entries, beside `tenants`. */
export const MAPPED_KINDS: readonly EntryKind[] = [
  'providers',
  'models',
  'rollouts',
  'adminKeys',
  'webhooks',
  'alerts',
];

export function entryId({ kind, name }: Pick<Entry, 'kind' | 'name'>): string {
  return `${kind}/${name}`;
}

export function isTenantList(kind: string): kind is TenantList {
  return Object.hasOwn(TENANT_LISTS, kind);
}

/** The tenant, and what names the entry in the tenant's list. The name of a tenant holds no slash. */
export function splitListName(name: string): { tenant: string; name: string } {
  const slash = name.indexOf('/');
  return { tenant: name.slice(0, slash), name: name.slice(slash + 1) };
}

/** Whether an entry in a list is of a tenant, without taking its name apart. */
export function isOfTenant(name: string, tenant: string): boolean {
  return name.charCodeAt(tenant.length) === SLASH && name.startsWith(tenant);
}

const SLASH = '/'.charCodeAt(0);

/**
 * The entries of a document, without what belongs to the instance. A tenant of which nothing but `keys` and `grants`
 * stand there is not declared by it: they are added to the one that the other owner has.
 *
 * @throws Error where the document was not checked: a part in another form would silently be no entries
 */
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
  if (!isObject(section)) throw notChecked(kind);
  return Object.entries(section).map(([name, value]) => ({ kind, name, value: value ?? null }));
}

function tenantEntries(section: JsonValue): Entry[] {
  return namedEntries('tenants', section).flatMap((entry): Entry[] => {
    if (!isObject(entry.value)) throw notChecked(entryId(entry));
    const value = { ...entry.value };
    const parts: Entry[] = [];
    for (const kind of LIST_KINDS) {
      appendAll(parts, listEntries(kind, entry.name, value[kind]));
      delete value[kind];
    }
    // A list without an entry adds nothing to anyone.
    const isDeclared = parts.length === 0 || Object.keys(value).length > 0;
    return isDeclared ? [{ ...entry, value }, ...parts] : parts;
  });
}

function listEntries(kind: TenantList, tenant: string, list: JsonValue | undefined): Entry[] {
  if (list === undefined) return [];
  if (!Array.isArray(list)) throw notChecked(`${kind} of ${tenant}`);
  const nameField = TENANT_LISTS[kind];
  return list.map((entry) => {
    const { [nameField]: name, ...value } = isObject(entry) ? entry : {};
    if (typeof name !== 'string') throw notChecked(`${kind} of ${tenant}`);
    return { kind, name: `${tenant}/${name}`, value };
  });
}

function notChecked(part: string): Error {
  return new Error(`a document was taken apart without its check: ${part}`);
}

/** Written out, because there may be a hundred thousand: a computed name takes several times as long. */
function nameFirst(kind: TenantList, name: string, value: JsonValue): JsonObject {
  const fields = isObject(value) ? value : undefined;
  return kind === 'keys' ? { name, ...fields } : { model: name, ...fields };
}

/** The document that the entries are of; what `splitDocument` took apart, in the order of the entries. */
export function joinDocument(entries: Iterable<Entry>): JsonObject {
  const document: Map<string, JsonValue> = new Map();
  const sections = new Map<EntryKind, Map<string, JsonValue>>();
  const lists = new Map<string, Map<TenantList, JsonObject[]>>();
  // Entries of one list mostly come one after the other.
  let open: { kind: TenantList; tenant: string; list: JsonObject[] } | undefined;
  for (const { kind, name, value } of entries) {
    if (kind === 'settings') document.set(name, value);
    else if (isTenantList(kind)) {
      if (open?.kind !== kind || !isOfTenant(name, open.tenant)) {
        const { tenant } = splitListName(name);
        const ofTenant = lists.get(tenant) ?? new Map<TenantList, JsonObject[]>();
        lists.set(tenant, ofTenant);
        const list = ofTenant.get(kind) ?? [];
        ofTenant.set(kind, list);
        open = { kind, tenant, list };
      }
      open.list.push(nameFirst(kind, name.slice(open.tenant.length + 1), value));
    } else {
      const section = sections.get(kind) ?? new Map();
      sections.set(kind, section);
      section.set(name, value);
    }
  }
  for (const [tenant, ofTenant] of lists) {
    const tenants = sections.get('tenants') ?? new Map<string, JsonValue>();
    sections.set('tenants', tenants);
    const value = tenants.get(tenant);
    tenants.set(tenant, { ...(isObject(value) && value), ...Object.fromEntries(ofTenant) });
  }
  for (const [kind, section] of sections) document.set(kind, Object.fromEntries(section));
  return Object.fromEntries(document);
}
