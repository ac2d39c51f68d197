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

/** The hash of a configured key: of the secret, or as it was configured. */
export function hashOf({
  secret,
  secretHash,
}: {
  secret?: string | undefined;
  secretHash?: string | undefined;
}): string {
  if (secretHash !== undefined) return secretHash;
  if (secret === undefined)
    throw new Error('a key has neither secret nor hash, which the config check lets no one have');
  return hashSecret(secret);
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
  /** By the first byte of the hash: a ring that differs in a few keys shares the other shards. */
  readonly #shards: readonly ReadonlyMap<string, Key>[];
  readonly #remembered = new Map<string, Key>();
  readonly #now: () => number;

  /** Throws where two keys have the same secret: whose call it is could not be told. */
  constructor(keys: Iterable<Key>, now: () => number);
  constructor(keys: Iterable<Key>, now: () => number, from: KeyRing<Key>, without: Iterable<Key>);
  constructor(keys: Iterable<Key>, now: () => number, from?: KeyRing<Key>, without: Iterable<Key> = []) {
    this.#now = now;
    const shards: (ReadonlyMap<string, Key> | undefined)[] = from
      ? [...from.#shards]
      : new Array(SHARDS).fill(undefined);
    const own: (Map<string, Key> | undefined)[] = new Array(SHARDS).fill(undefined);
    const shardOf = (hash: string): Map<string, Key> => {
      const index = shardIndex(hash);
      let shard = own[index];
      if (!shard) {
        shard = new Map(shards[index]);
        own[index] = shard;
        shards[index] = shard;
      }
      return shard;
    };
    for (const { hash } of without) shardOf(hash).delete(hash);
    for (const key of keys) {
      const shard = shardOf(key.hash);
      const other = shard.get(key.hash);
      if (other) {
        throw new Error(
          `The keys ${nameKey(other)} and ${nameKey(key)} have the same secret. Give each its own.`,
        );
      }
      shard.set(key.hash, key);
    }
    this.#shards = shards.map((shard) => shard ?? NO_KEYS);
  }

  /** Whether a key has the secret of this hash, be it expired. */
  has(hash: string): boolean {
    return this.#shards[shardIndex(hash)]?.has(hash) === true;
  }

  get size(): number {
    return this.#shards.reduce((sum, shard) => sum + shard.size, 0);
  }

  /** The ring with these keys instead of those; this one stays as it is. */
  replace(without: Iterable<Key>, keys: Iterable<Key>): KeyRing<Key> {
    return new KeyRing(keys, this.#now, this, without);
  }

  /** The key that has this secret, unless it has expired. */
  find(secret: string): Key | undefined {
    const key = this.#remembered.get(secret) ?? this.#findByHash(secret);
    if (key?.expiresAt !== undefined && key.expiresAt <= this.#now()) return undefined;
    return key;
  }

  #findByHash(secret: string): Key | undefined {
    const hash = hashSecret(secret);
    const key = this.#shards[shardIndex(hash)]?.get(hash);
    if (key) {
      if (this.#remembered.size >= MAX_REMEMBERED) this.#remembered.clear();
      this.#remembered.set(secret, key);
    }
    return key;
  }
}

const SHARDS = 256;
const NO_KEYS: ReadonlyMap<string, never> = new Map<string, never>();

function shardIndex(hash: string): number {
  return 16 * digitAt(hash, 0) + digitAt(hash, 1);
}

/** Of lower-case hex. */
function digitAt(hash: string, at: number): number {
  const code = hash.charCodeAt(at);
  return code <= CODE_OF_9 ? code - CODE_OF_0 : code - CODE_OF_A + 10;
}

const CODE_OF_0 = '0'.charCodeAt(0);
const CODE_OF_9 = '9'.charCodeAt(0);
const CODE_OF_A = 'a'.charCodeAt(0);

function nameKey({ tenant, key }: HashedKey): string {
  return tenant === undefined ? `'${key}' (admin)` : `'${key}' of tenant '${tenant}'`;
}
