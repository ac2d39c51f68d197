import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { Connections } from '../../src/upstream/connections.ts';
import { type ByteServer, startByteServer, type WireRequest } from './byte-server.ts';
import { createConnections } from './exchange-recorder.ts';
import { LOCALHOST_CERTIFICATE } from './localhost-certificate.ts';

export interface Setting {
  server: ByteServer;
  connections: Connections;
}

export async function set(
  t: TestContext,
  answer: (socket: Socket, request: WireRequest) => unknown,
): Promise<Setting> {
  return { server: await keep(t, startByteServer(answer)), connections: made(t) };
}

export async function keep(t: TestContext, started: Promise<ByteServer>): Promise<ByteServer> {
  const server = await started;
  t.after(() => server.close());
  return server;
}

export function made(t: TestContext): Connections {
  const connections = createConnections(LOCALHOST_CERTIFICATE);
  t.after(() => connections.close());
  return connections;
}

/** Long enough for what is under way on the loopback to arrive. */
export async function turns(count = 20): Promise<void> {
  for (let at = 0; at < count; at += 1) await turn();
}

export function fixed(body: string, headers = ''): string {
  return `HTTP/1.1 200 OK\r\n${headers}content-length: ${Buffer.byteLength(body, 'latin1')}\r\n\r\n${body}`;
}

export function chunked(...pieces: string[]): string {
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}\r\n${piece}\r\n`);
  return `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
}

/** Resolves once a connection has ended, in whatever way. */
export async function closing(socket: Socket | undefined): Promise<void> {
  if (!socket) throw new Error('there was no connection');
  if (!socket.closed) await new Promise<void>((resolve) => socket.once('close', () => resolve()));
}
