import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import type { CallerDialectName } from './dialect.ts';
import { findDoubledKey } from './doubled-keys.ts';
import { fileOfAddress, isHeldAddress } from './held-addresses.ts';
import { findEscapedKey } from './held-bytes.ts';
import { HELD_FIELDS, type HeldField, type HeldFields, type HeldForm, type HeldKind } from './held-fields.ts';
import { heldItems } from './responses/held-items.ts';

/** Something that a provider holds, as a request names it. */
export interface HeldReference {
  kind: HeldKind;
  id: string;
  /** In the caller's words. */
  path: string;
}

/**
 * What a request names of what providers hold.
 *
 * @param request `body`, parsed
 * @throws GatewayError `invalid_request` where two readers could find different ids in it.
 */
export function findHeldReferences(
  body: Buffer,
  request: JsonObject,
  dialect: CallerDialectName,
): HeldReference[] {
  const counts = new Map<string, number>();
  const found = referencesIn(request, dialect, counts);
  const doubtful = findEscapedKey(body, dialect) ?? findDoubledKey(body, counts);
  if (doubtful !== undefined) {
    throw invalidRequest(
      `'${doubtful}' stands twice in one object of the request body, or is escaped.`,
      doubtful,
    );
  }
  return found;
}

/**
 * The first thing that a provider holds which the body made for it names although the caller's request does not: what was
 * carried in places where the request is not looked into must name nothing.
 */
export function findUnnamedReference(
  body: JsonObject,
  dialect: CallerDialectName,
  named: { request: JsonObject; dialect: CallerDialectName },
): HeldReference | undefined {
  const ids = new Set(referencesIn(named.request, named.dialect, new Map()).map(({ id }) => id));
  return referencesIn(body, dialect, new Map()).find(({ id }) => !ids.has(id));
}

/** Counts the keys, too. */
function referencesIn(
  request: JsonObject,
  dialect: CallerDialectName,
  counts: Map<string, number>,
): HeldReference[] {
  const found: HeldReference[] = [];
  walk({ value: request, path: '', isTop: true }, HELD_FIELDS[dialect], found, counts);
  if (dialect === 'responses') for (const item of heldItems(request)) found.push({ kind: 'item', ...item });
  return found;
}

interface Place {
  value: JsonValue;
  path: string;
  /** It is a request, or a list of them. */
  isTop: boolean;
}

/** Collects what is named at any depth, and counts the keys. */
function walk(
  { value, path, isTop }: Place,
  held: HeldFields,
  found: HeldReference[] | undefined,
  counts: Map<string, number>,
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      walk({ value: item, path: `${path}[${index}]`, isTop }, held, found, counts);
    }
    return;
  }
  if (!isObject(value)) return;
  const named = held.isFreeForm?.(value) ? undefined : found;
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    counts.set(key, (counts.get(key) ?? 0) + 1);
    const at = path === '' ? key : `${path}.${key}`;
    const field = Object.hasOwn(held.fields, key) ? held.fields[key] : undefined;
    if (field && named && (isTop || !field.top)) collect(named, field, { key, inner, at, owner: value });
    const below = held.freeForm.has(key) ? undefined : named;
    walk({ value: inner, path: at, isTop: isTop && held.requests.has(key) }, held, below, counts);
  }
}

interface Entry {
  key: string;
  inner: JsonValue;
  at: string;
  owner: JsonObject;
}

function collect(found: HeldReference[], { kind, form }: HeldField, { key, inner, at, owner }: Entry): void {
  // Skills of Anthropic's own are everybody's.
  if (key === 'skill_id' && owner['type'] === 'anthropic') return;
  for (const id of IDS[form](inner, key)) {
    found.push(form === 'address' ? readAddress(kind, id, at) : { kind, id, path: at });
  }
}

function readAddress(kind: HeldKind, address: string, path: string): HeldReference {
  const file = fileOfAddress(address);
  if (file === '') {
    throw invalidRequest(`'${path}' is no address of a file: that is 'ms://' and its id.`, path);
  }
  return file === undefined ? { kind, id: address, path } : { kind: 'file', id: file, path };
}

/** What a message thread names the answer by that it goes on from, and a comparison the one whose request is meant. */
const CONTINUED = 'previous_message_id';

const IDS: Record<HeldForm, (value: JsonValue, key: string) => string[]> = {
  id: idsOf,
  object: (value) => (isObject(value) ? idsOf(value) : []),
  continued: (value) => (isObject(value) ? idsOf(value[CONTINUED] ?? null) : []),
  address: (value) => addressesOf(value).filter(isHeldAddress),
  whole: (value, key) => (value === null ? [] : [key]),
};

function idsOf(value: JsonValue): string[] {
  if (Array.isArray(value)) return value.flatMap(idsOf);
  if (isObject(value)) return typeof value['id'] === 'string' ? [value['id']] : [];
  return typeof value === 'string' && value !== '' ? [value] : [];
}

function addressesOf(value: JsonValue): string[] {
  if (Array.isArray(value)) return value.flatMap(addressesOf);
  const address = isObject(value) ? value['url'] : value;
  return typeof address === 'string' && address !== '' ? [address] : [];
}
