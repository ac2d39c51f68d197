import { healthSchema } from '../../telemetry/health.ts';
import { type AdminDoor, door } from './admin-door.ts';
import { toSchema } from './open-api.ts';

export const HEALTH_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/health',
    role: 'viewer',
    summary: 'How providers, accounts and targets stand, as far as this instance knows it by its calls',
    answerSchema: () => toSchema(healthSchema),
    handle: async ({ parts }) => ({ body: parts.describeHealth() }),
  }),
];
