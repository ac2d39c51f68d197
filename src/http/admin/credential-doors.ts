import { z } from 'zod';
import { nextSchema } from '../../config/sections/providers.ts';
import type { Change } from '../../control/change.ts';
import { changeAccount } from '../../control/credential-rotation.ts';
import type { OwnedEntry } from '../../control/entry.ts';
import type { Layers } from '../../control/layers.ts';
import { hideSealed } from '../../control/marks.ts';
import { GatewayError } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject } from '../../conversation/json.ts';
import { type AdminDoor, type AdminRequest, door } from './admin-door.ts';
import { describeEntry, fileName } from './entry-doors.ts';
import { toSchema } from './open-api.ts';
import { documentOf, makeChange, notFound, ownedByFile, readDocumentEntries } from './plan-entries.ts';

const ROTATE = '/providers/:name/accounts/:account/rotate';

/** Doors about the credentials of upstream accounts. */
export const CREDENTIAL_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/providers/:name/accounts',
    role: 'viewer',
    summary: "How calls of this instance stand with the credentials of a provider's accounts",
    handle: async ({ parts, params: { name = '' } }) => {
      const data = parts.describeCredentials(name);
      if (!data) throw notFound('providers', name);
      return { body: { data } };
    },
  }),
  door({
    method: 'POST',
    path: '/providers/:name/accounts/:account/probe',
    role: 'operator',
    summary: 'Has the next call of this instance try a rejected credential, before its pause is over',
    handle: async ({ parts, params: { name = '', account = '' } }) => {
      const wasRejected = parts.probeCredential(name, account);
      if (wasRejected === undefined) throw noAccount(name, account);
      return { body: { name, account, wasRejected } };
    },
  }),
  door({
    method: 'POST',
    path: ROTATE,
    role: 'owner',
    summary:
      "Gives an account a new credential: it gets a share of the account's calls, and replaces the old one once it is proven",
    body: z.record(z.string(), z.unknown(), { error: 'a mapping' }),
    bodySchema: () => toSchema(nextSchema),
    handle: (request) => changeNext(request, (account) => ({ ...account, next: request.body as JsonObject })),
  }),
  door({
    method: 'DELETE',
    path: ROTATE,
    role: 'owner',
    summary: 'Takes back a new credential that has not replaced the old one yet',
    handle: (request) => changeNext(request, ({ next: _next, ...account }) => account),
  }),
  door({
    method: 'POST',
    path: '/secrets/rotate',
    role: 'owner',
    summary:
      'Encrypts every stored credential under FAIRLEAD_SECRET, what was encrypted under FAIRLEAD_SECRET_PREVIOUS too',
    handle: async ({ parts, author }) => {
      const { revision, changes, history, unreadable } = await parts.control.rotateSecret(author);
      return { body: { revision, entries: changes.length, history, unreadable }, revision };
    },
  }),
];

async function changeNext(request: AdminRequest, change: (account: JsonObject) => JsonObject) {
  const { name = '', account = '' } = request.params;
  const plan = (layers: Layers): Change[] => {
    const entry = findAccount(layers, name, account, fileName(request));
    const told: OwnedEntry = { ...entry, value: hideSealed(entry.value) };
    const [changed] = changeAccount(told, account, change);
    if (changed?.after === undefined) return [];
    const document = documentOf('providers', name, changed.after);
    return readDocumentEntries(document, request, layers).map(({ value }) => ({
      ...changed,
      before: entry.value,
      after: value,
    }));
  };
  const { layers } = request.parts.control;
  const index = accountsOf(layers.find('providers', name)).findIndex((one) => one['name'] === account);
  const { revision } = await makeChange(request, plan, `providers.${name}.accounts[${index}].next`);
  return { body: describeEntry(findAccount(layers, name, account, '')), revision };
}

function findAccount(layers: Layers, name: string, account: string, file: string): OwnedEntry {
  const entry = layers.find('providers', name);
  if (!entry) throw notFound('providers', name);
  if (entry.owner === 'file') throw ownedByFile('providers', name, file);
  if (accountsOf(entry).some((one) => one['name'] === account)) return entry;
  throw noAccount(name, account);
}

function noAccount(name: string, account: string): GatewayError {
  return new GatewayError('not_found', `The provider '${name}' has no account '${account}'.`, {
    code: 'not_found',
  });
}

function accountsOf(entry: OwnedEntry | undefined): JsonObject[] {
  const accounts = isObject(entry?.value) ? entry.value['accounts'] : undefined;
  return Array.isArray(accounts) ? accounts.filter(isObject) : [];
}
