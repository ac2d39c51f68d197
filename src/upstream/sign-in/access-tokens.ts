/** A token as its issuer gives it. */
export interface IssuedToken {
  text: string;
  /** From now. */
  lifetimeMs: number;
}

export interface AccessTokenOptions {
  /** Asks the issuer for a new one. */
  fetchToken: () => Promise<IssuedToken>;
  /** Unix milliseconds. */
  now: () => number;
  /** A renewal failed while the token was still good: calls go on, but not for long. */
  onRenewalFailed: (error: unknown) => void;
}

/** Renewed this long before it ends, so that calls do not wait for it; of a short-lived token half of its life. */
const RENEW_BEFORE_END_MS = 5 * 60_000;
/** Nearer to its end than this a token might end on its way. */
const MARGIN_MS = 10_000;
/** How long a renewal that failed is not tried again while the old token is good. */
const RETRY_AFTER_MS = 10_000;

interface HeldToken {
  text: string;
  endsAt: number;
  renewAt: number;
}

/**
 * The access token of one account: fetched at the first call, renewed before its end. However many calls want one,
 * one request to the issuer is under way at a time.
 */
export class AccessTokens {
  readonly #options: AccessTokenOptions;
  #held: HeldToken | undefined;
  #underWay: Promise<string> | undefined;

  constructor(options: AccessTokenOptions) {
    this.#options = options;
  }

  /** The token that is held now, for whoever must not tell it. */
  get current(): string | undefined {
    return this.#held?.text;
  }

  /** A token that is good. Rejects with what the issuer's request failed with. */
  async get(): Promise<string> {
    const held = this.#held;
    const now = this.#options.now();
    if (!held || held.endsAt - MARGIN_MS <= now) return this.#fetch();
    if (held.renewAt <= now && !this.#underWay) this.#renew(held);
    return held.text;
  }

  /** Forgets the token: it was revoked before its time. */
  drop(): void {
    this.#held = undefined;
  }

  #renew(held: HeldToken): void {
    this.#fetch().catch((error: unknown) => {
      held.renewAt = this.#options.now() + RETRY_AFTER_MS;
      this.#options.onRenewalFailed(error);
    });
  }

  #fetch(): Promise<string> {
    this.#underWay ??= this.#fetchNew().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #fetchNew(): Promise<string> {
    const { text, lifetimeMs } = await this.#options.fetchToken();
    const now = this.#options.now();
    const renewBeforeMs = Math.min(RENEW_BEFORE_END_MS, lifetimeMs / 2);
    this.#held = { text, endsAt: now + lifetimeMs, renewAt: now + lifetimeMs - renewBeforeMs };
    return text;
  }
}
