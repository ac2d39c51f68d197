import type { Readable } from 'node:stream';
import { type Dispatcher, Pool } from 'undici';
import { dispatchEcho } from './echo/transport.ts';
import type { Upstream } from './upstream.ts';

/** What requests to providers are made with. */
export type Method = 'GET' | 'POST' | 'DELETE';

export interface SendOptions {
  /** Scheme, host and port. */
  origin: string;
  path: string;
  /** `POST` where nothing is said. */
  method?: Method | undefined;
  headers: string[];
  body: Buffer | Readable | null | undefined;
  timeouts: { connectMs: number; firstByteMs: number; idleMs: number };
}

/** All connections to providers, kept alive and shared by calls. One pool for each address and connect time-out. */
export class Connections {
  /** By connect time-out, then by origin. */
  readonly #pools = new Map<number, Map<string, Pool>>();
  readonly #now: () => number;

  /** `now`: Unix milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Sends a request; what comes back goes to the handler (undici's dispatch interface). */
  dispatch(upstream: Upstream, options: SendOptions, handler: Dispatcher.DispatchHandler): void {
    const request: Dispatcher.DispatchOptions = {
      origin: options.origin,
      path: options.path,
      method: options.method ?? 'POST',
      headers: options.headers,
      body: options.body ?? null,
      headersTimeout: options.timeouts.firstByteMs,
      bodyTimeout: options.timeouts.idleMs,
    };
    if (upstream.declaration.inProcess === 'echo')
      dispatchEcho(request, handler, Math.floor(this.#now() / 1000));
    else this.#pool(options.origin, options.timeouts.connectMs).dispatch(request, handler);
  }

  /** Ends idle connections at once and busy ones now: the caller has drained before. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()].flatMap((byOrigin) => [...byOrigin.values()]);
    await Promise.all(pools.map((pool) => pool.destroy()));
    this.#pools.clear();
  }

  #pool(origin: string, connectMs: number): Pool {
    let byOrigin = this.#pools.get(connectMs);
    if (!byOrigin) {
      byOrigin = new Map();
      this.#pools.set(connectMs, byOrigin);
    }
    let pool = byOrigin.get(origin);
    if (!pool) {
      // As many connections as calls: a provider's slow answers must not queue ours. No pipelining: one
      // stream would block the next.
      pool = new Pool(origin, { connections: null, pipelining: 1, connect: { timeout: connectMs } });
      byOrigin.set(origin, pool);
    }
    return pool;
  }
}
