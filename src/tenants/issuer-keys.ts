import { createLocalJWKSet, errors, type FlattenedJWSInput, type JWK, type JWTHeaderParameters } from 'jose';
import { isObject } from '../conversation/json.ts';

export interface IssuerKeysOptions {
  /** `iss`, to the letter. */
  issuer: string;
  /** Where absent, OpenID discovery says it. */
  jwksUrl?: string | undefined;
  /** For how long tokens with unknown keys do not have the keys fetched again. */
  cooldownMs: number;
  fetch: typeof globalThis.fetch;
  /** Unix milliseconds. */
  now: () => number;
}

type FindKey = ReturnType<typeof createLocalJWKSet>;

/** The keys as they were at a moment. */
interface Found {
  find: FindKey;
  /** Unix milliseconds. */
  atMs: number;
}

/** The key of a token. */
export interface TokenKey {
  key: Awaited<ReturnType<FindKey>>;
  /** Unix milliseconds: until when it need not be found again. */
  freshUntilMs: number;
}

const TIMEOUT_MS = 5_000;
/** Keys that their issuer took back are out after so long. */
const FRESH_MS = 600_000;
/** How long keys count while their issuer cannot be asked whether they are still its own. */
const KEPT_MS = 86_400_000;
/** How long a token waits for newer keys where there are some: an issuer that hangs must not hold up whom it has let in. */
const PATIENCE_MS = 500;
/** While an issuer cannot be asked, calls do not wait for it one after the other. */
export const RETRY_MS = 5_000;

/**
 * The public keys of an issuer (RFC 7517), fetched when they are needed first, and again where they are ten minutes old, or a token
 * has one that is not among them. One fetch at a time, whoever waits for it.
 */
export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #found: Found | undefined;
  #url: string | undefined;
  #fetching: Promise<Found> | undefined;
  #failed: { error: unknown; untilMs: number } | undefined;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
    this.#url = options.jwksUrl;
  }

  /** Finds the key of a token by what jose gives. Rejects with the error of whoever was asked where it cannot be told. */
  async find(header: JWTHeaderParameters, token: FlattenedJWSInput): Promise<TokenKey> {
    const { now, cooldownMs } = this.#options;
    let found = await this.#current();
    const look = async (): Promise<TokenKey> => {
      const key = await found.find(header, token);
      const freshUntilMs = found.atMs + FRESH_MS;
      // Old keys count while their issuer cannot be asked, and it is not asked again by each call.
      return { key, freshUntilMs: freshUntilMs > now() ? freshUntilMs : now() + RETRY_MS };
    };
    try {
      return await look();
    } catch (error) {
      const age = now() - (this.#found?.atMs ?? 0);
      if (!(error instanceof errors.JWKSNoMatchingKey) || age < cooldownMs) throw error;
      found = await this.#fetch();
      return look();
    }
  }

  async #current(): Promise<Found> {
    const found = this.#found;
    if (!found) return this.#fetch();
    const age = this.#options.now() - found.atMs;
    if (age < FRESH_MS) return found;
    if (age >= KEPT_MS) return this.#fetch();
    const late = Promise.withResolvers<Found>();
    const timer = setTimeout(() => late.resolve(found), PATIENCE_MS);
    try {
      return await Promise.race([this.#fetch(), late.promise]);
    } catch {
      // Whoever made the fetch notes why it failed; these keys count meanwhile.
      return found;
    } finally {
      clearTimeout(timer);
    }
  }

  #fetch(): Promise<Found> {
    if (this.#fetching) return this.#fetching;
    const { now } = this.#options;
    if (this.#failed && now() < this.#failed.untilMs) return Promise.reject(this.#failed.error);
    this.#fetching = this.#ask().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #ask(): Promise<Found> {
    const { jwksUrl, now } = this.#options;
    try {
      this.#url ??= await this.#discover();
      const { keys } = await this.#get(this.#url);
      if (!Array.isArray(keys)) throw new Error(`${this.#url} has no keys`);
      // What jose cannot use of them finds no token.
      const find = createLocalJWKSet({ keys: keys.filter(isObject) as JWK[] });
      const found = { find, atMs: now() };
      this.#found = found;
      this.#failed = undefined;
      return found;
    } catch (error) {
      // They may be elsewhere by now.
      this.#url = jwksUrl;
      this.#failed = { error, untilMs: now() + RETRY_MS };
      throw error;
    }
  }

  /** OpenID Connect Discovery 1.0, section 4. */
  async #discover(): Promise<string> {
    const { issuer } = this.#options;
    const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const found = await this.#get(url);
    if (found['issuer'] !== issuer) throw new Error(`${url} is not about this issuer`);
    const { jwks_uri: keys } = found;
    if (typeof keys !== 'string' || !URL.canParse(keys)) throw new Error(`${url} has no jwks_uri`);
    return keys;
  }

  async #get(url: string) {
    const answer = await this.#options.fetch(url, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      redirect: 'error',
    });
    if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
    const found: unknown = await answer.json();
    if (!isObject(found)) throw new Error(`${url} answers with something else than a mapping`);
    return found;
  }
}
