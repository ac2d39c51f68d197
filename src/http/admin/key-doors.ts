import { z } from 'zod';
import { duration, name as nameSchema } from '../../config/fields.ts';
import type { Config } from '../../config/resolve.ts';
import { adminKeySchema, keySchema } from '../../config/sections/tenants.ts';
import type { Change } from '../../control/change.ts';
import type { EntryKind, OwnedEntry } from '../../control/entry.ts';
import type { Layers } from '../../control/layers.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { hashOf, hashSecret, type KeyKind, makeSecret } from '../../tenants/keys.ts';
import type { MadeKey } from '../../tenants/made-keys.ts';
import { type AdminDoor, type AdminRequest, door } from './admin-door.ts';
import { fileName, patch } from './entry-doors.ts';
import { listSchema, OWNER, patchSchema, toSchema } from './open-api.ts';
import { pageOf, pageQuery, parseBody } from './parse.ts';
import {
  alreadyThere,
  findOwn,
  makeChange,
  notFound,
  ownedByFile,
  readDocumentEntries,
} from './plan-entries.ts';

/** Keys of tenants and of the admin API are made, rotated and revoked alike. */
interface KeySet {
  kind: Extract<EntryKind, 'keys' | 'adminKeys'>;
  secret: KeyKind;
  path: string;
  role: 'operator' | 'owner';
  /** What a body may say beside the name. */
  fields: z.ZodRawShape;
  what: string;
  /** Whose keys they are, of those that the gateway made itself. */
  madeFor(params: AdminRequest['params']): string | null;
  entryName(params: AdminRequest['params'], key: string): string;
  list(layers: Layers, params: AdminRequest['params']): OwnedEntry[];
  /** The secret of a key in force, its placeholder filled in. */
  findSecret(
    config: Config,
    params: AdminRequest['params'],
    key: string,
  ): Parameters<typeof hashOf>[0] | undefined;
  document(params: AdminRequest['params'], key: string, value: JsonObject, layers: Layers): JsonObject;
  prefix(params: AdminRequest['params'], key: string, layers: Layers): string;
}

const { expires, models, prompts, limits } = keySchema.shape;
const { role } = adminKeySchema.shape;

const SETS: readonly KeySet[] = [
  {
    kind: 'keys',
    secret: 'tenant',
    path: '/tenants/:tenant/keys',
    role: 'operator',
    what: "a tenant's key",
    // The configuration checks what they hold.
    fields: { expires, models, prompts, limits },
    madeFor: ({ tenant = '' }) => tenant,
    entryName: ({ tenant = '' }, key) => `${tenant}/${key}`,
    list: (layers, { tenant = '' }) => {
      if (!layers.find('tenants', tenant)) throw notFound('tenants', tenant);
      return layers.ofTenant('keys', tenant);
    },
    findSecret: ({ tenants }, { tenant = '' }, key) => tenants[tenant]?.keys.find(({ name }) => name === key),
    document: ({ tenant = '' }, name, value) => ({ tenants: { [tenant]: { keys: [{ name, ...value }] } } }),
    prefix: ({ tenant = '' }, key, layers) => {
      const known = layers.ofTenant('keys', tenant).findIndex((entry) => entry.name === `${tenant}/${key}`);
      return `tenants.${tenant}.keys[${known === -1 ? layers.ofTenant('keys', tenant).length : known}]`;
    },
  },
  {
    kind: 'adminKeys',
    secret: 'admin',
    path: '/admin-keys',
    role: 'owner',
    what: 'an admin key',
    fields: { expires, role },
    madeFor: () => null,
    entryName: (_params, key) => key,
    list: (layers) => layers.ofKind('adminKeys'),
    findSecret: ({ adminKeys }, _params, key) => adminKeys[key],
    document: (_params, name, value) => ({ adminKeys: { [name]: value } }),
    prefix: (_params, key) => `adminKeys.${key}`,
  },
];

/** As long as a secret may go on beside its successor: clients of every release cycle have the new one by then. */
const LONGEST_OVERLAP_MS = 90 * 86_400_000;

export const KEY_DOORS: readonly AdminDoor[] = SETS.flatMap(doorsOf);

function doorsOf(set: KeySet): AdminDoor[] {
  const { kind, path, role, what } = set;
  const bodySchema = () => toSchema(z.looseObject({ name: nameSchema(), ...set.fields }));
  const answerSchema = () => keyAnswer(set, bodySchema());
  const one = `${path}/:key`;
  const reader = kind === 'keys' ? 'viewer' : 'owner';
  return [
    door({
      method: 'GET',
      path,
      role: reader,
      summary: `${what === 'an admin key' ? 'Admin keys' : 'Keys of a tenant'}, by name; secrets are never shown`,
      query: pageQuery,
      answerSchema: () => listSchema(answerSchema()),
      handle: async ({ parts, params, query }) => {
        const made = parts.made.list(set.madeFor(params)).map(describeMade);
        // The tenant of the first start is in no configuration.
        const isOnlyMade =
          made.length > 0 && parts.control.layers.find('tenants', params['tenant'] ?? '') === undefined;
        const configured = kind === 'keys' && isOnlyMade ? [] : set.list(parts.control.layers, params);
        const keys = [...configured.map(describeKey), ...made];
        keys.sort((a, b) => (a.name < b.name ? -1 : 1));
        const { page, nextCursor } = pageOf(keys, ({ name }) => name, query);
        return { body: { data: page, nextCursor } };
      },
    }),
    door({
      method: 'POST',
      path,
      role,
      status: 201,
      summary: `Makes ${what}; its secret is shown this once`,
      body: z.looseObject({ name: nameSchema() }),
      bodySchema,
      answerSchema: () => withSecret(answerSchema()),
      handle: (request) => createKey(set, request),
    }),
    door({
      method: 'GET',
      path: one,
      role: reader,
      summary: `One key`,
      answerSchema,
      handle: async ({ parts, params }) => ({
        body: describeOne(set, parts, params),
      }),
    }),
    door({
      method: 'PATCH',
      path: one,
      role,
      summary: `Changes the fields of ${what} that are sent; null takes one away`,
      body: z.record(z.string(), z.unknown(), { error: 'a mapping' }),
      bodySchema: () => patchSchema(toSchema(z.looseObject(set.fields))),
      answerSchema,
      handle: (request) => patchKey(set, request),
    }),
    door({
      method: 'POST',
      path: `${one}/rotate`,
      role,
      summary: `Gives ${what} a new secret, shown this once; the old one is valid for the overlap`,
      body: z.strictObject({
        overlap: duration()
          .refine((ms) => ms <= LONGEST_OVERLAP_MS, { error: 'at most 90d' })
          .prefault('1h')
          .describe(
            'How long the old secret is still valid; 0s for not at all, nor one that was promised longer.',
          ),
        replace: z
          .boolean({ error: 'true or false' })
          .default(false)
          .describe('Ends a secret that an earlier rotation promised for longer.'),
      }),
      answerSchema: () => withSecret(answerSchema()),
      handle: (request) => rotateKey(set, request),
    }),
    door({
      method: 'DELETE',
      path: one,
      role,
      summary: `Revokes ${what} at once`,
      handle: (request) => revokeKey(set, request),
    }),
  ];
}

/** As `describeKey` tells a key. */
function keyAnswer({ kind }: KeySet, { properties, required, ...schema }: JsonObject): JsonObject {
  const more: JsonObject = {
    ...(kind === 'keys' && { tenant: { type: 'string' } }),
    owner: OWNER,
    previousSecretUntil: {
      type: 'string',
      description: 'While it is rotated: until when the secret before is valid.',
    },
  };
  const always = Array.isArray(required) ? required : [];
  return {
    ...schema,
    properties: { ...(isObject(properties) && properties), ...more },
    required: [...always, 'owner'],
  };
}

function withSecret({ properties, ...schema }: JsonObject): JsonObject {
  const secret: JsonObject = { type: 'string', description: 'Shown this once.' };
  return { ...schema, properties: { ...(isObject(properties) && properties), secret } };
}

function describeOne(set: KeySet, parts: AdminRequest['parts'], params: AdminRequest['params']): JsonObject {
  const { key = '' } = params;
  const name = set.entryName(params, key);
  const entry = parts.control.layers.find(set.kind, name);
  if (entry) return describeKey(entry);
  const made = findMade(set, parts, params, key);
  if (!made) throw notFound(set.kind, name);
  return describeMade(made);
}

async function revokeKey(set: KeySet, request: AdminRequest) {
  const { parts, params, author } = request;
  const { kind } = set;
  const { key = '' } = params;
  const name = set.entryName(params, key);
  const answer = { name: key, revoked: true };
  if (parts.control.layers.find(kind, name)?.owner !== 'api' && findMade(set, parts, params, key)) {
    const tenant = set.madeFor(params);
    await parts.made.revoke(tenant, key);
    await parts.control.takeUpKeys();
    const message = `${tenant === null ? 'The admin key' : `The key of the tenant '${tenant}'`} that the gateway made at its first start is revoked.`;
    parts.events.note('made_key_revoked', 'info', message, { tenant, name: key, by: author });
    return { body: answer, revision: parts.control.revision };
  }
  const plan = (layers: Layers): Change[] => {
    const before = findOwn(layers, kind, name, fileName(request));
    return [{ owner: 'api', kind, name, before, after: undefined }];
  };
  const { revision } = await makeChange(request, plan, '', { urgency: 'urgent' });
  return { body: answer, revision };
}

function findMade(
  set: KeySet,
  { made }: AdminRequest['parts'],
  params: AdminRequest['params'],
  key: string,
): MadeKey | undefined {
  return made.list(set.madeFor(params)).find(({ name }) => name === key);
}

/** What the gateway made itself has nothing that could be changed. */
function refuseMade(set: KeySet, { parts, params }: AdminRequest, key: string): void {
  if (parts.control.layers.find(set.kind, set.entryName(params, key)) || !findMade(set, parts, params, key))
    return;
  throw new GatewayError(
    'invalid_request',
    `The key '${key}' was made by the gateway at its first start and cannot be changed: make another one, and revoke this.`,
    { status: 409, code: 'made_by_gateway' },
  );
}

async function createKey(set: KeySet, request: AdminRequest<unknown, { name: string }>) {
  const { name, ...rest } = request.body;
  const fields = readFields(rest);
  if (findMade(set, request.parts, request.params, name)) throw alreadyThere(set.kind, name);
  if (hasEnded(fields['expires'])) {
    throw invalidRequest("'expires' has passed already.", 'expires');
  }
  const secret = makeSecret(set.secret);
  const value: JsonObject = { ...fields, secretHash: hashSecret(secret) };
  const entry = set.entryName(request.params, name);
  const plan = (layers: Layers): Change[] => {
    set.list(layers, request.params);
    const current = layers.find(set.kind, entry);
    if (current?.owner === 'file') throw ownedByFile(set.kind, entry, fileName(request));
    if (current) throw alreadyThere(set.kind, entry);
    return planKey(set, request, name, value, layers);
  };
  return answerKey(set, request, name, plan, secret);
}

async function patchKey(set: KeySet, request: AdminRequest) {
  const { key = '' } = request.params;
  const change = readFields(request.body as JsonObject);
  refuseMade(set, request, key);
  const entry = set.entryName(request.params, key);
  const plan = (layers: Layers): Change[] => {
    const before = findOwn(layers, set.kind, entry, fileName(request));
    return planKey(set, request, key, patch(before, change), layers);
  };
  return answerKey(set, request, key, plan, undefined);
}

async function rotateKey(set: KeySet, request: AdminRequest<unknown, { overlap: number; replace: boolean }>) {
  const { key = '' } = request.params;
  const { overlap, replace } = request.body;
  refuseMade(set, request, key);
  const secret = makeSecret(set.secret);
  const entry = set.entryName(request.params, key);
  const plan = (layers: Layers): Change[] => {
    const {
      secret: placeholder,
      secretHash,
      previous: older,
      ...before
    } = findOwn(layers, set.kind, entry, fileName(request));
    if (hasEnded(before['expires'])) {
      throw new GatewayError(
        'invalid_request',
        `The key '${key}' has expired, and a new secret would not be valid either: give it another 'expires' first.`,
        { status: 409, code: 'key_expired' },
      );
    }
    if (overlap > 0 && !replace) refuseToBreak(older);
    const until = new Date(Date.now() + overlap).toISOString();
    // What a placeholder stands for is known only where it is filled in.
    const own = set.findSecret(request.parts.control.config, request.params, key);
    const replaced = placeholder !== undefined && own ? hashOf(own) : secretHash;
    const previous = overlap > 0 && replaced !== undefined && { previous: { secretHash: replaced, until } };
    const value = { ...before, secretHash: hashSecret(secret), ...previous };
    return planKey(set, request, key, value, layers);
  };
  return answerKey(set, request, key, plan, secret);
}

/** A placeholder is looked at by the configuration alone. */
function hasEnded(expires: unknown): boolean {
  return typeof expires === 'string' && Date.parse(expires) <= Date.now();
}

/** A key has one secret before, which clients may rely on until the moment that they were told. */
function refuseToBreak(older: JsonObject[string]): void {
  const until = isObject(older) && typeof older['until'] === 'string' ? older['until'] : undefined;
  if (until === undefined || Date.parse(until) <= Date.now()) return;
  throw new GatewayError(
    'invalid_request',
    `The key is being rotated: the secret before is valid until ${until}. Rotate it again after that, or end that secret now with {"replace": true}, or both with {"overlap": "0s"}.`,
    { status: 409, code: 'overlap_running' },
  );
}

/** What callers may not say: which secret a key has. */
function readFields({ secret, secretHash, previous, ...fields }: JsonObject): JsonObject {
  const unwanted = Object.entries({ secret, secretHash, previous }).find(([, value]) => value !== undefined);
  if (unwanted) parseBody(z.strictObject({}), { [unwanted[0]]: null });
  return fields;
}

function planKey(
  set: KeySet,
  request: AdminRequest,
  name: string,
  value: JsonObject,
  layers: Layers,
): Change[] {
  const entries = readDocumentEntries(set.document(request.params, name, value, layers), request, layers);
  return entries
    .filter(({ kind }) => kind === set.kind)
    .map(({ kind, name, value }) => ({
      owner: 'api',
      kind,
      name,
      before: layers.find(kind, name)?.value,
      after: value,
    }));
}

async function answerKey(
  set: KeySet,
  request: AdminRequest,
  name: string,
  plan: (layers: Layers) => readonly Change[],
  secret: string | undefined,
) {
  const { layers } = request.parts.control;
  const prefix = set.prefix(request.params, name, layers);
  const outcome = await makeChange(request, plan, prefix);
  const entry = request.parts.control.layers.find(set.kind, set.entryName(request.params, name));
  if (!entry) throw notFound(set.kind, name);
  const body = { ...describeKey(entry), ...(secret !== undefined && { secret }) };
  return { body, revision: outcome.revision };
}

function describeKey({ kind, name, owner, value }: OwnedEntry): JsonObject & { name: string } {
  const { secret: _secret, secretHash: _hash, previous, ...fields } = isObject(value) ? value : {};
  const slash = kind === 'keys' ? name.indexOf('/') : -1;
  return {
    name: name.slice(slash + 1),
    ...(slash > 0 && { tenant: name.slice(0, slash) }),
    owner,
    ...fields,
    ...(isObject(previous) && { previousSecretUntil: previous['until'] }),
  };
}

function describeMade({ tenant, name, createdAt }: MadeKey): JsonObject & { name: string } {
  const whose = tenant === null ? { role: 'owner' } : { tenant };
  return { name, owner: 'gateway', ...whose, createdAt: new Date(createdAt).toISOString() };
}
