import { describeNetworkError } from '../network-errors.ts';
import type { Account, Upstream } from '../upstream.ts';
import type { Address } from './address.ts';
import { AddressChecks } from './address-checks.ts';
import type { AddressPool } from './address-pool.ts';
import { Ejections } from './ejections.ts';
import { createLookUp, type LookUp, type LookUpContext } from './look-up.ts';
import type { ProbeOptions } from './probe.ts';
import type { Servers } from './servers.ts';

const LOOK_UP_EVERY_MS = 10_000;

/** What operators are told of. */
export interface ServerNews {
  /** A look-up failed or found nothing, and the one before did not. `kept`: how many addresses stay in use. */
  lookUpFailed(provider: string, reason: string, kept: number): void;
  lookUpRecovered(provider: string, found: number): void;
  changed(provider: string, added: readonly string[], removed: readonly string[]): void;
  /** An address is left out for its failures for so long, and let in again. */
  ejected(provider: string, account: string, address: Address, forMs: number): void;
  readmitted(provider: string, account: string, address: Address): void;
  /** An address is well again, or not any more. */
  turned(provider: string, account: string, address: Address): void;
}

export interface WatchContext extends LookUpContext {
  /** Unix milliseconds. */
  now(): number;
  /** Tells of changes of a file, when it is whole; the function given back ends that. */
  watchFile(path: string, onChange: () => void): () => void;
  /** @throws Error where the address is not well */
  probe(options: ProbeOptions): Promise<void>;
  /** Closes what is open to an address once it is free. */
  retire(address: Address): void;
  news: ServerNews;
}

interface WatchedPool {
  pool: AddressPool;
  checks: AddressChecks;
  ejections: Ejections;
  onRefused: (address: Address) => void;
  onOutlier: (address: Address, reason: string) => void;
}

/** Keeps the addresses of one provider what they are: looks them up, and asks whether they are well. */
export class AddressWatch {
  readonly upstream: Upstream;
  readonly servers: Servers;
  readonly #context: WatchContext;
  readonly #checks: WatchedPool[];
  readonly #lookUp: LookUp | undefined;
  #callOff: (() => void) | undefined;
  #endWatch: (() => void) | undefined;
  #isLooking = false;
  /** The file changed while it was being read. */
  #lookAgain = false;
  #isFailing = false;
  #stopped = false;

  constructor(upstream: Upstream, servers: Servers, context: WatchContext) {
    this.upstream = upstream;
    this.servers = servers;
    this.#context = context;
    this.#lookUp = servers.discovery && createLookUp(servers.discovery, context);
    this.#checks = upstream.accounts.flatMap((account) => {
      const pool = servers.pools.get(account.name);
      return pool ? [this.#checksOf(account, pool)] : [];
    });
  }

  /** Resolves when the first look-up is over, however it went. */
  async start(): Promise<void> {
    for (const { pool, checks, ejections, onRefused, onOutlier } of this.#checks) {
      pool.onRefused = onRefused;
      pool.onOutlier = onOutlier;
      checks.follow(pool.addresses);
      ejections.follow(pool.addresses);
    }
    const file = this.servers.discovery?.file;
    if (file !== undefined) this.#endWatch = this.#context.watchFile(file, () => void this.#look());
    await this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#callOff?.();
    this.#endWatch?.();
    for (const { pool, checks, ejections, onRefused, onOutlier } of this.#checks) {
      checks.stop();
      ejections.stop();
      // A watch of the next configuration may have taken it over.
      if (pool.onRefused === onRefused) pool.onRefused = undefined;
      if (pool.onOutlier === onOutlier) pool.onOutlier = undefined;
    }
  }

  #checksOf(account: Account, pool: AddressPool): WatchedPool {
    const { upstream, servers } = this;
    const { probe, schedule, now, news } = this.#context;
    const ejections = new Ejections({
      schedule,
      now,
      onEjected: (address, forMs) => {
        checks.doubt(address);
        news.ejected(upstream.name, account.name, address, forMs);
      },
      onReadmitted: (address) => news.readmitted(upstream.name, account.name, address),
    });
    const checks: AddressChecks = new AddressChecks({
      check: servers.check,
      probe: (address) => probe({ upstream, account, address, check: servers.check }),
      schedule,
      now,
      onChange: (address) => news.turned(upstream.name, account.name, address),
      onPassed: (address) => ejections.readmit(address),
    });
    return {
      ...{ pool, checks, ejections },
      onRefused: (address) => checks.refused(address),
      onOutlier: (address, reason) => ejections.eject(address, reason),
    };
  }

  async #look(): Promise<void> {
    const lookUp = this.#lookUp;
    if (!lookUp || this.#stopped) return;
    if (this.#isLooking) {
      this.#lookAgain = true;
      return;
    }
    this.#isLooking = true;
    try {
      const found = await lookUp();
      if (this.#stopped) return;
      if (found.length === 0) throw new Error('the look-up found no address');
      for (const { pool } of this.#checks) pool.check(found);
      this.#take(found);
    } catch (error) {
      if (!this.#stopped) this.#tellFailure(error);
    } finally {
      this.#isLooking = false;
      this.#goOn();
    }
  }

  #take(found: Awaited<ReturnType<LookUp>>): void {
    const added = new Set<string>();
    const removed = new Set<string>();
    for (const { pool, checks, ejections } of this.#checks) {
      const change = pool.replace(found);
      for (const address of change.added) added.add(address.origin);
      for (const address of change.removed) {
        removed.add(address.origin);
        this.#context.retire(address);
      }
      checks.follow(pool.addresses);
      ejections.follow(pool.addresses);
    }
    const { name } = this.upstream;
    if (added.size + removed.size > 0) this.#context.news.changed(name, [...added], [...removed]);
    if (this.#isFailing) this.#context.news.lookUpRecovered(name, found.length);
    this.#isFailing = false;
  }

  #tellFailure(error: unknown): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    // What is found is the same for all accounts.
    const kept = this.#checks[0]?.pool.addresses.length ?? 0;
    this.#context.news.lookUpFailed(this.upstream.name, describeNetworkError(error), kept);
  }

  #goOn(): void {
    if (this.#stopped) return;
    const { file, interval = LOOK_UP_EVERY_MS } = this.servers.discovery ?? {};
    if (this.#lookAgain) {
      this.#lookAgain = false;
      void this.#look();
    } else if (file === undefined) {
      this.#callOff = this.#context.schedule(() => void this.#look(), interval);
    }
  }
}
