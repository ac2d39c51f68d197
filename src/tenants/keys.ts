import { hash, randomBytes } from 'node:crypto';

/** A key, as found by its secret's hash. No secret is stored anywhere. */
export interface HashedKey {
  /** `hashSecret` of the secret. */
  hash: string;
  /** The key's name, within its tenant where it has one. */
  key: string;
  tenant?: string;
  /** Unix milliseconds; from then on the key is not found any more. */
  expiresAt?: number;
}

export interface TenantKey extends HashedKey {
  tenant: string;
}

/** Lower-case hex of the secret's SHA-256. A secret of ours has 256 random bits, so neither salt nor stretching would add anything. */
export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex');
}

const SECRET_PREFIX = { tenant: 'sk-fl-', admin: 'sk-fl-admin-' } as const;
export type KeyKind = keyof typeof SECRET_PREFIX;

const SECRET_BYTES = 32;
/** Enough base 62 digits for 256 bits. */
const SECRET_DIGITS = 43;
/** Letters and digits only: a double click selects the whole secret, and no shell or URL needs it quoted. */
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A new secret of 256 bits, e.g. `sk-fl-7Gq…` (tenant) or `sk-fl-admin-7Gq…`. */
export function makeSecret(kind: KeyKind, random: (size: number) => Uint8Array = randomBytes): string {
  let value = 0n;
  for (const byte of random(SECRET_BYTES)) value = value * 256n + BigInt(byte);
  let digits = '';
  while (digits.length < SECRET_DIGITS) {
    digits = ALPHABET.charAt(Number(value % 62n)) + digits;
    value /= 62n;
  }
  return SECRET_PREFIX[kind] + digits;
}

/** However many keys there are: this many secrets that were found to be valid are remembered. */
const MAX_REMEMBERED = 10_000;

/**
 * The keys of a snapshot. A secret is looked up by its hash and never compared with another, so the time it takes
 * tells nothing about the secrets that exist. One that was found is remembered as it came, which spares its next call
 * the hash; a map finds it by a hash of its own, seeded in each process, and those that are wrong are never in it.
 */
export class KeyRing<Key extends HashedKey = TenantKey> {
  readonly #byHash = new Map<string, Key>();
  readonly #remembered = new Map<string, Key>();
  readonly #now: () => number;

  /** Throws where two keys have the same secret: whose call it is could not be told. */
  constructor(keys: Iterable<Key>, now: () => number) {
    this.#now = now;
    for (const key of keys) {
      const other = this.#byHash.get(key.hash);
      if (other) {
        throw new Error(
          `The keys ${nameKey(other)} and ${nameKey(key)} have the same secret. Give each its own.`,
        );
      }
      this.#byHash.set(key.hash, key);
    }
  }

  get size(): number {
    return this.#byHash.size;
  }

  /** The key that has this secret, unless it has expired. */
  find(secret: string): Key | undefined {
    const key = this.#remembered.get(secret) ?? this.#findByHash(secret);
    if (key?.expiresAt !== undefined && key.expiresAt <= this.#now()) return undefined;
    return key;
  }

  #findByHash(secret: string): Key | undefined {
    const key = this.#byHash.get(hashSecret(secret));
    if (key) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(secret, key);
    }
    return key;
  }
}

function nameKey({ tenant, key }: HashedKey): string {
  return tenant === undefined ? `'${key}' (admin)` : `'${key}' of tenant '${tenant}'`;
}
