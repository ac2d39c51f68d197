import type { FastifyInstance } from 'fastify';
import type { ControlPlane } from '../control/control-plane.ts';
import type { Lifecycle } from './lifecycle.ts';

/** What load balancers and orchestrators ask. */
export function addOperationsDoors(
  app: FastifyInstance,
  lifecycle: Lifecycle,
  control: Pick<ControlPlane, 'revision' | 'troubles'>,
): void {
  // The process lives: also while it drains, so that nobody kills it for that.
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    reply.code(lifecycle.phase === 'ready' ? 200 : 503);
    const { revision, troubles } = control;
    // An instance that cannot take up a change serves by the configuration that it has: it stays ready.
    return { status: lifecycle.phase, revision, ...(troubles.length > 0 && { troubles }) };
  });
}
