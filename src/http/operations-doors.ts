import type { FastifyInstance } from 'fastify';
import type { ControlPlane } from '../control/control-plane.ts';
import { type AdminParts, authenticate } from './admin/admin-doors.ts';
import type { Lifecycle } from './lifecycle.ts';

/** What Prometheus is told. */
export interface MetricsPage {
  readonly contentType: string;
  render(): Promise<string>;
}

export interface Operations {
  lifecycle: Lifecycle;
  control: Pick<ControlPlane, 'revision' | 'troubles'>;
  metrics: MetricsPage;
  /** Whose admin keys may read the metrics; absent: everybody may. */
  metricsKeys: Pick<AdminParts, 'keys'> | undefined;
}

/** What load balancers, orchestrators and Prometheus ask. */
export function addOperationsDoors(app: FastifyInstance, operations: Operations): void {
  const { lifecycle, control, metrics, metricsKeys } = operations;
  // The process lives: also while it drains, so that nobody kills it for that.
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/readyz', async (_request, reply) => {
    reply.code(lifecycle.phase === 'ready' ? 200 : 503);
    const { revision, troubles } = control;
    // An instance that cannot take up a change serves by the configuration that it has: it stays ready.
    return { status: lifecycle.phase, revision, ...(troubles.length > 0 && { troubles }) };
  });
  app.get('/metrics', async (request, reply) => {
    if (metricsKeys) authenticate(metricsKeys, request);
    return reply.type(metrics.contentType).send(await metrics.render());
  });
}
