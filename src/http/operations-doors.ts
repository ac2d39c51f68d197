import type { FastifyInstance } from 'fastify';
import type { Lifecycle } from './lifecycle.ts';

/** What load balancers and orchestrators ask. */
export function addOperationsDoors(app: FastifyInstance, lifecycle: Lifecycle): void {
  // The process lives: also while it drains, so that nobody kills it for that.
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    reply.code(lifecycle.phase === 'ready' ? 200 : 503);
    return { status: lifecycle.phase };
  });
}
