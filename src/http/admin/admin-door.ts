import type { z } from 'zod';
import type { Role } from '../../config/sections/tenants.ts';
import type { ControlPlane } from '../../control/control-plane.ts';
import type { EventLog } from '../../control/event-log.ts';
import type { JsonObject, JsonValue } from '../../conversation/json.ts';
import type { Rehearsal } from '../../gateway/rehearsal.ts';
import type { PromptBook } from '../../prompts/prompt-book.ts';
import type { PromptKeeper } from '../../prompts/prompt-keeper.ts';
import type { RolloutController } from '../../rollouts/controller.ts';
import type { ReleaseStore } from '../../rollouts/release-store.ts';
import type { Store } from '../../store/store.ts';
import type { Health } from '../../telemetry/health.ts';
import type { AccessRequests } from '../../tenants/access-requests.ts';
import type { HashedKey, KeyRing } from '../../tenants/keys.ts';
import type { MadeKeys } from '../../tenants/made-keys.ts';
import type { ExportFormat } from '../../usage/export.ts';

/** A key of the admin API. */
export interface AdminKey extends HashedKey {
  role: Role;
}

export interface AdminParts {
  store: Store;
  /** Replaced with the configuration. */
  keys: KeyRing<AdminKey>;
  control: ControlPlane;
  events: EventLog;
  access: AccessRequests;
  /** Keys that the gateway itself made at its first start. */
  made: MadeKeys;
  /** How calls of this instance stand with a provider's credentials; `undefined` where there is no such provider. */
  describeCredentials(provider: string): JsonObject[] | undefined;
  rollouts: RolloutController;
  releases: ReleaseStore;
  prompts: PromptBook;
  promptKeeper: PromptKeeper;
  /** Whether a target was not there when it was last called. */
  isGone(target: string): boolean;
  rehearsal: Pick<Rehearsal, 'rehearse'>;
  /** How providers, accounts and targets stand, by the calls of this instance. */
  describeHealth(): Health;
  /** Has the next call of this instance probe a rejected credential; `undefined` where there is no such account. */
  probeCredential(provider: string, account: string): boolean | undefined;
}

/** One row of the admin API: what the router, the checks and the OpenAPI description are made of. */
export interface AdminDoor<Query extends z.ZodType = z.ZodType, Body extends z.ZodType = z.ZodType> {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/admin/v1`, as the router takes it: `/tenants/:tenant`. */
  path: string;
  /** The least role. */
  role: Role;
  summary: string;
  query?: Query;
  body?: Body;
  /** No body is not an empty one: that would take everything away. */
  needsBody?: true;
  /** For the description, where the body is the configuration's and `body` only looks at what it needs. */
  bodySchema?: () => JsonObject;
  /** The answer that goes well, for the description; any object where absent. */
  answerSchema?: () => JsonObject;
  /** It can be asked for as a file, too: by `format=` or `Accept`. */
  exports?: true;
  /** Of an answer that went well; 200 where absent. */
  status?: 201;
  handle(request: AdminRequest<z.output<Query>, z.output<Body>>): Promise<AdminAnswer>;
}

export interface AdminRequest<Query = unknown, Body = unknown> {
  parts: AdminParts;
  params: Readonly<Record<string, string>>;
  query: Query;
  body: Body;
  /** Of doors that export: what the answer is to be written in. */
  format: 'json' | ExportFormat;
  /** Who asks, by the name of its key, and what it may. */
  author: string;
  role: Role;
}

export type AdminAnswer = Answer | Export;

interface Answer {
  body: JsonValue | object;
  /** The revision in force after a change. */
  revision?: number;
}

/** A file of lines in the format that was asked for. */
interface Export {
  name: string;
  format: ExportFormat;
  lines: AsyncIterable<string>;
}

/** Keeps the types of a row's schemas and handler together. */
export function door<Query extends z.ZodType, Body extends z.ZodType>(
  row: AdminDoor<Query, Body>,
): AdminDoor {
  return row as unknown as AdminDoor;
}
