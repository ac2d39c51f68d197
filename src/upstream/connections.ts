import { Readable } from 'node:stream';
import { Pool } from 'undici';
import { GatewayError } from '../conversation/gateway-error.ts';
import { dispatchEcho } from './echo/transport.ts';
import type { ExchangeHandler } from './exchange.ts';
import { Origin, type OriginContext } from './http1/origin.ts';
import { writeRequestHead } from './http1/request-head.ts';
import type { Upstream } from './upstream.ts';

/** What requests to providers are made with. */
export type Method = 'GET' | 'POST' | 'DELETE';

export interface SendOptions {
  /** Scheme, host and port. */
  origin: string;
  path: string;
  /** `POST` where nothing is said. */
  method?: Method | undefined;
  /** Names and values in turns. */
  headers: string[];
  body: Buffer | Readable | null | undefined;
  timeouts: { connectMs: number; firstByteMs: number; idleMs: number };
}

interface ConnectionsOptions extends OriginContext {
  /** Unix milliseconds. */
  now(): number;
}

/** All connections of one kind to one address. */
interface Place {
  origin: Origin;
  /** For uploads, whose bodies are streams: they are few and large, and undici does all that they need. */
  uploads: Pool | undefined;
}

/** All connections to providers, kept alive and shared by calls. */
export class Connections {
  /** By connect time-out, then by origin. */
  readonly #places = new Map<number, Map<string, Place>>();
  readonly #options: ConnectionsOptions;
  #closed = false;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  /**
   * Sends a request; what comes back goes to the handler.
   *
   * @throws Error where a header or the path cannot be sent
   * @throws GatewayError `overloaded` behind `close`: a new connection would never be ended
   */
  dispatch(upstream: Upstream, options: SendOptions, handler: ExchangeHandler): void {
    if (this.#closed)
      throw new GatewayError('overloaded', 'The gateway is stopping; try again.', { retryAfterMs: 1000 });
    const { body, path, headers, timeouts } = options;
    const method = options.method ?? 'POST';
    if (upstream.declaration.inProcess === 'echo') {
      dispatchEcho({ method, path, body }, handler, Math.floor(this.#options.now() / 1000));
      return;
    }
    const place = this.#place(options.origin, timeouts.connectMs);
    if (body instanceof Readable) {
      const { firstByteMs: headersTimeout, idleMs: bodyTimeout } = timeouts;
      place.uploads ??= new Pool(options.origin, {
        connections: null,
        connect: { timeout: timeouts.connectMs },
      });
      place.uploads.dispatch({ path, method, headers, body, headersTimeout, bodyTimeout }, handler);
      return;
    }
    const length = body?.length ?? (method === 'POST' ? 0 : undefined);
    const head = writeRequestHead(method, path, place.origin.host, headers, length);
    place.origin.dispatch({ head, body: body ?? undefined, timeouts }, handler);
  }

  /** Ends idle connections at once and busy ones now: the caller has drained before. */
  async close(): Promise<void> {
    this.#closed = true;
    const places = [...this.#places.values()].flatMap((byOrigin) => [...byOrigin.values()]);
    for (const { origin } of places) origin.destroy();
    await Promise.all(places.map(({ uploads }) => uploads?.destroy()));
    this.#places.clear();
  }

  #place(origin: string, connectMs: number): Place {
    let byOrigin = this.#places.get(connectMs);
    if (!byOrigin) {
      byOrigin = new Map();
      this.#places.set(connectMs, byOrigin);
    }
    let place = byOrigin.get(origin);
    if (!place) {
      place = { origin: new Origin(origin, connectMs, this.#options), uploads: undefined };
      byOrigin.set(origin, place);
    }
    return place;
  }
}
