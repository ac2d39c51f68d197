import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes, scryptSync } from 'node:crypto';
import { readVariable } from '../config/environment.ts';
import type { Environment } from '../config/substitute.ts';
import type { Store } from '../store/store.ts';

/*
 * How credentials are encrypted: AES-256-GCM under keys that come from FAIRLEAD_SECRET.
 *
 *     v1.KEY.DATA    KEY   names the key: 16 hex digits that follow from it and tell nothing of it
 *                    DATA  base64url of nonce (12 bytes), ciphertext, tag (16 bytes)
 *
 * The additional data is the format, the key's name and the place of the credential (provider and account, or tenant and key; field), so
 * that nothing is decrypted in another place than it was encrypted for. The nonce is an HMAC-SHA-256 over place and
 * credential under a key of its own, cut to 12 bytes: it repeats only where all that is encrypted is the same. So a
 * file that is read again, here or by another instance, comes to the same text, and changes nothing.
 */

const FORMAT = 'v1';
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 32;

/** 64 MB, some 0.2 s: once a start. */
const SCRYPT = { N: 2 ** 16, r: 8, p: 1, maxmem: 128 * 1024 ** 2 };

/** 32 bytes as hex or base64; everything else is a passphrase. */
const KEY_AS_HEX = /^[0-9a-f]{64}$/i;
const KEY_AS_BASE64 = /^[A-Za-z0-9+/_-]{43}=?$/;

interface SealingKey {
  id: string;
  encryption: Buffer;
  nonces: Buffer;
}

/** Encrypts credentials for the store, and decrypts what it has. */
export class Sealer {
  readonly #current: SealingKey;
  readonly #byId: ReadonlyMap<string, SealingKey>;
  readonly #secrets: readonly string[];

  /** `previous`: the secret before, by which what it encrypted can still be read. */
  constructor(secret: string, previous: string | undefined, salt: Buffer) {
    this.#secrets = previous === undefined ? [secret] : [secret, previous];
    const keys = this.#secrets.map((text) => deriveKey(text, salt));
    this.#current = keys[0] ?? deriveKey(secret, salt);
    this.#byId = new Map(keys.map((key) => [key.id, key]));
  }

  /** The secrets themselves, for whoever must not tell them. */
  get secrets(): readonly string[] {
    return this.#secrets;
  }

  seal(credential: string, place: string): string {
    const { id, encryption, nonces } = this.#current;
    const nonce = createHmac('sha256', nonces)
      .update(`${place}\n${credential}`)
      .digest()
      .subarray(0, NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, encryption, nonce).setAAD(boundTo(id, place));
    const data = [nonce, cipher.update(credential, 'utf8'), cipher.final(), cipher.getAuthTag()];
    return [FORMAT, id, Buffer.concat(data).toString('base64url')].join('.');
  }

  /** `undefined` where no key here is the one, or it was encrypted for another place. */
  unseal(sealed: string, place: string): string | undefined {
    const { id, data } = readSealed(sealed);
    const key = this.#byId.get(id);
    if (!key || data.length < NONCE_BYTES + TAG_BYTES) return undefined;
    const end = data.length - TAG_BYTES;
    const decipher = createDecipheriv(CIPHER, key.encryption, data.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(boundTo(id, place)).setAuthTag(data.subarray(end));
    try {
      return decipher.update(data.subarray(NONCE_BYTES, end), undefined, 'utf8') + decipher.final('utf8');
    } catch {
      return undefined;
    }
  }

  isCurrent(sealed: string): boolean {
    return readSealed(sealed).id === this.#current.id;
  }
}

/** The name of the key that something is encrypted under. */
export function keyIdOf(sealed: string): string {
  return readSealed(sealed).id;
}

function readSealed(sealed: string): { id: string; data: Buffer } {
  const [format, id = '', data = ''] = sealed.split('.');
  return format === FORMAT ? { id, data: Buffer.from(data, 'base64url') } : { id: '', data: Buffer.alloc(0) };
}

function boundTo(id: string, place: string): Buffer {
  return Buffer.from(`fairlead ${FORMAT} ${id} ${place}`);
}

/** A key of 32 bytes is taken as it is; a passphrase is made one by scrypt. HKDF-SHA-256 makes the keys of it. */
function deriveKey(secret: string, salt: Buffer): SealingKey {
  const bytes = readKey(secret) ?? scryptSync(secret, salt, 32, SCRYPT);
  const derive = (purpose: string, length: number) =>
    Buffer.from(hkdfSync('sha256', bytes, salt, `fairlead ${FORMAT} ${purpose}`, length));
  return {
    id: derive('key id', 8).toString('hex'),
    encryption: derive('encryption', 32),
    nonces: derive('nonces', 32),
  };
}

function readKey(secret: string): Buffer | undefined {
  if (KEY_AS_HEX.test(secret)) return Buffer.from(secret, 'hex');
  return KEY_AS_BASE64.test(secret) ? Buffer.from(secret, 'base64url') : undefined;
}

/** What `FAIRLEAD_SECRET` says; `undefined` where it is not set. `salt`: the store's. */
export function openSealer(env: Environment, salt: Buffer): Sealer | undefined {
  const secret = readVariable(env, 'FAIRLEAD_SECRET');
  return secret === undefined
    ? undefined
    : new Sealer(secret, readVariable(env, 'FAIRLEAD_SECRET_PREVIOUS'), salt);
}

/** `undefined` where the store has none yet. */
export async function findSalt({ db }: Pick<Store, 'db'>): Promise<Buffer | undefined> {
  const row = await db.selectFrom('sealing').select('salt').executeTakeFirst();
  return row && Buffer.from(row.salt, 'hex');
}

/** The random salt of a store, made at its first start: all instances have the same. It is told nowhere. */
export async function readSalt({ db }: Pick<Store, 'db'>): Promise<Buffer> {
  const made = { id: 1, salt: randomBytes(SALT_BYTES).toString('hex') };
  await db
    .insertInto('sealing')
    .values(made)
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute();
  const { salt } = await db.selectFrom('sealing').select('salt').executeTakeFirstOrThrow();
  return Buffer.from(salt, 'hex');
}
