import { decodeJwt } from 'jose';
import { refuseToken, type TokenIssuer, type VerifiedToken } from './token-issuer.ts';

/** However many callers there are: so many of their tokens are remembered. */
const MAX_REMEMBERED = 10_000;
/** Longer than any issuer makes one; what is checked first must not cost much. */
const MAX_LENGTH = 16_384;

interface Admitted<Caller> {
  caller: Caller;
  /** Unix milliseconds. */
  knownUntil: number;
}

/** A token that was found to be right, and by whom. */
interface Verified {
  issuer: TokenIssuer;
  token: VerifiedToken;
}

/**
 * The callers of a snapshot that come with tokens of an issuer. A token that was verified is known as it came while its
 * issuer's keys are fresh, also to the rings of later snapshots: its further calls cost a look into a map.
 */
export class TokenRing<Caller> {
  readonly #issuers: ReadonlyMap<string, TokenIssuer>;
  readonly #callerOf: (issuer: TokenIssuer, token: VerifiedToken) => Caller;
  readonly #now: () => number;
  readonly #admitted = new Map<string, Admitted<Caller>>();
  readonly #underWay = new Map<string, Promise<void>>();
  /** One for all rings that follow each other. What a token makes of a caller is each ring's own to say. */
  readonly #verified: Map<string, Verified>;

  /** @param callerOf throws where the token's claims make it nobody's */
  constructor(
    issuers: Iterable<TokenIssuer>,
    callerOf: (issuer: TokenIssuer, token: VerifiedToken) => Caller,
    now: () => number,
    before?: TokenRing<Caller>,
  ) {
    this.#issuers = new Map([...issuers].map((issuer) => [issuer.issuer, issuer]));
    this.#callerOf = callerOf;
    this.#now = now;
    this.#verified = before ? before.#verified : new Map();
  }

  /** The caller of a token that was let in. */
  find(token: string): Caller | undefined {
    const admitted = this.#admitted.get(token);
    if (!admitted) return undefined;
    if (admitted.knownUntil > this.#now()) return admitted.caller;
    this.#admitted.delete(token);
    return undefined;
  }

  /**
   * Verifies a token, which `find` then knows.
   *
   * @throws GatewayError `unauthenticated`, `forbidden`, `overloaded`
   */
  admit(token: string): Promise<void> {
    const underWay = this.#underWay.get(token);
    if (underWay) return underWay;
    const verified = this.#verify(token).finally(() => this.#underWay.delete(token));
    this.#underWay.set(token, verified);
    return verified;
  }

  async #verify(token: string): Promise<void> {
    const issuer = this.#findIssuer(token);
    const verified = this.#findVerified(issuer, token) ?? (await issuer.verify(token));
    remember(this.#verified, token, { issuer, token: verified });
    const caller = this.#callerOf(issuer, verified);
    remember(this.#admitted, token, { caller, knownUntil: verified.knownUntil });
  }

  /** An issuer that asks of its tokens what it did is the same; another one may ask for more. */
  #findVerified(issuer: TokenIssuer, token: string): VerifiedToken | undefined {
    const known = this.#verified.get(token);
    if (!known) return undefined;
    if (known.issuer === issuer && known.token.knownUntil > this.#now()) return known.token;
    this.#verified.delete(token);
    return undefined;
  }

  /** By what the token says of itself, before anything of it is believed. */
  #findIssuer(token: string): TokenIssuer {
    if (token.length > MAX_LENGTH) throw refuseToken(`is longer than ${MAX_LENGTH} characters`);
    const issuer = this.#issuers.get(readIssuer(token) ?? '');
    if (!issuer) throw refuseToken('is of an issuer that is not known here');
    return issuer;
  }
}

function remember<Value>(tokens: Map<string, Value>, token: string, value: Value): void {
  if (tokens.size >= MAX_REMEMBERED) tokens.clear();
  tokens.set(token, value);
}

function readIssuer(token: string): string | undefined {
  try {
    return decodeJwt(token).iss;
  } catch {
    throw refuseToken('is no signed JWT');
  }
}

/** The compact form of RFC 7515: three parts, of which the first is JSON in base64. No key of ours begins so. */
export function looksLikeToken(credential: string): boolean {
  return credential.startsWith('eyJ') && credential.split('.', 4).length === 3;
}
