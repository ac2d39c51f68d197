import type { Upstream } from '../upstream.ts';
import { AddressWatch, type WatchContext } from './address-watch.ts';

/** How long a configuration waits for the first look-ups of its providers. */
const FIRST_LOOK_UP_MS = 3_000;

/** The watches of all providers whose servers are looked up or checked. */
export class AddressWatches {
  readonly #context: WatchContext;
  #watches = new Map<string, AddressWatch>();
  #stopped = false;

  constructor(context: WatchContext) {
    this.#context = context;
  }

  /**
   * Watches the servers of these providers. Resolves once those that are new were looked up, or have had their time: with what is to
   * be done when the configuration is in force, which ends the watches of the one before.
   */
  async begin(upstreams: Iterable<Upstream>): Promise<() => void> {
    if (this.#stopped) return () => undefined;
    const before = this.#watches;
    const next = new Map<string, AddressWatch>();
    const first: Promise<void>[] = [];
    for (const upstream of upstreams) {
      const { name, servers } = upstream;
      if (!servers) continue;
      const known = before.get(name);
      const watch = known?.upstream === upstream ? known : new AddressWatch(upstream, servers, this.#context);
      next.set(name, watch);
      if (watch !== known) first.push(watch.start());
    }
    this.#watches = next;
    if (first.length > 0) await this.#waitFor(Promise.all(first));
    return () => this.#end([...before.values()].filter((watch) => next.get(watch.upstream.name) !== watch));
  }

  /** Nothing is looked up or checked any more. */
  stop(): void {
    this.#stopped = true;
    for (const watch of this.#watches.values()) watch.stop();
  }

  #end(watches: readonly AddressWatch[]): void {
    const inUse = new Set([...this.#watches.values()].flatMap(({ servers }) => [...servers.pools.values()]));
    for (const watch of watches) {
      watch.stop();
      // Where nothing was looked up, the connections are those of the base URL, which calls go on using.
      if (!watch.servers.discovery) continue;
      for (const pool of watch.servers.pools.values()) {
        if (inUse.has(pool)) continue;
        pool.retire();
        for (const address of pool.addresses) this.#context.retire(address);
      }
    }
  }

  async #waitFor(lookUps: Promise<unknown>): Promise<void> {
    let callOff: (() => void) | undefined;
    const timeIsUp = new Promise<void>((resolve) => {
      callOff = this.#context.schedule(resolve, FIRST_LOOK_UP_MS);
    });
    await Promise.race([lookUps, timeIsUp]);
    callOff?.();
  }
}
