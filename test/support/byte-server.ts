import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from './localhost-certificate.ts';

/** A request as it came over the wire. */
export interface WireRequest {
  head: string;
  body: Buffer;
  /** Which connection it came over, and the how manyth on it, both from 0. */
  connection: number;
  nth: number;
}

export interface ByteServer {
  origin: string;
  port: number;
  /** Connections that were ever made; with TLS, that shook hands. */
  connections: Socket[];
  requests: WireRequest[];
  close(): Promise<void>;
}

interface ByteServerOptions {
  tls?: boolean;
  host?: string;
}

/** A server that answers each whole request as the test says, byte by byte if need be. */
export function startByteServer(
  answer: (socket: Socket, request: WireRequest) => unknown,
  options: ByteServerOptions = {},
): Promise<ByteServer> {
  return listen((socket, server) => readRequests(socket, server, answer), options);
}

/** A server that does with each connection as the test says. */
export function startSocketServer(
  onConnection: (socket: Socket, server: ByteServer) => unknown,
  options: ByteServerOptions = {},
): Promise<ByteServer> {
  return listen(onConnection, options);
}

async function listen(
  onConnection: (socket: Socket, server: ByteServer) => unknown,
  { tls = false, host = '127.0.0.1' }: ByteServerOptions,
): Promise<ByteServer> {
  const connections: Socket[] = [];
  const raw = new Set<Socket>();
  const server = tls
    ? createTlsServer({ cert: LOCALHOST_CERTIFICATE, key: LOCALHOST_KEY })
    : createServer({ noDelay: true });
  server.on('connection', (socket: Socket) => raw.add(socket));
  server.on('tlsClientError', () => 'the client has enough');
  server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
    socket.on('error', () => 'the client has enough');
    connections.push(socket);
    onConnection(socket, described);
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const name = host.includes(':') ? `[${host}]` : host;
  const described: ByteServer = {
    origin: `${tls ? 'https' : 'http'}://${name}:${port}`,
    port,
    connections,
    requests: [],
    close: async () => {
      for (const socket of raw) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return described;
}

function readRequests(
  socket: Socket,
  server: ByteServer,
  answer: (socket: Socket, request: WireRequest) => unknown,
): void {
  const connection = server.connections.indexOf(socket);
  let pieces: Buffer[] = [];
  let have = 0;
  let need = 0;
  let nth = 0;
  socket.on('data', (more: Buffer) => {
    pieces.push(more);
    have += more.length;
    while (have > 0 && have >= need) {
      const unread = Buffer.concat(pieces);
      pieces = [unread];
      const end = unread.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = unread.toString('latin1', 0, end + 4);
      need = end + 4 + Number(/^content-length: (\d+)\r$/m.exec(head)?.[1] ?? 0);
      if (have < need) return;
      const request = { head, body: unread.subarray(end + 4, need), connection, nth: nth++ };
      pieces = [unread.subarray(need)];
      have -= need;
      need = 0;
      server.requests.push(request);
      answer(socket, request);
    }
  });
}
