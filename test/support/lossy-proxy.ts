import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** What stands between a client and a server, and can let requests through whose answers never come back. */
export interface LossyProxy {
  port: number;
  /** The answer to the next request with this text is lost, and the connection with it; then nobody gets through. */
  loseAnswerTo(text: string): void;
  /** Nobody gets through from now on. */
  cut(): void;
  mend(): void;
  readonly isWhole: boolean;
  close(): Promise<void>;
}

export async function startLossyProxy(port: number): Promise<LossyProxy> {
  let state: 'whole' | 'losing' | 'cut' = 'whole';
  let doomed: string | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    if (state !== 'whole') {
      client.destroy();
      return;
    }
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (chunk) => {
      if (doomed !== undefined && chunk.includes(doomed)) {
        doomed = undefined;
        state = 'losing';
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (state === 'whole') {
        client.write(chunk);
        return;
      }
      state = 'cut';
      client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswerTo: (text) => {
      doomed = text;
    },
    cut: () => {
      state = 'cut';
      for (const socket of sockets) socket.destroy();
    },
    mend: () => {
      state = 'whole';
    },
    get isWhole() {
      return state === 'whole';
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
