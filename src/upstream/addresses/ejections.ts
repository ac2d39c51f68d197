import type { Address } from './address.ts';

/*
 * As Envoy does by default ("Outlier detection" of its documentation): 30 s for the first time, 30 s more for each further one, up
 * to 300 s; and one time less for each 10 s that it was back without being left out again.
 */
const EJECTED_MS = 30_000;
const LONGEST_MS = 300_000;
const FORGIVEN_MS = 10_000;

export interface EjectionsOptions {
  /** Runs a task once after a delay; the function given back calls it off. */
  schedule(task: () => void, delayMs: number): () => void;
  /** Unix milliseconds. */
  now(): number;
  /** `lastError` says for what. */
  onEjected(address: Address, forMs: number): void;
  onReadmitted(address: Address): void;
}

/** Leaves addresses of an account out for their failures, and lets them in again when their time is over. */
export class Ejections {
  readonly #options: EjectionsOptions;
  /** Of those that are left out. */
  readonly #callOffs = new Map<Address, () => void>();
  #stopped = false;

  constructor(options: EjectionsOptions) {
    this.#options = options;
  }

  /** These are the addresses from now on. What is left out already, is for the rest of its time. */
  follow(addresses: readonly Address[]): void {
    if (this.#stopped) return;
    for (const address of this.#callOffs.keys()) if (!addresses.includes(address)) this.#callOff(address);
    for (const address of addresses) {
      const { ejectedUntilMs } = address;
      if (ejectedUntilMs === undefined || this.#callOffs.has(address)) continue;
      this.#readmitLater(address, Math.max(ejectedUntilMs - this.#options.now(), 0));
    }
  }

  /** `reason`: what its failures were. */
  eject(address: Address, reason: string): void {
    if (this.#stopped || address.ejectedUntilMs !== undefined) return;
    const nowMs = this.#options.now();
    const forgiven = Math.floor(Math.max(nowMs - address.readmittedMs, 0) / FORGIVEN_MS);
    address.ejections = Math.max(address.ejections - forgiven, 0) + 1;
    const forMs = Math.min(address.ejections * EJECTED_MS, LONGEST_MS);
    address.ejectedUntilMs = nowMs + forMs;
    address.lastError = reason;
    if (address.isWell) address.sinceMs = nowMs;
    this.#readmitLater(address, forMs);
    this.#options.onEjected(address, forMs);
  }

  /** Also before its time is over: what asks whether it is well says so. Nothing happens where it is not left out. */
  readmit(address: Address): void {
    this.#callOff(address);
    if (this.#stopped || address.ejectedUntilMs === undefined) return;
    const nowMs = this.#options.now();
    address.ejectedUntilMs = undefined;
    address.readmittedMs = nowMs;
    address.row.reset();
    address.left = 0;
    if (address.isWell) address.sinceMs = nowMs;
    this.#options.onReadmitted(address);
  }

  stop(): void {
    this.#stopped = true;
    for (const address of this.#callOffs.keys()) this.#callOff(address);
  }

  #readmitLater(address: Address, delayMs: number): void {
    this.#callOff(address);
    this.#callOffs.set(
      address,
      this.#options.schedule(() => this.readmit(address), delayMs),
    );
  }

  #callOff(address: Address): void {
    this.#callOffs.get(address)?.();
    this.#callOffs.delete(address);
  }
}
