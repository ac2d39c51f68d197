import type { IncomingMessage, Server, ServerResponse } from 'node:http';

/**
 * Has requests wait until the server may answer them: a worker has its share of all connections from the moment on that it listens, and
 * what it refused then would be lost. Gives what lets them go on.
 */
export function holdRequests(server: Server): () => void {
  const handlers = server.listeners('request');
  const held: [IncomingMessage, ServerResponse][] = [];
  server.removeAllListeners('request');
  const hold = (request: IncomingMessage, response: ServerResponse) => void held.push([request, response]);
  server.on('request', hold);
  return () => {
    server.off('request', hold);
    for (const handler of handlers) server.on('request', handler as (...args: unknown[]) => void);
    for (const [request, response] of held) server.emit('request', request, response);
  };
}
