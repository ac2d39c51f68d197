import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, checkServerIdentity, connect as connectTls } from 'node:tls';
import type { Deadlines } from '../deadlines.ts';
import type { ExchangeHandler } from '../exchange.ts';
import { Connection, type ConnectionHome, type OutgoingRequest } from './connection.ts';

/** What all connections share. */
export interface OriginContext {
  deadlines: Deadlines;
  /** Milliseconds. */
  monotonicMs(): number;
  /** Whom TLS trusts, where not those whom Node does. */
  ca?: string | undefined;
}

/** After how long without traffic the operating system asks whether the other side is still there. */
const PROBE_AFTER_MS = 60_000;

/**
 * What every socket reads into: each read is handed on before the next one begins, so one buffer does for all of
 * them. Where reads are begun ahead of their data (Windows), each connection has its own.
 */
const READ_BYTES = 64 * 1024;
const sharedBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/**
 * The connections to one scheme, host and port. As many as there are calls at once: a provider's slow answers must not
 * queue ours. No pipelining: one stream would block the next. The one that was used last is used next, so that those
 * that are too many are given up when their time is over.
 */
export class Origin implements ConnectionHome {
  readonly deadlines: Deadlines;
  /** For the header `host`. */
  readonly host: string;
  readonly #context: OriginContext;
  readonly #url: URL;
  readonly #connectMs: number;
  readonly #idle: Connection[] = [];
  /** Given back in this turn of the event loop, and in the one before. */
  #resting: Connection[] = [];
  #rested: Connection[] = [];
  readonly #all = new Set<Connection>();
  /** Lets the next TLS connection begin sooner (RFC 8446 2.2). */
  #session: Buffer | undefined;
  /** Whose name it goes by. */
  readonly #name: string;
  /** Nothing is kept open any more; to be told when nothing is open. */
  #onEmpty: (() => void) | undefined;

  /** `name`: the origin whose name it goes by, where that is not its own: in the header `host`, and in its certificate. */
  constructor(origin: string, connectMs: number, context: OriginContext, name = origin) {
    this.#url = new URL(origin);
    const named = new URL(name);
    this.host = named.host;
    this.#name = hostOf(named);
    this.#connectMs = connectMs;
    this.#context = context;
    this.deadlines = context.deadlines;
  }

  dispatch(request: OutgoingRequest, handler: ExchangeHandler): void {
    const connection = this.#idle.pop() ?? this.#connect();
    connection.send(request, handler);
  }

  /** Ends all connections, also those that are in use. */
  destroy(): void {
    for (const connection of [...this.#all]) connection.destroy();
  }

  /** Connections end when they are free, those that are free at once. `onEmpty`: when all have, which may be at once. */
  retire(onEmpty: () => void): void {
    this.#onEmpty = onEmpty;
    for (const connection of [...this.#idle, ...this.#resting, ...this.#rested]) connection.destroy();
    this.#tellIfEmpty();
  }

  monotonicMs(): number {
    return this.#context.monotonicMs();
  }

  /**
   * It is not used again before the event loop has looked once at what came meanwhile: some servers close what they said
   * they keep, or send more than they announced.
   */
  takeBack(connection: Connection): void {
    if (this.#onEmpty) {
      connection.destroy();
      return;
    }
    this.#resting.push(connection);
    if (this.#resting.length === 1 && this.#rested.length === 0) setImmediate(this.#endRest);
  }

  forget(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.lastIndexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    this.#tellIfEmpty();
  }

  #tellIfEmpty(): void {
    if (this.#onEmpty && this.#all.size === 0) this.#onEmpty();
  }

  readonly #endRest = (): void => {
    for (const connection of this.#rested) if (!connection.closed) this.#idle.push(connection);
    this.#rested = this.#resting;
    this.#resting = [];
    if (this.#rested.length > 0) setImmediate(this.#endRest);
  };

  #connect(): Connection {
    const connection = new Connection(this, this.#connectMs, (made) => this.#open(made));
    this.#all.add(connection);
    return connection;
  }

  #open(connection: Connection): Socket {
    const { protocol, port } = this.#url;
    const buffer = process.platform === 'win32' ? Buffer.allocUnsafeSlow(READ_BYTES) : sharedBuffer;
    const onread = {
      buffer,
      callback(length: number): boolean {
        connection.read(buffer, length);
        return true;
      },
    };
    const host = hostOf(this.#url);
    const isTls = protocol === 'https:';
    const address = { host, port: Number(port) || (isTls ? 443 : 80), onread };
    const socket = isTls ? this.#openTls(address) : connectTcp(address);
    socket.once(isTls ? 'secureConnect' : 'connect', () => connection.connected());
    socket.setNoDelay(true);
    socket.setKeepAlive(true, PROBE_AFTER_MS);
    return socket;
  }

  #openTls(address: ConnectionOptions & { host: string }): Socket {
    const socket = connectTls({
      ...address,
      ALPNProtocols: ['http/1.1'],
      // An address is no name (RFC 6066 3).
      ...(isIP(this.#name) ? {} : { servername: this.#name }),
      ...(this.#name === address.host
        ? {}
        : { checkServerIdentity: (_host, certificate) => checkServerIdentity(this.#name, certificate) }),
      ...(this.#session ? { session: this.#session } : {}),
      ...(this.#context.ca ? { ca: this.#context.ca } : {}),
    });
    socket.on('session', (session) => {
      this.#session = session;
    });
    return socket;
  }
}

/** A name, or an address without its brackets. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}
