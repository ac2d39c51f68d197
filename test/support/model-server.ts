import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from './localhost-certificate.ts';
import { chatAnswer } from './raw-upstream.ts';

export interface SeenRequest {
  method: string;
  path: string;
  headers: Record<string, string | string[] | undefined>;
}

/**
 * A self-hosted model server that comes and goes at one address: `POST /v1/chat/completions`, `/health` at its root, as vLLM
 * has it, and `/v1/models` for those with the key.
 */
export class ModelServer {
  readonly host: string;
  readonly #tls: boolean;
  #server: Server | undefined;
  readonly #sockets = new Set<Socket>();
  port = 0;
  /** Calls of the model that were answered to their end. */
  answered = 0;
  /** Calls that are being answered, and the most that were at once. */
  running = 0;
  mostRunning = 0;
  readonly requests: SeenRequest[] = [];
  /** The names that TLS clients asked for. */
  readonly serverNames: string[] = [];
  /** How long an answer takes. */
  answerMs = 0;
  /** What `/health` is answered with. */
  healthStatus = 200;
  /** What calls of the model are answered with. */
  status = 200;
  /** Beside those of every answer. */
  headers: Record<string, string> = {};

  constructor(options: { host?: string; port?: number; tls?: boolean } = {}) {
    this.host = options.host ?? '127.0.0.1';
    this.port = options.port ?? 0;
    this.#tls = options.tls ?? false;
  }

  /** `HOST:PORT`. */
  get address(): string {
    return `${this.host}:${this.port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  /** Listens, at the port that it had before. */
  async start(): Promise<this> {
    const server: Server = this.#tls
      ? createTlsServer({ cert: LOCALHOST_CERTIFICATE, key: LOCALHOST_KEY })
      : createServer();
    // Longer than any test: what a client keeps open stays open.
    server.keepAliveTimeout = 600_000;
    server.on('request', (request, response) => {
      const path = request.url ?? '';
      this.requests.push({ method: request.method ?? '', path, headers: request.headers });
      if (path === '/health') {
        response.writeHead(this.healthStatus).end();
        return;
      }
      if (path === '/v1/models') {
        response.writeHead(request.headers.authorization === 'Bearer sk-model-server' ? 200 : 401).end('{}');
        return;
      }
      void this.#answer(request, response);
    });
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('secureConnection', (socket: { servername?: string | false }) => {
      this.serverNames.push(socket.servername || '');
    });
    server.listen(this.port, this.host);
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Takes no more connections, and finishes what it has begun: a rolling update. */
  async drain(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  /** Goes at once, with all that is under way. */
  async kill(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  async #answer(
    request: import('node:http').IncomingMessage,
    response: import('node:http').ServerResponse,
  ): Promise<void> {
    this.running += 1;
    this.mostRunning = Math.max(this.mostRunning, this.running);
    response.once('close', () => {
      this.running -= 1;
    });
    // The body does not matter, but it is to be read.
    request.resume();
    await sleep(this.answerMs, undefined, { ref: false });
    if (response.destroyed) return;
    const body =
      this.status === 200 ? chatAnswer(`from ${this.address}`) : JSON.stringify({ error: { message: 'no' } });
    // One that is about to stop takes nothing more over the connections that it has.
    const closing = this.isUp ? {} : { connection: 'close' };
    response.writeHead(this.status, {
      ...{ 'content-type': 'application/json', ...closing },
      ...(this.status !== 200 && this.headers),
    });
    response.end(body, () => {
      if (this.status === 200) this.answered += 1;
    });
  }
}
