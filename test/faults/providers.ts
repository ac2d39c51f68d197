import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from '../support/localhost-certificate.ts';
import type { Fault } from './faults.ts';

export interface FailingProviders {
  /** By name, as a config has them. */
  providers: Record<string, object>;
  /** Connections that are open at the one that takes requests. */
  open(): number;
  close(): Promise<void>;
}

const accounts = [{ name: 'main', apiKey: 'sk-upstream-secret-0123456789' }];

/** A server that takes each request whole and does to it what its model's name says (`fault-N-…`), and some that nobody reaches. */
export async function startFailing(find: (index: number) => Fault | undefined): Promise<FailingProviders> {
  const open = new Set<Socket>();
  const bad = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const length = /content-length: (\d+)/i.exec(text)?.[1];
      const bodyAt = text.indexOf('\r\n\r\n') + 4;
      if (length === undefined || bodyAt < 4 || text.length - bodyAt < Number(length)) return;
      // Google's API has the model in the path, the others in the body.
      const model = /fault-(\d+)-[a-z]+-(true|false)/.exec(text);
      text = '';
      find(Number(model?.[1]))?.act?.(socket, model?.[2] === 'true');
    });
  });
  const held = new Set<Socket>();
  const silent = createServer((socket) => {
    held.add(socket);
    socket.on('error', () => {});
  });
  const plain = createServer((socket) => {
    socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const untrusted = createTlsServer({ cert: LOCALHOST_CERTIFICATE, key: LOCALHOST_KEY });
  untrusted.on('tlsClientError', () => {});
  const ports = await Promise.all([bad, silent, plain, untrusted].map(listen));
  const [badPort, silentPort, plainPort, untrustedPort] = ports;
  const chat = (baseUrl: string) => ({ adapter: 'openai-compatible', baseUrl, accounts });
  return {
    providers: {
      bad: chat(`http://127.0.0.1:${badPort}/v1`),
      anthropic: { baseUrl: `http://127.0.0.1:${badPort}`, accounts },
      gemini: { baseUrl: `http://127.0.0.1:${badPort}`, accounts },
      openai: { baseUrl: `http://127.0.0.1:${badPort}/v1`, accounts },
      // Nobody listens there; a port that was given back may be another test's soon.
      refusing: chat('http://127.0.0.1:1/v1'),
      nameless: chat('http://nowhere.invalid/v1'),
      untrusted: chat(`https://127.0.0.1:${untrustedPort}/v1`),
      plain: chat(`https://127.0.0.1:${plainPort}/v1`),
      silent: chat(`https://127.0.0.1:${silentPort}/v1`),
    },
    open: () => open.size,
    close: async () => {
      for (const socket of held) socket.destroy();
      await Promise.all([bad, silent, plain, untrusted].map((server) => once(server.close(), 'close')));
    },
  };
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}
