import { z } from 'zod';
import type { Change } from '../../control/change.ts';
import { hideSealed } from '../../control/marks.ts';
import type { Revision } from '../../control/revision-store.ts';
import { GatewayError, invalidRequest } from '../../conversation/gateway-error.ts';
import { isObject, type JsonObject, type JsonValue } from '../../conversation/json.ts';
import { type AdminDoor, type AdminRequest, door } from './admin-door.ts';
import { listSchema, OWNER, objectSchema } from './open-api.ts';
import { pageQuery, tellConfigError } from './parse.ts';

const MOMENT: JsonObject = { type: 'string', format: 'date-time' };

const REVISION_FIELDS: JsonObject = {
  number: { type: 'integer' },
  createdAt: MOMENT,
  author: { type: 'string', description: 'The admin key, or the file, that made it.' },
  source: { type: 'string', enum: ['file', 'api', 'restore'] },
  changeCount: { type: 'integer' },
};
const REVISION = objectSchema(REVISION_FIELDS);

const CHANGE: JsonObject = {
  type: 'object',
  properties: {
    what: { type: 'string', enum: ['made', 'changed', 'removed'] },
    owner: OWNER,
    kind: { type: 'string' },
    name: { type: 'string' },
    before: { description: 'Absent of what was made.' },
    after: { description: 'Absent of what was removed.' },
  },
  required: ['what', 'owner', 'kind', 'name'],
};

const EVENT = objectSchema({
  id: { type: 'string' },
  createdAt: MOMENT,
  kind: { type: 'string' },
  severity: { type: 'string', enum: ['info', 'warning', 'alarm'] },
  message: { type: 'string' },
  details: { type: 'object' },
});

export const REVISION_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/revisions',
    role: 'viewer',
    summary: 'All changes of the configuration, newest first',
    query: pageQuery,
    answerSchema: () => listSchema(REVISION),
    handle: async ({ parts, query }) => {
      const before = query.cursor === undefined ? undefined : readNumber(query.cursor, 'cursor');
      const revisions = await parts.control.revisions.list(before, query.limit);
      const page = revisions.slice(0, query.limit);
      const isMore = revisions.length > query.limit;
      return {
        body: { data: page.map(describeRevision), nextCursor: isMore ? String(page.at(-1)?.number) : null },
      };
    },
  }),
  door({
    method: 'GET',
    path: '/revisions/:number',
    role: 'viewer',
    summary: 'One change, with what it changed',
    query: pageQuery,
    answerSchema: () =>
      objectSchema({
        ...REVISION_FIELDS,
        changes: { type: 'array', items: CHANGE },
        nextCursor: { type: ['string', 'null'] },
      }),
    handle: async ({ parts, params, query }) => {
      const number = revisionNumber(params);
      const { revisions } = parts.control;
      const revision = await revisions.find(number);
      if (!revision)
        throw new GatewayError('not_found', `There is no revision ${number}.`, { code: 'not_found' });
      const from = query.cursor === undefined ? 0 : readNumber(query.cursor, 'cursor');
      const changes = await revisions.changesOf(number, from, query.limit);
      const next = from + changes.length;
      return {
        body: {
          ...describeRevision(revision),
          changes: changes.map(describeChange),
          nextCursor: next < revision.changeCount ? String(next) : null,
        },
      };
    },
  }),
  door({
    method: 'POST',
    path: '/revisions/:number/restore',
    role: 'owner',
    summary: 'Brings everything back to what it was at a revision, as a new revision',
    body: z.strictObject({
      withRevokedKeys: z
        .boolean({ error: 'true or false' })
        .default(false)
        .describe('Also secrets of keys that were revoked, replaced or ended since are valid again.'),
    }),
    handle: restore,
  }),
  door({
    method: 'GET',
    path: '/events',
    role: 'viewer',
    summary: 'What happened that an operator may want to know of, newest first',
    query: pageQuery,
    answerSchema: () => listSchema(EVENT),
    handle: async ({ parts, query }) => {
      const events = await parts.events.list(query.cursor, query.limit);
      const page = events.slice(0, query.limit);
      return {
        body: {
          data: page.map((event) => ({ ...event, createdAt: new Date(event.createdAt).toISOString() })),
          nextCursor: events.length > query.limit ? (page.at(-1)?.id ?? null) : null,
        },
      };
    },
  }),
];

async function restore({ parts, params, body, author }: AdminRequest<unknown, { withRevokedKeys: boolean }>) {
  try {
    const number = revisionNumber(params);
    const { revision, changes } = await parts.control.restore(number, author, body.withRevokedKeys);
    return { body: { restored: number, revision, changes: changes.length }, revision };
  } catch (error) {
    throw tellConfigError(error);
  }
}

function revisionNumber({ number = '' }: AdminRequest['params']): number {
  return readNumber(number, 'number');
}

function readNumber(text: string, name: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw invalidRequest(`'${name}': give a whole number.`, name);
}

export function describeRevision({ number, createdAt, author, source, changeCount }: Revision): JsonObject {
  return { number, createdAt: new Date(createdAt).toISOString(), author, source, changeCount };
}

/** What was made has no `before`, what was taken away no `after`. */
export function describeChange({ owner, kind, name, before, after }: Change): JsonObject {
  const what = before === undefined ? 'made' : after === undefined ? 'removed' : 'changed';
  return {
    what,
    owner,
    kind,
    name,
    ...(before !== undefined && { before: shortenHashes(hideSealed(before)) }),
    ...(after !== undefined && { after: shortenHashes(hideSealed(after)) }),
  };
}

/** A secret that somebody chose could be guessed from its hash; that it is another one can still be seen. */
function shortenHashes(value: JsonValue): JsonValue {
  if (!isObject(value)) return value;
  const { secretHash, previous } = value;
  return {
    ...value,
    ...(typeof secretHash === 'string' && { secretHash: `${secretHash.slice(0, 8)}…` }),
    ...(isObject(previous) && { previous: shortenHashes(previous) }),
  };
}
