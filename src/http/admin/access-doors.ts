import { z } from 'zod';
import { date, duration, grantedModel, name as nameSchema } from '../../config/fields.ts';
import { promptNamed } from '../../config/prompt-prefix.ts';
import type { Config } from '../../config/resolve.ts';
import { type OwnedEntry, splitListName } from '../../control/entry.ts';
import type { Layers } from '../../control/layers.ts';
import type { Alongside } from '../../control/revision-store.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { type AccessRequest, decidedAlready } from '../../tenants/access-requests.ts';
import {
  describeRequest,
  pageOfRequests,
  remark,
  requestNotFound,
  requestsQuery,
} from '../access-request-doors.ts';
import { type AdminDoor, type AdminParts, type AdminRequest, door } from './admin-door.ts';
import { fileName } from './entry-doors.ts';
import { pageOf, pageQuery, parseBody } from './parse.ts';
import { findOwn, makeChange, notFound, ownedByFile } from './plan-entries.ts';

const LONGEST_PERIOD_MS = 3_650 * 86_400_000;

const period = {
  until: date().optional().describe('When it ends, a day (UTC) or a moment; without an end where absent.'),
  for: duration()
    .refine((ms) => ms > 0 && ms <= LONGEST_PERIOD_MS, { error: 'more than 0s and at most 3650d' })
    .optional()
    .describe('Instead of a moment: how long, from now on.'),
};
type Period = { until?: number | undefined; for?: number | undefined };

const note = remark().optional().describe('What the tenant is told beside it.');

export const ACCESS_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/access-requests',
    role: 'viewer',
    summary: 'What tenants ask for, newest first',
    query: requestsQuery.extend({
      tenant: nameSchema().optional().describe('Requests of this tenant.'),
      model: grantedModel()
        .optional()
        .describe('Requests for this model, as they name it, or for the prompt `prompt/NAME`.'),
    }),
    handle: async ({ parts, query: { cursor, ...query } }) => {
      const requests = await parts.access.list({ ...query, before: cursor });
      return { body: pageOfRequests(requests, query.limit, (request) => describeFully(request, parts)) };
    },
  }),
  door({
    method: 'GET',
    path: '/access-requests/:id',
    role: 'viewer',
    summary: 'One request',
    handle: async (request) => ({ body: describeFully(await findRequest(request), request.parts) }),
  }),
  door({
    method: 'POST',
    path: '/access-requests/:id/approve',
    role: 'operator',
    summary: 'Grants what a request asks for, for a period where one is given',
    body: z.strictObject({ ...period, note }),
    handle: approve,
  }),
  door({
    method: 'POST',
    path: '/access-requests/:id/deny',
    role: 'operator',
    summary: 'Says no to a request',
    body: z.strictObject({ note }),
    handle: deny,
  }),
  door({
    method: 'GET',
    path: '/tenants/:tenant/grants',
    role: 'viewer',
    summary: 'What a tenant was granted, by model; also what has ended',
    query: pageQuery,
    handle: async ({ parts, params: { tenant = '' }, query }) => {
      const { layers } = parts.control;
      if (!layers.find('tenants', tenant)) throw notFound('tenants', tenant);
      const grants = layers
        .ofTenant('grants', tenant)
        .map((entry) => describeGrant(entry, parts.control.config));
      grants.sort((a, b) => (a.model < b.model ? -1 : 1));
      const { page, nextCursor } = pageOf(grants, ({ model }) => model, query);
      return { body: { data: page, nextCursor } };
    },
  }),
  door({
    method: 'PUT',
    path: '/tenants/:tenant/grants/:model',
    role: 'operator',
    summary:
      'Grants a tenant a model, or a prompt as `prompt/NAME`, without a request, or for another period',
    body: z.strictObject(period),
    handle: async (request) => {
      const { tenant = '', model: named } = request.params;
      const model = parseBody(z.object({ model: grantedModel() }), { model: named }).model;
      const until = readUntil(request.body);
      const { revision } = await grant(request, { tenant, model, until });
      request.parts.events.note('access_granted', 'info', `The tenant '${tenant}' may call '${model}'.`, {
        tenant,
        model,
        by: request.author,
        until: toText(until),
      });
      const entry = request.parts.control.layers.find('grants', `${tenant}/${model}`);
      if (!entry) throw notFound('grants', `${tenant}/${model}`);
      return { body: describeGrant(entry, request.parts.control.config), revision };
    },
  }),
  door({
    method: 'DELETE',
    path: '/tenants/:tenant/grants/:model',
    role: 'operator',
    summary: 'Takes a grant back at once',
    handle: revoke,
  }),
];

async function findRequest({ parts, params: { id = '' } }: AdminRequest): Promise<AccessRequest> {
  const found = await parts.access.find(id);
  if (!found) throw requestNotFound(id);
  return found;
}

async function approve(request: AdminRequest<unknown, Period & { note?: string | undefined }>) {
  const { parts, author } = request;
  const asked = await findRequest(request);
  if (asked.state !== 'pending') throw decidedAlready();
  const { id, tenant, model } = asked;
  const until = readUntil(request.body);
  const decision = { state: 'approved', by: author, note: request.body.note, until } as const;
  const { revision } = await grant(request, { tenant, model, until, request: id }, (db) =>
    parts.access.decide(id, decision, db),
  );
  const details = { request: id, tenant, model, by: author, until: toText(until) };
  parts.events.note('access_approved', 'info', `The tenant '${tenant}' may call '${model}'.`, details);
  return { body: describeFully(await findRequest(request), parts), revision };
}

async function deny(request: AdminRequest<unknown, { note?: string | undefined }>) {
  const { parts, author } = request;
  const { id, tenant, model } = await findRequest(request);
  await parts.access.decide(id, { state: 'denied', by: author, note: request.body.note });
  const details = { request: id, tenant, model, by: author };
  parts.events.note('access_denied', 'info', `The tenant '${tenant}' was denied '${model}'.`, details);
  return { body: describeFully(await findRequest(request), parts) };
}

interface NewGrant {
  tenant: string;
  model: string;
  until: number | undefined;
  request?: string;
}

/** A grant of the API's, be its tenant of the file or not. */
function grant(admin: AdminRequest, { tenant, model, until, request }: NewGrant, alongside?: Alongside) {
  const name = `${tenant}/${model}`;
  const { control } = admin.parts;
  // An instance that is behind does not know the newest models; it is refused as that.
  if (!control.behind) refuseUnknown(model, admin.parts);
  const after: JsonObject = {
    ...(until !== undefined && { until: new Date(until).toISOString() }),
    ...(request !== undefined && { request }),
  };
  const plan = (layers: Layers) => {
    if (!layers.find('tenants', tenant)) throw notFound('tenants', tenant);
    const current = layers.find('grants', name);
    if (current?.owner === 'file') throw ownedByFile('grants', name, fileName(admin));
    const kept = request === undefined && isObject(current?.value) ? current.value['request'] : undefined;
    const value = kept === undefined ? after : { ...after, request: kept };
    return [{ owner: 'api', kind: 'grants', name, before: current?.value, after: value } as const];
  };
  return makeChange(admin, plan, '', { alongside });
}

async function revoke(request: AdminRequest) {
  const { tenant = '', model = '' } = request.params;
  const name = `${tenant}/${model}`;
  const plan = (layers: Layers) => {
    const before = findOwn(layers, 'grants', name, fileName(request));
    return [{ owner: 'api', kind: 'grants', name, before, after: undefined } as const];
  };
  const { revision } = await makeChange(request, plan, '', { urgency: 'urgent' });
  const details = { tenant, model, by: request.author };
  request.parts.events.note(
    'access_revoked',
    'info',
    `The tenant '${tenant}' lost its grant for '${model}'.`,
    details,
  );
  return { body: { tenant, model, revoked: true }, revision };
}

/** @throws GatewayError where both ways are used, or the moment has passed */
function readUntil({ until, for: forMs }: Period): number | undefined {
  if (until !== undefined && forMs !== undefined) {
    throw invalidRequest("'for': give a moment ('until') or how long ('for'), not both.", 'for');
  }
  if (until !== undefined && until <= Date.now())
    throw invalidRequest("'until' has passed already.", 'until');
  return forMs === undefined ? until : Date.now() + forMs;
}

/** A slip of the tenant's would be found only when its calls still fail. */
function refuseUnknown(model: string, { control, prompts }: AdminParts): void {
  const prompt = promptNamed(model);
  if (prompt !== undefined) {
    if (prompt.includes('*') || prompts.record(prompt)) return;
    throw new GatewayError('invalid_request', `There is no prompt '${prompt}' here to be granted.`, {
      ...{ code: 'unknown_prompt', param: 'model' },
    });
  }
  const { models, providers } = control.config;
  const [first = ''] = model.split('/', 1);
  if (first.includes('*')) return;
  if (Object.hasOwn(first === model ? models : providers, first)) return;
  throw new GatewayError('invalid_request', `There is no model '${model}' here to be granted.`, {
    code: 'unknown_model',
    param: 'model',
  });
}

function describeFully(request: AccessRequest, { control }: AdminParts): JsonObject {
  const { tenant, decision } = request;
  const own = describeRequest(request, control.config);
  return { tenant, ...own, ...(decision && { decidedBy: decision.by }) };
}

/** By the configuration in force: placeholders are filled in there. */
function describeGrant({ name: entry, owner }: OwnedEntry, { tenants }: Config) {
  const { tenant, name: model } = splitListName(entry);
  const grant = tenants[tenant]?.grants?.find((one) => one.model === model);
  const { until, request } = grant ?? {};
  return {
    tenant,
    model,
    owner,
    until: toText(until),
    inForce: grant !== undefined && (until === undefined || until > Date.now()),
    ...(request !== undefined && { request }),
  };
}

function toText(until: number | undefined): string | null {
  return until === undefined ? null : new Date(until).toISOString();
}
