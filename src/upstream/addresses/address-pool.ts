import { isIPv6 } from 'node:net';
import { MOST_LEFT } from '../failure-row.ts';
import { Address, type FoundAddress } from './address.ts';

/** Weight 0 among others is "a very small chance of being selected" (RFC 2782). */
const HARDLY_ANY = 0.1;

/** An attempt that failed. */
export interface AddressFailure {
  /** Monotonic milliseconds: when it was sent, and now. */
  sentMs: number;
  nowMs: number;
  /** The connection broke, or there was none: what was under way over others broke at the same time, and is the same failure. */
  isBroken: boolean;
  /** A short word for it. */
  reason: string;
  /** It broke off behind the first output of its answer, of which `succeed` was told. */
  wasAnswered?: boolean;
}

/** The base URL of an account. */
export interface Base {
  /** Scheme, host and port. */
  origin: string;
  /** Path without a trailing slash. */
  path: string;
}

export interface AddressChange {
  added: readonly Address[];
  removed: readonly Address[];
}

/** The addresses of one account, of which each attempt goes to one. */
export class AddressPool {
  readonly base: Base;
  readonly #now: () => number;
  #addresses: Address[] = [];
  /** Of those that are not listed any more, the times that they named and that are not over. */
  readonly #named = new Map<string, number>();
  /** Told of an address that refused a connection, or had none to give. */
  onRefused: ((address: Address) => void) | undefined;
  /** Told of an address that is to be left out for its failures, and what those were. */
  onOutlier: ((address: Address, reason: string) => void) | undefined;

  constructor(base: Base, now: () => number) {
    this.base = base;
    this.#now = now;
  }

  get addresses(): readonly Address[] {
    return this.#addresses;
  }

  /** Whether there is one that may be used. */
  get isWell(): boolean {
    for (const address of this.#addresses) if (address.isUsable) return true;
    return false;
  }

  /** Whether one that may be used, and does not rest, has not been tried yet. */
  hasOther(tried: readonly Address[]): boolean {
    const nowMs = this.#now();
    return this.#addresses.some(
      (address) => address.isUsable && address.restsUntilMs <= nowMs && !tried.includes(address),
    );
  }

  /** It wants to be left alone for so long. */
  rest(address: Address, forMs: number): void {
    address.restsUntilMs = Math.max(address.restsUntilMs, this.#now() + forMs);
  }

  /** For how long yet all that may be used want to be left alone, or all there are where none may; `undefined` where one does not. */
  get restMs(): number | undefined {
    const hasUsable = this.isWell;
    let firstMs = Number.POSITIVE_INFINITY;
    for (const { isUsable, restsUntilMs } of this.#addresses)
      if (isUsable || !hasUsable) firstMs = Math.min(firstMs, restsUntilMs);
    const restMs = firstMs - this.#now();
    return restMs > 0 && Number.isFinite(restMs) ? restMs : undefined;
  }

  /**
   * The address for the next attempt: one that is well before any other, one that does not rest before one that does, one that is not left
   * out for its failures before one that is, one that was not tried before those that were, then the lowest priority, then the fewest
   * attempts under way for its weight. Those that are alike in all of that take turns by their weights. Where none is well, all are as
   * if they were. `undefined` where there is none.
   */
  choose(tried: readonly Address[]): Address | undefined {
    const nowMs = this.#now();
    let best: Address | undefined;
    let ties = 0;
    for (const address of this.#addresses) {
      const order = best ? compare(address, best, tried, nowMs) : -1;
      if (order < 0) ties = 0;
      if (order > 0) continue;
      ties += 1;
      best = address;
    }
    return best && ties > 1 ? this.#takeTurns(best, tried, nowMs) : best;
  }

  /** Each is owed its weight a turn, and who is owed most pays what all were owed: smooth even with few turns. */
  #takeTurns(like: Address, tried: readonly Address[], nowMs: number): Address {
    let chosen = like;
    let total = 0;
    let most = Number.NEGATIVE_INFINITY;
    for (const address of this.#addresses) {
      if (compare(address, like, tried, nowMs) !== 0) continue;
      address.due += address.weight;
      total += address.weight;
      if (address.due <= most) continue;
      most = address.due;
      chosen = address;
    }
    chosen.due -= total;
    return chosen;
  }

  /** There was no connection to be had: it is not used until it is back. */
  refuse(address: Address, reason: string): void {
    address.lastError = reason;
    if (address.isGone) return;
    this.onRefused?.(address);
  }

  /** An attempt is answered: whole, or with the first output of a stream. */
  succeed(address: Address): void {
    address.row.answer();
    address.left = 0;
  }

  /** An answer came to its end. */
  complete(address: Address): void {
    address.row.complete();
  }

  /** What fails while others go well elsewhere is the address's fault. */
  fail(address: Address, { sentMs, nowMs, isBroken, reason, wasAnswered = false }: AddressFailure): void {
    if (address.isGone || (isBroken && sentMs < address.failedMs)) return;
    address.failedMs = nowMs;
    address.row.fail(wasAnswered);
    if (!address.row.isLong() || !this.#mayEject(address)) return;
    const { length } = address.row;
    this.onOutlier?.(address, `${length} attempts one after another failed, the last one: ${reason}`);
  }

  /** A client that had waited for long left before anything of its answer came. Gives whether another address does better. */
  leave(address: Address): boolean {
    const isOtherWell = this.#isOtherWell(address);
    if (address.isGone) return isOtherWell;
    address.left += 1;
    if (address.left >= MOST_LEFT && this.#mayEject(address))
      this.onOutlier?.(address, `${address.left} clients one after another left before they were answered`);
    return isOtherWell;
  }

  /** Never more than the half, and none where the others do no better. */
  #mayEject(address: Address): boolean {
    if (address.ejectedUntilMs !== undefined) return false;
    const ejected = this.#addresses.filter(({ ejectedUntilMs }) => ejectedUntilMs !== undefined).length;
    return this.#isOtherWell(address) && ejected + 1 <= this.#addresses.length / 2;
  }

  /** Whether another that may be used has nothing against it since it was last answered. */
  #isOtherWell(address: Address): boolean {
    return this.#addresses.some(
      (other) => other !== address && other.isUsable && other.row.isEmpty && other.left === 0,
    );
  }

  /** @throws Error for an address that the account cannot be called at */
  check(found: readonly FoundAddress[]): void {
    for (const one of found) place(one, this.base);
  }

  /**
   * These are the addresses from now on. Those that were there stay what they were.
   *
   * @throws Error, and nothing changes, as `check` does
   */
  replace(found: readonly FoundAddress[]): AddressChange {
    const nowMs = this.#now();
    const before = new Map(this.#addresses.map((address) => [address.key, address]));
    const next = new Map<string, Address>();
    const added: Address[] = [];
    const listed = found.map((one) => {
      const { origin, name } = place(one, this.base);
      return new Address(origin, name, one, nowMs);
    });
    for (const address of listed) {
      if (next.has(address.key)) continue;
      const known = before.get(address.key);
      if (known) Object.assign(known, { weight: address.weight, priority: address.priority });
      else added.push(this.#remember(address, nowMs));
      next.set(address.key, known ?? address);
    }
    const removed = this.#addresses.filter(({ key }) => !next.has(key));
    for (const [key, untilMs] of this.#named) if (untilMs <= nowMs || next.has(key)) this.#named.delete(key);
    for (const address of removed) {
      address.isGone = true;
      if (address.restsUntilMs > nowMs) this.#named.set(address.key, address.restsUntilMs);
    }
    this.#addresses = [...next.values()];
    evenOut(this.#addresses);
    return { added, removed };
  }

  /** One that comes back is a new one, but for the time that it named. */
  #remember(address: Address, nowMs: number): Address {
    const untilMs = this.#named.get(address.key) ?? 0;
    if (untilMs > nowMs) address.restsUntilMs = untilMs;
    return address;
  }

  /** Nothing looks for its addresses any more: what goes to them still, of a configuration before, keeps nothing open. */
  retire(): void {
    for (const address of this.#addresses) address.isGone = true;
  }
}

/** Below 0: the first goes before the second. */
function compare(one: Address, other: Address, tried: readonly Address[], nowMs: number): number {
  if (one.isWell !== other.isWell) return one.isWell ? -1 : 1;
  const rests = one.restsUntilMs > nowMs;
  if (rests !== other.restsUntilMs > nowMs) return rests ? 1 : -1;
  if (one.isUsable !== other.isUsable) return one.isUsable ? -1 : 1;
  if (tried.length > 0) {
    const wasTried = tried.includes(one);
    if (wasTried !== tried.includes(other)) return wasTried ? 1 : -1;
  }
  if (one.priority !== other.priority) return one.priority - other.priority;
  return one.inFlight * other.weight - other.inFlight * one.weight;
}

/** Where all of a priority have weight 0, they are alike. */
function evenOut(addresses: readonly Address[]): void {
  const weighted = new Set(addresses.filter(({ weight }) => weight > 0).map(({ priority }) => priority));
  for (const address of addresses)
    if (address.weight === 0) address.weight = weighted.has(address.priority) ? HARDLY_ANY : 1;
}

/**
 * What is connected to, and whose name it goes by.
 *
 * @throws Error where the account cannot be called there
 */
function place(found: FoundAddress, base: Base): { origin: string; name: string | undefined } {
  const { protocol, port: basePort } = new URL(base.origin);
  const { scheme, host, port, path = '' } = found;
  if (scheme === undefined) {
    const origin = originOf(protocol, host, port ?? basePort);
    return { origin, name: origin === base.origin ? undefined : base.origin };
  }
  if (scheme === 'http:' && protocol === 'https:')
    throw new Error(`${host}: http where the base URL has https would send credentials in the clear`);
  const below = path.replace(/\/+$/, '');
  if (below !== '' && below !== base.path)
    throw new Error(`${host}: the path ${below} is not that of the base URL, ${base.path || '/'}`);
  return { origin: originOf(scheme, host, port ?? ''), name: undefined };
}

function originOf(scheme: string, host: string, port: number | string): string {
  const text = `${scheme}//${isIPv6(host) ? `[${host}]` : host}${port === '' ? '' : `:${port}`}`;
  if (!URL.canParse(text)) throw new Error(`${host} is no host`);
  return new URL(text).origin;
}
