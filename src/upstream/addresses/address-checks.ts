import { describeNetworkError } from '../network-errors.ts';
import type { Address } from './address.ts';
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
 * configured number of them, a second apart.
 */
export class AddressChecks {
  readonly #options: AddressChecksOptions;
  readonly #standings = new Map<Address, Standing>();
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
      this.#standings.set(address, { failures: 0, passes: 0, callOff: undefined });
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
    let failure: string | undefined;
    try {
      await this.#options.probe(address);
    } catch (error) {
      failure = describeNetworkError(error);
    }
    if (this.#stopped || this.#standings.get(address) !== standing) return;
    if (failure === undefined) this.#passed(address, standing);
    else this.#failed(address, standing, failure);
    if (standing.callOff === undefined) this.#askLater(address, standing);
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

  #askLater(address: Address, standing: Standing): void {
    const { check, schedule } = this.#options;
    if (!check && address.isWell && standing.failures === 0) return;
    const isDoubtful = !address.isUsable || standing.failures > 0;
    const intervalMs = check?.interval ?? DOUBTFUL_MS;
    const delayMs = isDoubtful ? Math.min(DOUBTFUL_MS, intervalMs) : intervalMs;
    standing.callOff = schedule(() => void this.#ask(address), delayMs);
  }
}
