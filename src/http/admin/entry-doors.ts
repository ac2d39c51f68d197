import { z } from 'zod';
import { modelName, name as nameSchema } from '../../config/fields.ts';
import { configJsonSchema } from '../../config/json-schema.ts';
import type { Role } from '../../config/sections/tenants.ts';
import type { Change } from '../../control/change.ts';
import { LIST_KINDS, type OwnedEntry } from '../../control/entry.ts';
import type { Layers } from '../../control/layers.ts';
import { hideSealed } from '../../control/marks.ts';
import { invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { type AdminDoor, type AdminRequest, door } from './admin-door.ts';
import { listSchema, OWNER, patchSchema } from './open-api.ts';
import { pageOf, pageQuery, parseBody } from './parse.ts';
import {
  alreadyThere,
  documentOf,
  findOwn,
  makeChange,
  notFound,
  ownedByFile,
  readDocumentEntries,
} from './plan-entries.ts';
import { retiringOf } from './retirement-doors.ts';
import { type EntryRules, readRolloutRules } from './rollout-entries.ts';

/** A kind of entry that has doors of its own, all alike. */
interface EntrySet {
  kind: 'tenants' | 'models' | 'rollouts' | 'providers' | 'webhooks' | 'alerts';
  noun: string;
  /** What a change of it takes. */
  role: Role;
  name: z.ZodType<string>;
  /** Fields that have doors of their own, which ask for more than the configuration does; `NAME` is the entry's name. */
  elsewhere: Readonly<Record<string, string>>;
  /** What goes with an entry when it is deleted. */
  alsoGone?(layers: Layers, name: string): OwnedEntry[];
  /** They are told, as a list and each, by doors of their own. */
  isReadElsewhere?: true;
  /** What its changes go by beside the configuration. */
  readRules?(request: Pick<AdminRequest, 'parts' | 'body'>, name: string): Promise<EntryRules>;
}

const SETS: readonly EntrySet[] = [
  {
    kind: 'tenants',
    noun: 'tenant',
    role: 'operator',
    name: nameSchema(),
    // Nobody chooses the secret of a key, and whoever grants a model is named in an event.
    elsewhere: {
      keys: 'POST /admin/v1/tenants/NAME/keys makes one, PATCH and DELETE …/KEY change and revoke it',
      grants: 'PUT /admin/v1/tenants/NAME/grants/MODEL grants a model, DELETE takes it back',
    },
    alsoGone: (layers, name) =>
      LIST_KINDS.flatMap((kind) => layers.ofTenant(kind, name)).filter(({ owner }) => owner === 'api'),
  },
  { kind: 'models', noun: 'model', role: 'operator', name: modelName(), elsewhere: {} },
  {
    kind: 'rollouts',
    noun: 'rollout',
    role: 'operator',
    name: nameSchema(),
    elsewhere: {},
    isReadElsewhere: true,
    readRules: readRolloutRules,
  },
  // Whoever may say where a provider is may have its credentials sent anywhere.
  { kind: 'providers', noun: 'provider', role: 'owner', name: nameSchema(), elsewhere: {} },
  // Whoever may say where events go may have the gateway send requests anywhere.
  { kind: 'webhooks', noun: 'webhook', role: 'owner', name: nameSchema(), elsewhere: {} },
  { kind: 'alerts', noun: 'alert', role: 'operator', name: nameSchema(), elsewhere: {} },
];

const anyObject = z.record(z.string(), z.unknown(), { error: 'a mapping' });

export const ENTRY_DOORS: readonly AdminDoor[] = SETS.flatMap(doorsOf);

function doorsOf(set: EntrySet): AdminDoor[] {
  const { kind, noun, role } = set;
  const one = `/${kind}/:name`;
  const bodySchema = () => entrySchema(set);
  const answerSchema = () => ownedSchema(bodySchema());
  const readers = [
    door({
      method: 'GET',
      path: `/${kind}`,
      role: 'viewer',
      summary: `All ${kind}, by name`,
      query: pageQuery,
      answerSchema: () => listSchema(answerSchema()),
      handle: async ({ parts, query }) => {
        const entries = parts.control.layers.ofKind(kind).sort(byName);
        const { page, nextCursor } = pageOf(entries, ({ name }) => name, query);
        return { body: { data: page.map((entry) => describeOne(parts, entry)), nextCursor } };
      },
    }),
    door({
      method: 'GET',
      path: one,
      role: 'viewer',
      summary: `One ${noun}`,
      answerSchema,
      handle: async ({ parts, params: { name = '' } }) => {
        const entry = parts.control.layers.find(kind, name);
        if (!entry) throw notFound(kind, name);
        return { body: describeOne(parts, entry) };
      },
    }),
  ];
  return [
    ...(set.isReadElsewhere ? [] : readers),
    door({
      method: 'POST',
      path: `/${kind}`,
      role,
      summary: `Makes a ${noun}`,
      status: 201,
      body: z.looseObject({ name: set.name }),
      bodySchema: () => withName(bodySchema()),
      answerSchema,
      handle: (request) => {
        const { name, ...value } = request.body;
        return putEntry(set, request, name, value as JsonObject, 'new');
      },
    }),
    door({
      method: 'PUT',
      path: one,
      role,
      summary: `Makes a ${noun}, or replaces it as a whole`,
      body: anyObject,
      bodySchema,
      answerSchema,
      handle: (request) => {
        const name = parseBody(set.name, request.params['name']);
        return putEntry(set, request, name, request.body as JsonObject, 'any');
      },
    }),
    door({
      method: 'PATCH',
      path: one,
      role,
      summary: `Changes the fields of a ${noun} that are sent; null takes one away`,
      body: anyObject,
      bodySchema: () => patchSchema(bodySchema()),
      answerSchema,
      handle: (request) => {
        const { name = '' } = request.params;
        return putEntry(set, request, name, request.body as JsonObject, 'patched');
      },
    }),
    door({
      method: 'DELETE',
      path: one,
      role,
      summary: `Deletes a ${noun}${set.alsoGone ? ', and the keys and grants that were made for it here' : ''}`,
      handle: (request) => deleteEntry(set, request),
    }),
  ];
}

async function putEntry(
  { kind, elsewhere, readRules }: EntrySet,
  request: AdminRequest<unknown, object>,
  name: string,
  sent: JsonObject,
  which: 'new' | 'any' | 'patched',
) {
  refuseElsewhere(request.body, elsewhere, name);
  const rules = await readRules?.({ parts: request.parts, body: sent }, name);
  const body = rules?.body ?? sent;
  const file = fileName(request);
  const plan = (layers: Layers): Change[] => {
    const current = layers.find(kind, name);
    if (current?.owner === 'file') throw ownedByFile(kind, name, file);
    if (current && which === 'new') throw alreadyThere(kind, name);
    if (!current && which === 'patched') throw notFound(kind, name);
    const told = current && hideSealed(current.value);
    const before = isObject(told) ? told : {};
    const after = which === 'patched' ? patch(before, body) : body;
    rules?.check(current?.value, after);
    const document = documentOf(kind, name, after);
    const entries = readDocumentEntries(document, request, layers);
    return entries.map(({ kind, name, value }) => ({
      owner: 'api',
      kind,
      name,
      before: layers.find(kind, name)?.value,
      after: value,
    }));
  };
  const outcome = await makeChange(request, plan, prefixOf(kind, name));
  const entry = request.parts.control.layers.find(kind, name);
  if (!entry) throw notFound(kind, name);
  return { body: describeEntry(entry), revision: outcome.revision };
}

async function deleteEntry({ kind, alsoGone, readRules }: EntrySet, request: AdminRequest) {
  const { name = '' } = request.params;
  const rules = await readRules?.(request, name);
  const plan = (layers: Layers): Change[] => {
    const value = findOwn(layers, kind, name, fileName(request));
    rules?.check(value, undefined);
    const gone = [{ kind, name, value }, ...(alsoGone?.(layers, name) ?? [])];
    return gone.map(({ kind, name, value }) => ({
      owner: 'api',
      kind,
      name,
      before: value,
      after: undefined,
    }));
  };
  const { revision } = await makeChange(request, plan, '', { urgency: 'urgent' });
  await rules?.gone();
  return { body: { name, deleted: true }, revision };
}

/** @throws GatewayError where a body has fields that have doors of their own */
function refuseElsewhere(body: object, elsewhere: EntrySet['elsewhere'], name: string): void {
  for (const [field, door] of Object.entries(elsewhere)) {
    if (!Object.hasOwn(body, field)) continue;
    throw invalidRequest(
      `'${field}' have a door of their own: ${door.replaceAll('NAME', name)}.`,
      field,
      'has_own_door',
    );
  }
}

/** `null` takes a field away, as in a JSON merge patch (RFC 7396); mappings inside are replaced as a whole. */
export function patch(before: JsonObject, change: JsonObject): JsonObject {
  const merged = { ...before, ...change };
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
}

export function fileName({ parts }: Pick<AdminRequest, 'parts'>): string {
  return parts.control.loaded.config.file ?? 'the config file';
}

function prefixOf(kind: string, name: string): string {
  return /^[A-Za-z0-9_-]+$/.test(name) ? `${kind}.${name}` : `${kind}[${JSON.stringify(name)}]`;
}

function byName(a: OwnedEntry, b: OwnedEntry): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

/** With what is on its way out of what a model leads to. */
function describeOne(parts: AdminRequest['parts'], entry: OwnedEntry): JsonObject {
  const retiring = entry.kind === 'models' ? retiringOf(parts, entry.name) : [];
  return { ...describeEntry(entry), ...(retiring.length > 0 && { retiring }) };
}

/** Holds no secrets: a credential is a placeholder or a mark. */
export function describeEntry({ name, owner, value }: OwnedEntry): JsonObject {
  const told = hideSealed(value);
  return { name, owner, ...(isObject(told) && (told as Record<string, JsonValue>)) };
}

function entrySchema({ kind, elsewhere }: EntrySet): JsonObject {
  const sections = configJsonSchema()['properties'];
  const section = isObject(sections) ? sections[kind] : undefined;
  const schema = isObject(section) ? section['additionalProperties'] : undefined;
  if (!isObject(schema)) return {};
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const here = Object.entries(properties).filter(([field]) => !Object.hasOwn(elsewhere, field));
  return { ...schema, properties: Object.fromEntries(here) };
}

/** As answers have an entry. */
function ownedSchema(schema: JsonObject): JsonObject {
  const { properties, required, ...rest } = withName(schema);
  return {
    ...rest,
    properties: { ...(isObject(properties) && properties), owner: OWNER },
    required: [...(Array.isArray(required) ? required : []), 'owner'],
  };
}

function withName(schema: JsonObject): JsonObject {
  const properties = isObject(schema['properties']) ? schema['properties'] : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  return {
    ...schema,
    properties: { name: { type: 'string' }, ...properties },
    required: ['name', ...required],
  };
}
