import { isIP } from 'node:net';
import type { Readable } from 'node:stream';
import { checkServerIdentity } from 'node:tls';
import type { Dispatcher, Pool } from 'undici';
import type { ExchangeControl, ExchangeHandler } from './exchange.ts';
import { hostOf } from './http1/origin.ts';

/** Of an exchange that never began. */
const NO_CONTROL: ExchangeControl = {
  paused: false,
  pause: () => undefined,
  resume: () => undefined,
  abort: () => undefined,
};

/**
 * The connections of uploads to one address. Their bodies are streams: they are few and large, and undici does all that they need.
 * Most gateways have none: it is loaded for the first.
 */
export class Uploads {
  readonly #pool: Promise<Pool>;

  /** `name`: the origin whose name the address goes by, where that is not its own. */
  constructor({ origin, name }: { origin: string; name: string | undefined }, connectMs: number) {
    this.#pool = openPool(origin, name, connectMs);
  }

  dispatch(request: Dispatcher.DispatchOptions & { body: Readable }, handler: ExchangeHandler): void {
    this.#pool
      .then((pool) => pool.dispatch(request, handler))
      .catch((error: Error) => {
        request.body.destroy();
        handler.onResponseError(NO_CONTROL, error);
      });
  }

  /** Resolves when all that is under way has ended. */
  async close(): Promise<void> {
    await (await this.#opened())?.close();
  }

  async destroy(): Promise<void> {
    await (await this.#opened())?.destroy();
  }

  /** Nothing where it could not be opened, which its uploads were told. */
  #opened(): Promise<Pool | undefined> {
    return this.#pool.catch(() => undefined);
  }
}

async function openPool(origin: string, name: string | undefined, connectMs: number): Promise<Pool> {
  const { buildConnector, Pool } = await import('undici');
  if (name === undefined) return new Pool(origin, { connections: null, connect: { timeout: connectMs } });
  const { hostname, host, port } = new URL(origin);
  const named = hostOf(new URL(name));
  const servername = isIP(named) ? '' : named;
  const connect = buildConnector({
    timeout: connectMs,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(named, certificate),
  });
  return new Pool(name, {
    connections: null,
    connect: (options, done) => connect({ ...options, hostname, host, port, servername }, done),
  });
}
