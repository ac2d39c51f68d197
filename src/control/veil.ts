import { createHmac } from 'node:crypto';
import { KEY_SECRET } from '../config/fields.ts';
import type { Finding } from '../config/finding.ts';
import { type ConfigPath, formatPath, mapChildren, valueAt } from '../config/path.ts';
import { isSensitivePath } from '../config/schema-path.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { hashSecret } from '../tenants/keys.ts';
import { type Entry, type EntryKind, joinDocument, splitDocument } from './entry.ts';
import { hideSealed, readMark } from './marks.ts';
import { keyIdOf, type Sealer } from './sealer.ts';

/** Nothing but variables, maybe behind a scheme (`Bearer ${TOKEN}`): it tells no secret. A default may be one. */
const ONLY_VARIABLES = /^(?:[A-Za-z][A-Za-z-]* )?(?:\$\{[A-Za-z_][A-Za-z0-9_]*\})+$/;

interface Replacing {
  /** What is put in the place of a credential that is written out. */
  put(credential: string, path: ConfigPath): JsonObject;
  /** What a mapping where a credential may be stands for; `undefined` where it is what it says. */
  restore?(mark: JsonObject, path: ConfigPath): JsonObject | undefined;
}

/**
 * Takes credentials out of what is stored, and puts them in again where the configuration is compiled, and only there.
 * With a sealer they are stored encrypted; without one a credential that a file writes out is stored as a mark with its
 * fingerprint, and known only to processes whose file has it.
 */
export class Vault {
  readonly #credentials = new Map<string, string>();
  readonly #keySecrets = new Set<string>();
  readonly #salt: Buffer;
  readonly #sealer: Sealer | undefined;

  /** `salt`: the store's, of 32 random bytes. Without it nobody can try out what a fingerprint is of. */
  constructor(salt: Buffer, sealer?: Sealer) {
    this.#salt = salt;
    this.#sealer = sealer;
  }

  get seals(): boolean {
    return this.#sealer !== undefined;
  }

  /** Every credential that a file of this process wrote out, and what encrypts, for whoever must not tell it. */
  secrets(): string[] {
    return [...this.#credentials.values(), ...(this.#sealer?.secrets ?? [])];
  }

  /** The same of keys. */
  get keySecrets(): ReadonlySet<string> {
    return this.#keySecrets;
  }

  /** The document of a file without secrets: keys by their hashes, credentials encrypted or as marks, placeholders as they are. */
  veil(document: JsonObject): JsonObject {
    const sealer = this.#sealer;
    const mark = this.#putFingerprint;
    return this.#veilMapping(document, [], {
      put: (credential, path) => {
        const fingerprint = mark(credential);
        return sealer ? { sealed: sealer.seal(credential, placeOf(document, path)) } : fingerprint;
      },
    });
  }

  /** The same with marks, whether there is a sealer or not: it is the same under every secret. */
  fingerprint(document: JsonObject): JsonObject {
    return this.#veilMapping(document, [], { put: this.#putFingerprint });
  }

  /**
   * A document that was sent, for the store. `{ encrypted: … }`, which answers have in the places of credentials, stands
   * for what `stored` has there.
   *
   * @throws GatewayError `invalid_request` for a credential that cannot be encrypted here, or a mark that stands for nothing
   */
  veilSent(
    document: JsonObject,
    stored: (kind: EntryKind, name: string) => JsonValue | undefined,
  ): JsonObject {
    return this.#veilMapping(document, [], {
      put: (credential, path) => {
        if (this.#sealer) return { sealed: this.#sealer.seal(credential, placeOf(document, path)) };
        const place = formatPath(path);
        throw invalidRequest(
          `'${place}': a credential is stored only encrypted, and this gateway has nothing to encrypt it with. Set FAIRLEAD_SECRET in the environment of every instance; or set a variable there, and write \${NAME} here.`,
          place,
          'credential_not_stored',
        );
      },
      restore: (value, path) => {
        const mark = readMark(value, 'encrypted');
        if (mark === undefined) return undefined;
        const entry = entryAt(document, path);
        const known = joinDocument([{ ...entry, value: stored(entry.kind, entry.name) ?? null }]);
        const sealed = findSealed(known, placeOf(document, path), mark);
        if (sealed) return sealed;
        const place = formatPath(path);
        throw invalidRequest(
          `'${place}': there is no such credential here any more, or it is another account's: write the credential itself.`,
          place,
          'credential_not_stored',
        );
      },
    });
  }

  /** The document with the credentials in the places of what is stored of them. */
  unveil(document: JsonValue, findings: Finding[]): JsonValue {
    return this.#unveil(document, [], document, findings);
  }

  /**
   * The value of an entry encrypted under the newest secret; the very same value where it is already, or holds nothing
   * encrypted. What cannot be read under the secrets that are here stays as it is, and is a finding.
   */
  reseal(entry: Entry, findings: Finding[]): JsonValue {
    const document = joinDocument([entry]);
    const resealed = this.#reseal(document, [], document, findings);
    if (resealed === document || !isObject(resealed)) return entry.value;
    return splitDocument(resealed).find(({ kind }) => kind === entry.kind)?.value ?? entry.value;
  }

  readonly #putFingerprint = (credential: string): JsonObject => {
    const keyed = createHmac('sha256', this.#salt).update(`fairlead fingerprint ${credential}`);
    const fingerprint = keyed.digest('hex').slice(0, 16);
    this.#credentials.set(fingerprint, credential);
    return { notStored: fingerprint };
  };

  /** `path` leads to what is veiled: it is one list that grows and shrinks, for there may be a hundred thousand keys. */
  #veilMapping(mapping: JsonObject, path: (string | number)[], replacing: Replacing): JsonObject {
    const entries: [string, JsonValue][] = [];
    for (const key in mapping) {
      const value = mapping[key];
      if (value === undefined) continue;
      path.push(key);
      if (isKeySecret(path) && typeof value === 'string' && !value.includes('${')) {
        // What is no secret stays for the configuration's check to refuse: its hash would look like any other.
        if (KEY_SECRET.test(value)) {
          this.#keySecrets.add(value);
          entries.push(['secretHash', hashSecret(value)]);
        } else entries.push([key, value]);
      } else entries.push([key, this.#veilValue(value, path, replacing)]);
      path.pop();
    }
    return Object.fromEntries(entries);
  }

  #veilValue(value: JsonValue, path: (string | number)[], replacing: Replacing): JsonValue {
    if (Array.isArray(value)) {
      const veiled: JsonValue[] = [];
      for (const entry of value) {
        path.push(veiled.length);
        veiled.push(this.#veilValue(entry, path, replacing));
        path.pop();
      }
      return veiled;
    }
    if (isObject(value)) {
      const restored = mayHoldSecrets(path) ? replacing.restore?.(value, path) : undefined;
      return restored ?? this.#veilMapping(value, path, replacing);
    }
    if (typeof value !== 'string' || !mayHoldSecrets(path)) return value;
    if (ONLY_VARIABLES.test(value) || path.at(-1) === 'secretHash' || !isSensitivePath(path)) return value;
    return replacing.put(value, path);
  }

  #unveil(value: JsonValue, path: (string | number)[], root: JsonValue, findings: Finding[]): JsonValue {
    return mapChildren(value, path, (child, place) => {
      if (typeof child !== 'object') return child;
      if (!isObject(child) || !mayHoldSecrets(place)) return this.#unveil(child, place, root, findings);
      const sealed = readMark(child, 'sealed');
      const fingerprint = readMark(child, 'notStored');
      if (sealed === undefined && fingerprint === undefined) {
        return this.#unveil(child, place, root, findings);
      }
      const credential =
        sealed === undefined
          ? this.#credentials.get(fingerprint ?? '')
          : this.#sealer?.unseal(sealed, placeOf(root, place));
      if (credential !== undefined) return credential;
      findings.push({ path: [...place], message: sealed === undefined ? NOT_HERE : cannotUnseal(sealed) });
      return child;
    });
  }

  #reseal(value: JsonValue, path: (string | number)[], root: JsonValue, findings: Finding[]): JsonValue {
    return mapChildren(value, path, (child, place) => {
      const sealed = readMark(child, 'sealed');
      if (sealed === undefined) return this.#reseal(child, place, root, findings);
      if (!this.#sealer || this.#sealer.isCurrent(sealed)) return child;
      const bound = placeOf(root, place);
      const credential = this.#sealer.unseal(sealed, bound);
      if (credential !== undefined) return { sealed: this.#sealer.seal(credential, bound) };
      findings.push({ path: [...place], message: cannotUnseal(sealed) });
      return child;
    });
  }
}

const NOT_HERE = `was written out in a file, so it is not stored, and the file of this instance has it no more: write it as a placeholder, \${NAME}`;

function cannotUnseal(sealed: string): string {
  return `is stored encrypted, under another secret than this instance has (key ${keyIdOf(sealed)}): set FAIRLEAD_SECRET, or FAIRLEAD_SECRET_PREVIOUS, to the one that it was encrypted under`;
}

/** What is stored at a place, where it is what the mark stands for. */
function findSealed(document: JsonObject, place: string, mark: string): JsonObject | undefined {
  let found: JsonObject | undefined;
  const look = (value: JsonValue, path: (string | number)[]): JsonValue =>
    mapChildren(value, path, (child, at) => {
      const sealed = readMark(child, 'sealed');
      if (sealed === undefined) return look(child, at);
      const isMeant = placeOf(document, at) === place && readMark(hideSealed(child), 'encrypted') === mark;
      if (isMeant) found = { sealed };
      return child;
    });
  look(document, []);
  return found;
}

/** Lists whose entries have names: where in the list one stands may change. */
const NAMED_LISTS: Readonly<Record<string, string>> = { providers: 'accounts', tenants: 'keys' };

/**
 * What a credential is bound to: its provider and account, or its tenant and key, by name, and its field. A credential
 * that is to replace an account's (`next`) is bound as the account's own, which it becomes.
 */
function placeOf(document: JsonValue, path: ConfigPath): string {
  const [section, owner, list, index, ...field] = path;
  if (NAMED_LISTS[String(section)] !== list || typeof index !== 'number') return JSON.stringify(path);
  const name = nameAt(document, path);
  const own = section === 'providers' && field[0] === 'next' ? field.slice(1) : field;
  return JSON.stringify([section, owner, list, name ?? index, ...own]);
}

/** Of what stands in a list: its name there. */
function nameAt(document: JsonValue, path: ConfigPath): string | undefined {
  const name = valueAt(document, [...path.slice(0, 4), 'name']);
  return typeof name === 'string' ? name : undefined;
}

/** Sections of entries whose secrets are fields of their own. */
const NAMED_WITH_SECRETS = ['adminKeys', 'webhooks'] as const;

/** The entry that a place of a credential belongs to. */
function entryAt(document: JsonValue, path: ConfigPath): Pick<Entry, 'kind' | 'name'> {
  const [section, owner, list] = path;
  if (section === 'tenants' && list === 'keys') {
    return { kind: 'keys', name: `${owner}/${nameAt(document, path)}` };
  }
  const kind = NAMED_WITH_SECRETS.find((candidate) => candidate === section) ?? 'providers';
  return { kind, name: String(owner) };
}

/** Spares the look into the schema where it has nothing to hide. */
function mayHoldSecrets(path: ConfigPath): boolean {
  return (
    path[0] === 'providers' ||
    path[0] === 'webhooks' ||
    path.at(-1) === 'secret' ||
    path.at(-1) === 'secretHash'
  );
}

/** `tenants.*.keys[].secret` and `adminKeys.*.secret`. */
function isKeySecret(path: ConfigPath): boolean {
  if (path.at(-1) !== 'secret') return false;
  return (path[0] === 'tenants' && path.length === 5) || (path[0] === 'adminKeys' && path.length === 3);
}
