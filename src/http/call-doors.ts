import type { FastifyContextConfig, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

type Take = (request: FastifyRequest, reply: FastifyReply) => void;

/**
 * Adds a door for calls whose bodies are taken whole. What nearly all clients send, plain JSON of an announced length,
 * is read here: the server's way to its body parsers costs such a call some microseconds. Every other body goes that
 * way.
 *
 * `take`: answers, or throws what the caller is told.
 */
export function addCallDoor(
  doors: FastifyInstance,
  path: string,
  config: FastifyContextConfig,
  take: Take,
): void {
  const limit = doors.initialConfig.bodyLimit ?? 0;
  doors.post(
    path,
    {
      config,
      onRequest: (request, reply, done) => {
        const length = plainLength(request);
        if (length > 0 && length <= limit) readBody(request, reply, length, take);
        else done();
      },
    },
    take,
  );
}

/** The bytes of a body that is JSON and stands there as it is; 0 of all others. */
function plainLength({ headers }: FastifyRequest): number {
  const type = headers['content-type'];
  const isPlainJson = type === 'application/json' || type?.startsWith('application/json;') === true;
  return isPlainJson && headers['content-encoding'] === undefined ? Number(headers['content-length']) : 0;
}

/** Where the client leaves before its body is whole, nothing is left to do. */
function readBody(request: FastifyRequest, reply: FastifyReply, length: number, take: Take): void {
  const chunks: Buffer[] = [];
  let missing = length;
  request.raw.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    missing -= chunk.length;
    if (missing > 0) return;
    request.body = chunks.length === 1 ? chunk : Buffer.concat(chunks, length);
    try {
      take(request, reply);
    } catch (thrown) {
      reply.send(thrown);
    }
  });
}
