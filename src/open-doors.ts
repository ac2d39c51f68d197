import type { FastifyInstance } from 'fastify';
import type { ControlPlane } from './control/control-plane.ts';
import type { Gateway } from './gateway/gateway.ts';
import { addAccessRequestDoors } from './http/access-request-doors.ts';
import { type AdminParts, addAdminDoors } from './http/admin/admin-doors.ts';
import { addAnthropicDoors } from './http/anthropic-doors.ts';
import { addFeedbackDoors } from './http/feedback-doors.ts';
import { addGeminiDoors } from './http/gemini-doors.ts';
import type { Lifecycle } from './http/lifecycle.ts';
import { addMediaDoors } from './http/media-doors.ts';
import { addModelDoors } from './http/model-doors.ts';
import { addMultipartDoors } from './http/multipart-doors.ts';
import { addObjectDoors } from './http/object-doors.ts';
import { addOpenApiDoor } from './http/open-api-door.ts';
import { addOpenAiDoors } from './http/openai-doors.ts';
import { addOperationsDoors, type MetricsPage } from './http/operations-doors.ts';
import { addPromptDoors } from './http/prompt-doors.ts';
import { addResponsesDoors } from './http/responses-doors.ts';
import type { PromptCache } from './prompt-calls/prompt-cache.ts';
import type { PromptBook } from './prompts/prompt-book.ts';
import type { FeedbackBook } from './usage/feedback.ts';

/** What stands behind the doors. */
export interface Behind {
  gateway: Gateway;
  lifecycle: Lifecycle;
  control: ControlPlane;
  admin: AdminParts;
  prompts: PromptBook;
  feedback: FeedbackBook;
  promptCache: PromptCache;
  metrics: MetricsPage;
  /** Whether whoever reaches the gateway may read the metrics. */
  hasOpenMetrics: boolean;
}

/** Every door of the server, each API family's from a file of its own. */
export function openDoors(server: FastifyInstance, behind: Behind): void {
  const { gateway, lifecycle, control, admin, feedback, metrics, hasOpenMetrics } = behind;
  const metricsKeys = hasOpenMetrics ? undefined : admin;
  addOperationsDoors(server, { lifecycle, control, metrics, metricsKeys });
  addOpenAiDoors(server, gateway, lifecycle);
  addResponsesDoors(server, gateway, lifecycle);
  addMediaDoors(server, gateway, lifecycle);
  addMultipartDoors(server, gateway, lifecycle);
  addObjectDoors(server, gateway, lifecycle);
  addAnthropicDoors(server, gateway, lifecycle);
  addGeminiDoors(server, gateway, lifecycle);
  addModelDoors(server, behind);
  addPromptDoors(server, behind);
  addAccessRequestDoors(server, gateway, lifecycle, admin);
  addFeedbackDoors(server, gateway, lifecycle, feedback);
  addAdminDoors(server, admin);
  addOpenApiDoor(server, behind);
}
