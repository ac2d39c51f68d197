import { Readable } from 'node:stream';
import { GatewayError } from '../conversation/gateway-error.ts';
import { dispatchEcho } from './echo/transport.ts';
import type { ExchangeHandler } from './exchange.ts';
import { Origin, type OriginContext } from './http1/origin.ts';
import { writeRequestHead } from './http1/request-head.ts';
import { Uploads } from './uploads.ts';
import type { Upstream } from './upstream.ts';

/** What requests to providers are made with. */
export type Method = 'GET' | 'POST' | 'DELETE';

/** Where a request goes in place of its origin's own host. */
export interface Destination {
  /** Scheme, host and port that are connected to. */
  readonly origin: string;
  /** The origin whose name it goes by; absent: its own. */
  readonly name: string | undefined;
  /** Tells it from others that connections go to. */
  readonly key: string;
  /** Nothing is kept open to it. */
  readonly isGone: boolean;
}

export interface SendOptions {
  /** Scheme, host and port. */
  origin: string;
  destination?: Destination | undefined;
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
  at: Pick<Destination, 'origin' | 'name'>;
  uploads: Uploads | undefined;
}

/** All connections to providers, kept alive and shared by calls. */
export class Connections {
  /** By connect time-out, then by origin or the key of a destination. */
  readonly #places = new Map<number, Map<string, Place>>();
  readonly #options: ConnectionsOptions;
  /** Those of addresses that are gone, as long as something is open. */
  readonly #leaving = new Set<Pick<Origin, 'destroy'> | Pick<Uploads, 'destroy'>>();
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
    const place = this.#place(options.origin, timeouts.connectMs, options.destination);
    if (body instanceof Readable) {
      const { firstByteMs: headersTimeout, idleMs: bodyTimeout } = timeouts;
      place.uploads ??= new Uploads(place.at, timeouts.connectMs);
      place.uploads.dispatch({ path, method, headers, body, headersTimeout, bodyTimeout }, handler);
    } else {
      const length = body?.length ?? (method === 'POST' ? 0 : undefined);
      const head = writeRequestHead(method, path, place.origin.host, headers, length);
      place.origin.dispatch({ head, body: body ?? undefined, timeouts }, handler);
    }
    if (options.destination?.isGone) this.#retire(place);
  }

  /** Nothing goes to this destination any more: what is under way ends, and what is idle is closed. */
  retire(key: string): void {
    for (const byKey of this.#places.values()) {
      const place = byKey.get(key);
      if (!place) continue;
      byKey.delete(key);
      this.#retire(place);
    }
  }

  /** Ends idle connections at once and busy ones now: the caller has drained before. */
  async close(): Promise<void> {
    this.#closed = true;
    const places = [...this.#places.values()].flatMap((byKey) => [...byKey.values()]);
    this.#places.clear();
    const open = [
      ...places.flatMap(({ origin, uploads }) => [origin, uploads ?? []].flat()),
      ...this.#leaving,
    ];
    await Promise.all(open.map((one) => one.destroy()));
  }

  #retire({ origin, uploads }: Place): void {
    this.#leaving.add(origin);
    origin.retire(() => this.#leaving.delete(origin));
    if (!uploads) return;
    this.#leaving.add(uploads);
    void uploads.close().finally(() => this.#leaving.delete(uploads));
  }

  #place(origin: string, connectMs: number, destination: Destination | undefined): Place {
    if (destination?.isGone) return this.#open(destination, connectMs);
    const key = destination?.key ?? origin;
    let byKey = this.#places.get(connectMs);
    if (!byKey) {
      byKey = new Map();
      this.#places.set(connectMs, byKey);
    }
    let place = byKey.get(key);
    if (!place) {
      place = this.#open(destination ?? { origin, name: undefined }, connectMs);
      byKey.set(key, place);
    }
    return place;
  }

  #open({ origin, name }: Place['at'], connectMs: number): Place {
    return {
      origin: new Origin(origin, connectMs, this.#options, name),
      at: { origin, name },
      uploads: undefined,
    };
  }
}
