import { describeNetworkError } from '../network-errors.ts';
import type { Address } from './address.ts';
import { CheckRefusal } from './check-refusal.ts';
import type { CheckOptions } from './servers.ts';

/** How often an address that is not well, or may not be, is asked. */
const DOUBTFUL_MS = 1_000;

export interface AddressChecksOptions {
  /** Absent: only those are asked that refused a connection, until they are back. */
  check: CheckOptions | undefined;
  /** @throws Error where the address is not well */
  probe(address: Address): Promise<void>;
  /** Runs a task once after a delay; the function given back calls it off. */
  schedule(task: () => void, delayMs: number): () => void;
  /** Unix milliseconds. */
  now(): number;
  /** One that was well is not any more, or the other way round. */
  onChange(address: Address): void;
  /** As many configured checks as make an address well went well, one after another. Told again with each further one. */
  onPassed(address: Address): void;
}

interface Standing {
  failures: number;
  passes: number;
  /** Calls the next check off; absent while one is under way, or none is to come. */
  callOff: (() => void) | undefined;
}

/**
 * Asks the addresses of an account whether they are well. What was never well is out at its first failed check; what was has the
 * configured number of them, a second apart. A limit that a check meets is the account's: it says nothing of the address. None is made
 * before the time that one was told.
 */
export class AddressChecks {
  readonly #options: AddressChecksOptions;
  readonly #standings = new Map<Address, Standing>();
  /** Unix milliseconds: before which the account wants no check. */
  #limitedUntilMs = 0;
  #stopped = false;

  constructor(options: AddressChecksOptions) {
    this.#options = options;
  }

  /** These are the addresses from now on. */
  follow(addresses: readonly Address[]): void {
    if (this.#stopped) return;
    for (const [address, { callOff }] of this.#standings) {
      if (addresses.includes(address)) continue;
      callOff?.();
      this.#standings.delete(address);
    }
    for (const address of addresses) {
      if (this.#standings.has(address)) continue;
      const standing: Standing = { failures: 0, passes: 0, callOff: undefined };
      this.#standings.set(address, standing);
      address.unaskedUntilMs = Math.max(address.unaskedUntilMs, this.#limitedUntilMs);
      if (this.#options.check || !address.isWell) void this.#ask(address);
    }
  }

  /** A call found no connection to be had: that is proof enough. */
  refused(address: Address): void {
    const standing = this.#standings.get(address);
    if (!standing) return;
    standing.passes = 0;
    this.#mark(address, false);
    if (this.#stopped || (standing.callOff === undefined && this.#options.check)) return;
    standing.callOff?.();
    this.#askLater(address, standing);
  }

  /** Calls of it fail: checks that go well from now on say that it is back. */
  doubt(address: Address): void {
    const standing = this.#standings.get(address);
    if (!standing) return;
    standing.passes = 0;
    if (this.#stopped || standing.callOff === undefined) return;
    standing.callOff();
    this.#askLater(address, standing);
  }

  stop(): void {
    this.#stopped = true;
    for (const { callOff } of this.#standings.values()) callOff?.();
  }

  async #ask(address: Address): Promise<void> {
    const standing = this.#standings.get(address);
    if (!standing) return;
    standing.callOff = undefined;
    const restMs = address.unaskedUntilMs - this.#options.now();
    if (restMs > 0) {
      this.#askIn(address, standing, restMs);
      return;
    }
    let failure: unknown;
    try {
      await this.#options.probe(address);
    } catch (error) {
      failure = error;
    }
    if (this.#stopped || this.#standings.get(address) !== standing) return;
    if (failure instanceof CheckRefusal) this.#noteWait(address, failure);
    const isLimited = failure instanceof CheckRefusal && failure.isLimited;
    if (failure === undefined) this.#passed(address, standing);
    else if (!isLimited) this.#failed(address, standing, describeNetworkError(failure));
    if (standing.callOff === undefined) this.#askLater(address, standing, isLimited);
  }

  /** What fails is an address; a limit is the account's. */
  #noteWait(address: Address, { isLimited, waitMs }: CheckRefusal): void {
    if (waitMs === undefined) return;
    const untilMs = this.#options.now() + waitMs;
    if (isLimited) this.#limitedUntilMs = Math.max(this.#limitedUntilMs, untilMs);
    for (const one of isLimited ? this.#standings.keys() : [address])
      one.unaskedUntilMs = Math.max(one.unaskedUntilMs, untilMs);
  }

  #passed(address: Address, standing: Standing): void {
    standing.failures = 0;
    standing.passes += 1;
    const { check } = this.#options;
    const isEnough = standing.passes >= (check?.healthyAfter ?? 1);
    if (!isEnough && !address.isWell) return;
    address.isProven = true;
    this.#mark(address, true);
    if (isEnough && check) this.#options.onPassed(address);
  }

  #failed(address: Address, standing: Standing, reason: string): void {
    standing.passes = 0;
    standing.failures += 1;
    address.lastError = reason;
    const enough = address.isProven ? (this.#options.check?.unhealthyAfter ?? 1) : 1;
    if (standing.failures >= enough) this.#mark(address, false);
  }

  #mark(address: Address, isWell: boolean): void {
    if (address.isWell === isWell) return;
    address.isWell = isWell;
    address.sinceMs = this.#options.now();
    this.#options.onChange(address);
  }

  /** `isLimited`: none sooner than of one that is well. */
  #askLater(address: Address, standing: Standing, isLimited = false): void {
    const { check } = this.#options;
    if (!check && address.isWell && standing.failures === 0) return;
    const isDoubtful = !address.isUsable || standing.failures > 0;
    const intervalMs = check?.interval ?? DOUBTFUL_MS;
    const isSoon = isDoubtful && !isLimited;
    this.#askIn(address, standing, isSoon ? Math.min(DOUBTFUL_MS, intervalMs) : intervalMs);
  }

  #askIn(address: Address, standing: Standing, delayMs: number): void {
    const { schedule, now } = this.#options;
    const restMs = Math.ceil(address.unaskedUntilMs - now());
    standing.callOff = schedule(() => void this.#ask(address), Math.max(delayMs, restMs));
  }
}
