import { errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { GatewayError } from '../conversation/gateway-error.ts';
import { IssuerKeys, RETRY_MS } from './issuer-keys.ts';

export interface TokenIssuerOptions {
  name: string;
  /** `iss`, to the letter. */
  issuer: string;
  audience: readonly string[];
  /** Where absent, OpenID discovery says it. */
  jwksUrl?: string | undefined;
  algorithms: readonly string[];
  clockToleranceMs: number;
  /** For how long tokens with unknown keys do not have the keys fetched again; 10 seconds where absent. */
  cooldownMs?: number;
}

export interface TokenContext {
  fetch: typeof globalThis.fetch;
  /** Unix milliseconds. */
  now: () => number;
  warn(fields: object, message: string): void;
}

/** A token whose signature, issuer, audience and time have been checked (RFC 7519). */
export interface VerifiedToken {
  claims: JWTPayload;
  /** Unix milliseconds: when it expires, tolerance included, or its issuer may have taken its key back: then it is verified again. */
  knownUntil: number;
}

const COOLDOWN_MS = 10_000;

/**
 * Who signs tokens. Its public keys are fetched at its first token and kept; a token with an unknown key id has them
 * fetched again, though not all the time, so that keys can be rotated. While it cannot be asked, the keys that it had count.
 */
export class TokenIssuer {
  readonly name: string;
  readonly issuer: string;
  readonly #options: TokenIssuerOptions;
  readonly #context: TokenContext;
  readonly #keys: IssuerKeys;
  #quietUntilMs = 0;

  constructor(options: TokenIssuerOptions, context: TokenContext) {
    this.name = options.name;
    this.issuer = options.issuer;
    this.#options = options;
    this.#context = context;
    const { issuer, jwksUrl, cooldownMs = COOLDOWN_MS } = options;
    this.#keys = new IssuerKeys({ issuer, jwksUrl, cooldownMs, fetch: context.fetch, now: context.now });
  }

  /** @throws GatewayError `unauthenticated` saying what is wrong with the token; `overloaded` where the issuer cannot be asked */
  async verify(token: string): Promise<VerifiedToken> {
    const { issuer, audience, algorithms, clockToleranceMs } = this.#options;
    let freshUntilMs = 0;
    const findKey: JWTVerifyGetKey = async (header, input) => {
      const found = await this.#keys.find(header, input);
      freshUntilMs = found.freshUntilMs;
      return found.key;
    };
    try {
      const { payload } = await jwtVerify(token, findKey, {
        issuer,
        audience: [...audience],
        algorithms: [...algorithms],
        clockTolerance: clockToleranceMs / 1000,
        currentDate: new Date(this.#context.now()),
        requiredClaims: ['exp'],
      });
      const expiresAt = (payload.exp ?? 0) * 1000 + clockToleranceMs;
      return { claims: payload, knownUntil: Math.min(expiresAt, freshUntilMs) };
    } catch (error) {
      if (isFaultOfToken(error)) throw refuseToken(describeFault(error));
      throw this.#unreachable(error);
    }
  }

  #unreachable(error: unknown): GatewayError {
    if (this.#context.now() >= this.#quietUntilMs) {
      this.#quietUntilMs = this.#context.now() + RETRY_MS;
      this.#context.warn(
        { event: 'issuer_unreachable', issuer: this.name, err: error },
        'the issuer of access tokens cannot be asked for its keys',
      );
    }
    return new GatewayError(
      'overloaded',
      'The issuer of this token cannot be asked for its keys; try again.',
      {
        code: 'issuer_unreachable',
        retryAfterMs: RETRY_MS,
      },
    );
  }
}

/** Of jose's errors: those that a token brought about. */
function isFaultOfToken(error: unknown): error is errors.JOSEError {
  return (
    error instanceof errors.JOSEError &&
    (/^ERR_JW[TSE]_/.test(error.code) ||
      /^ERR_JOSE_(?:ALG_NOT_ALLOWED|NOT_SUPPORTED)$/.test(error.code) ||
      /^ERR_JWKS_(?:NO|MULTIPLE)_MATCHING_KEYS?$/.test(error.code))
  );
}

function describeFault(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.reason === 'missing') return `has no claim '${error.claim}'`;
    if (error.claim === 'nbf') return "is not valid yet ('nbf')";
    return `has another '${error.claim}' than it must have`;
  }
  if (error instanceof errors.JOSEAlgNotAllowed) return 'is signed in a way that is not allowed here';
  if (error instanceof errors.JWKSNoMatchingKey) return 'is signed with a key that its issuer does not have';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'has a signature that is not right';
  return 'is no signed JWT';
}

export function refuseToken(what: string): GatewayError {
  return new GatewayError('unauthenticated', `The access token ${what}.`, { code: 'invalid_token' });
}
