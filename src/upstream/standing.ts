/** How long nothing is sent with a rejected credential before one call probes it; twice as long after each probe that fails. */
const FIRST_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 10 * 60_000;

/** What a credential has to show before it replaces its account's. */
export interface TrialOptions {
  /** Of the account's calls, from 0 to 1. */
  share: number;
  /** Calls that go well. */
  proveAfter: number;
}

/** Whether a provider takes a credential, as this instance saw it. It is kept as long as the account is configured alike. */
export class Standing {
  /** There is something to learn from calls that go well. */
  watched: boolean;
  readonly trial: Trial | undefined;
  readonly #now: () => number;
  /** Unix milliseconds; 0: it is accepted. */
  #restsUntil = 0;
  #pauseMs = FIRST_PAUSE_MS;
  /** Rejections that may be an access token's that was revoked before its time. */
  readonly #mayBeToken: boolean;
  #tokenRejected = false;

  constructor(now: () => number, options: { mayBeToken: boolean; trial?: TrialOptions | undefined }) {
    this.#now = now;
    this.#mayBeToken = options.mayBeToken;
    this.trial = options.trial && new Trial(options.trial);
    this.watched = this.trial !== undefined;
  }

  /** The provider did not accept it, and has not since. */
  get isRejected(): boolean {
    return this.#restsUntil !== 0 || this.trial?.outcome === 'failed';
  }

  /** Nothing is to be sent with it: it was rejected, and is not to be probed yet; or it failed its trial. */
  get isOut(): boolean {
    if (this.trial?.outcome === 'failed') return true;
    return this.#restsUntil !== 0 && this.#now() < this.#restsUntil;
  }

  /** To be asked before each request: of a rejected credential one call at a time is the probe. */
  mayTry(): boolean {
    if (this.#restsUntil === 0 && this.trial?.outcome !== 'failed') return true;
    if (this.isOut) return false;
    this.#rest();
    return true;
  }

  /** Has the next call probe it, whatever its pause. Gives whether there is anything to probe. */
  probeNext(): boolean {
    if (this.#restsUntil === 0) return false;
    this.#restsUntil = this.#now();
    return true;
  }

  /** The provider did not accept it. Gives whether that is news, for an alarm. */
  reject(): boolean {
    if (this.#mayBeToken && !this.#tokenRejected) {
      this.#tokenRejected = true;
      this.watched = true;
      return false;
    }
    if (this.trial) return this.trial.fail();
    this.watched = true;
    const isNews = this.#restsUntil === 0;
    // A probe has begun its pause already.
    if (isNews) this.#rest();
    return isNews;
  }

  /** A call went well. Gives what that is news of. */
  accept(): 'accepted' | 'proven' | undefined {
    this.#tokenRejected = false;
    if (this.trial) return this.trial.succeed() ? 'proven' : undefined;
    const wasRejected = this.#restsUntil !== 0;
    this.#restsUntil = 0;
    this.#pauseMs = FIRST_PAUSE_MS;
    this.watched = false;
    return wasRejected ? 'accepted' : undefined;
  }

  #rest(): void {
    this.#restsUntil = this.#now() + this.#pauseMs;
    this.#pauseMs = Math.min(2 * this.#pauseMs, LONGEST_PAUSE_MS);
  }
}

/** Of a credential that is to replace another. Once proven it has all calls, until the configuration says so, too. */
export class Trial {
  readonly options: TrialOptions;
  outcome: 'open' | 'proven' | 'failed' = 'open';
  /** Calls that went well. */
  good = 0;
  #due = 0;

  constructor(options: TrialOptions) {
    this.options = options;
  }

  /** Whether the next call is for this credential: exactly its share of them are. */
  takesCall(): boolean {
    if (this.outcome !== 'open') return this.outcome === 'proven';
    this.#due += this.options.share;
    // Tenths do not add up to a whole in binary.
    if (this.#due < 1 - 1e-9) return false;
    this.#due -= 1;
    return true;
  }

  succeed(): boolean {
    this.good += 1;
    if (this.outcome !== 'open' || this.good < this.options.proveAfter) return false;
    this.outcome = 'proven';
    return true;
  }

  fail(): boolean {
    const isNews = this.outcome !== 'failed';
    this.outcome = 'failed';
    return isNews;
  }
}
