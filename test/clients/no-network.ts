import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface NoNetwork {
  /** What makes a program send all that is not for this machine here. */
  env: Record<string, string>;
  /** The hosts that were asked for. */
  asked: string[];
  close(): void;
}

/** A proxy that lets nobody through and writes down who was to be reached. */
export async function forbidNetwork(): Promise<NoNetwork> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(403).end();
  });
  server.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    // Whoever is refused may reset the connection: that is no failure of the test.
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    env: {
      HTTP_PROXY: url,
      HTTPS_PROXY: url,
      ALL_PROXY: url,
      http_proxy: url,
      https_proxy: url,
      all_proxy: url,
      NO_PROXY: '127.0.0.1',
      no_proxy: '127.0.0.1',
    },
    asked,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
