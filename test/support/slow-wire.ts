import { connect, createServer, type Socket } from 'node:net';

/** A wire to a server that can be disturbed. */
export interface SlowWire {
  port: number;
  /** `muted`: what the server says is held back. `frozen`: nothing passes. */
  set(mode: 'open' | 'muted' | 'frozen'): void;
  /** Breaks all connections; what was held back is lost. */
  cut(): void;
  close(): Promise<void>;
}

export async function startSlowWire(serverPort: number): Promise<SlowWire> {
  let mode: 'open' | 'muted' | 'frozen' = 'open';
  const pairs = new Set<[client: Socket, server: Socket]>();
  const apply = ([client, server]: [Socket, Socket]) => {
    if (mode === 'frozen') client.pause();
    else client.resume();
    if (mode === 'open') server.resume();
    else server.pause();
  };
  const wire = createServer((client) => {
    const server = connect(serverPort, '127.0.0.1');
    const pair: [Socket, Socket] = [client, server];
    pairs.add(pair);
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk) => client.write(chunk));
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => {
        other.destroy();
        pairs.delete(pair);
      });
    }
    apply(pair);
  });
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  const address = wire.address();
  const cut = () => {
    for (const [client, server] of pairs) {
      client.destroy();
      server.destroy();
    }
  };
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    set: (next) => {
      mode = next;
      for (const pair of pairs) apply(pair);
    },
    cut,
    close: () => {
      cut();
      return new Promise((resolve) => wire.close(() => resolve()));
    },
  };
}
