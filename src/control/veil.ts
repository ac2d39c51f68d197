import { hash } from 'node:crypto';
import type { Finding } from '../config/finding.ts';
import type { ConfigPath } from '../config/path.ts';
import { isSensitivePath } from '../config/schema-path.ts';
import { isObject, type JsonObject, type JsonValue } from '../conversation/json.ts';
import { hashSecret } from '../tenants/keys.ts';

/** Nothing but variables, maybe behind a scheme (`Bearer ${TOKEN}`): it tells no secret. A default may be one. */
const ONLY_VARIABLES = /^(?:[A-Za-z][A-Za-z-]* )?(?:\$\{[A-Za-z_][A-Za-z0-9_]*\})+$/;

/**
 * The credentials that files of this process wrote out. What is stored of one is a mark with its fingerprint, in whose
 * place the credential is put again here, and only here.
 */
export class Vault {
  readonly #credentials = new Map<string, string>();
  readonly #keySecrets = new Set<string>();

  /** Every secret that a file of this process wrote out, for whoever must not tell it. */
  secrets(): string[] {
    return [...this.#credentials.values(), ...this.#keySecrets];
  }

  /**
   * The document without secrets: keys by their hashes, credentials as marks, placeholders as they are.
   *
   * @param onCredential told where a credential is written out
   */
  veil(document: JsonObject, onCredential: (path: ConfigPath) => void = () => {}): JsonObject {
    return this.#veilMapping(document, [], onCredential);
  }

  /** The document with the credentials that are known here in the places of their marks. */
  unveil(document: JsonValue, findings: Finding[]): JsonValue {
    return this.#unveil(document, [], findings);
  }

  #veilMapping(mapping: JsonObject, path: ConfigPath, tell: (path: ConfigPath) => void): JsonObject {
    const entries = Object.entries(mapping).flatMap(([key, value]): [string, JsonValue][] => {
      if (value === undefined) return [];
      const place = [...path, key];
      if (isKeySecret(place) && typeof value === 'string' && !value.includes('${')) {
        this.#keySecrets.add(value);
        return [['secretHash', hashSecret(value)]];
      }
      return [[key, this.#veilValue(value, place, tell)]];
    });
    return Object.fromEntries(entries);
  }

  #veilValue(value: JsonValue, path: ConfigPath, tell: (path: ConfigPath) => void): JsonValue {
    if (Array.isArray(value))
      return value.map((entry, index) => this.#veilValue(entry, [...path, index], tell));
    if (isObject(value)) return this.#veilMapping(value, path, tell);
    if (typeof value !== 'string' || !mayHoldSecrets(path)) return value;
    if (ONLY_VARIABLES.test(value) || path.at(-1) === 'secretHash' || !isSensitivePath(path)) return value;
    const fingerprint = hash('sha256', `fairlead:${value}`, 'hex').slice(0, 16);
    this.#credentials.set(fingerprint, value);
    tell(path);
    return { notStored: fingerprint };
  }

  #unveil(value: JsonValue, path: ConfigPath, findings: Finding[]): JsonValue {
    if (Array.isArray(value)) {
      const unveiled = value.map((entry, index) => this.#unveil(entry, [...path, index], findings));
      return unveiled.every((entry, index) => entry === value[index]) ? value : unveiled;
    }
    if (!isObject(value)) return value;
    const fingerprint = readMark(value);
    if (fingerprint !== undefined && mayHoldSecrets(path)) {
      const credential = this.#credentials.get(fingerprint);
      if (credential !== undefined) return credential;
      const message = `was written out in a file, so it is not stored, and the file of this instance has it no more: write it as a placeholder, \${NAME}`;
      findings.push({ path, message });
      return value;
    }
    let copy: JsonObject | undefined;
    for (const [key, entry] of Object.entries(value)) {
      if (entry === undefined) continue;
      const unveiled = this.#unveil(entry, [...path, key], findings);
      if (unveiled === entry) continue;
      copy ??= { ...value };
      copy[key] = unveiled;
    }
    return copy ?? value;
  }
}

function readMark(value: JsonObject): string | undefined {
  const { notStored, ...rest } = value;
  return typeof notStored === 'string' && Object.keys(rest).length === 0 ? notStored : undefined;
}

/** Spares the look into the schema where it has nothing to hide. */
function mayHoldSecrets(path: ConfigPath): boolean {
  return path[0] === 'providers' || path.at(-1) === 'secret' || path.at(-1) === 'secretHash';
}

/** `tenants.*.keys[].secret` and `adminKeys.*.secret`. */
function isKeySecret(path: ConfigPath): boolean {
  if (path.at(-1) !== 'secret') return false;
  return (path[0] === 'tenants' && path.length === 5) || (path[0] === 'adminKeys' && path.length === 3);
}
