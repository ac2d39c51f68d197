import type { FastifyInstance, FastifyRequest } from 'fastify';
import { GatewayError, invalidRequest } from '../conversation/gateway-error.ts';
import { chat } from '../dialects/chat/index.ts';
import type { CallerDialectName, Dialect } from '../dialects/dialect.ts';
import { passThrough } from '../dialects/media/pass-through.ts';
import type { Door } from '../gateway/door.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { ObjectCall } from '../gateway/object-call.ts';
import type { ObjectKind } from '../tenants/upstream-objects.ts';
import { requireKey } from './access.ts';
import { guessDialect } from './caller-dialect.ts';
import { besideBody, OF_OPENAI } from './callers-headers.ts';
import { queryValue, readBearer, readHeader } from './credentials.ts';
import type { Lifecycle } from './lifecycle.ts';
import { takeCall } from './take-call.ts';
import { readUpload, takeUploads } from './uploads.ts';

interface ObjectDoor {
  kind: ObjectKind;
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  does: Extract<ObjectCall, { id: string }>['does'];
}

const DOORS: readonly ObjectDoor[] = [
  { kind: 'file', method: 'GET', path: '/v1/files/:id', does: 'retrieve' },
  { kind: 'file', method: 'DELETE', path: '/v1/files/:id', does: 'delete' },
  { kind: 'file', method: 'GET', path: '/v1/files/:id/content', does: 'content' },
  { kind: 'batch', method: 'GET', path: '/v1/batches/:id', does: 'retrieve' },
  { kind: 'batch', method: 'POST', path: '/v1/batches/:id/cancel', does: 'cancel' },
];

const doorOf = (kind: ObjectKind): Door => ({
  dialect: chat,
  passThrough,
  operation: kind,
  relayedPlace: kind,
});
const FILE = doorOf('file');
const BATCH = doorOf('batch');

/** As many as OpenAI gives where nobody says, and at most (API reference, "List files", "List batches"). */
const PAGES: Readonly<Record<ObjectKind, { usual: number; most: number }>> = {
  file: { usual: 10_000, most: 10_000 },
  batch: { usual: 20, most: 100 },
};

/** Files and batches: relayed to the provider that keeps them, and seen by nobody but the tenant that made them. */
export function addObjectDoors(app: FastifyInstance, gateway: Gateway, lifecycle: Lifecycle): void {
  app.register(async (doors) => {
    // Errors are in what the caller seems to speak: Anthropic and Google have files at the same paths.
    const config = {};
    doors.addHook('onRequest', (request, _reply, done) => done(notServed(guessDialect(request))));
    requireKey(doors, { gateway, lifecycle, readKey: ({ headers }) => readBearer(headers) });
    takeUploads(doors);
    doors.post('/v1/files', { config }, (request, reply) => {
      const upload = readUpload(gateway, request);
      if (!upload) throw invalidRequest('A file is uploaded as multipart/form-data.');
      const object: ObjectCall = { kind: 'file', does: 'create', provider: namedProvider(request) };
      takeCall(gateway, FILE, request, reply, { ...besideBody(request, OF_OPENAI), upload, object });
    });
    doors.post('/v1/batches', { config }, (request, reply) =>
      takeCall(gateway, BATCH, request, reply, {
        ...besideBody(request, OF_OPENAI),
        object: { kind: 'batch', does: 'create' },
      }),
    );
    for (const [path, door, kind] of [
      ['/v1/files', FILE, 'file'],
      ['/v1/batches', BATCH, 'batch'],
    ] as const) {
      doors.get(path, { config }, (request, reply) =>
        takeCall(gateway, door, request, reply, {
          object: { kind, does: 'list', page: readPage(kind, request) },
        }),
      );
    }
    for (const { kind, method, path, does } of DOORS) {
      doors.route<{ Params: { id: string } }>({
        method,
        url: path,
        config,
        handler: (request, reply) => {
          const object: ObjectCall = { kind, does, id: request.params.id };
          takeCall(gateway, kind === 'file' ? FILE : BATCH, request, reply, {
            ...besideBody(request, OF_OPENAI),
            object,
          });
        },
      });
    }
  });
}

/** Whose clients mean files in their vendor's store, and what they can do instead. */
const OTHERS: Partial<Record<CallerDialectName, { vendor: string; instead: string }>> = {
  messages: { vendor: 'Anthropic', instead: "Send the file's data in the message (base64)." },
  gemini: { vendor: 'Google', instead: "Send the file's data in the request (inlineData)." },
};

/** Other vendors' clients speak of files in other forms, and mean other files: OpenAI's kin may not get them. */
function notServed({ name }: Dialect): GatewayError | undefined {
  const other = OTHERS[name];
  if (!other) return undefined;
  return new GatewayError(
    'not_found',
    `${other.vendor}'s files and batches are not served here: the gateway keeps some at OpenAI's kin only, for OpenAI's clients. ${other.instead}`,
    { code: 'unknown_url' },
  );
}

function namedProvider({ headers, query }: FastifyRequest): string | undefined {
  return readHeader(headers, 'x-fairlead-provider') ?? queryValue(query, 'provider');
}

function readPage(
  kind: ObjectKind,
  { query }: FastifyRequest,
): Extract<ObjectCall, { does: 'list' }>['page'] {
  const { usual, most } = PAGES[kind];
  const limit = Number(queryValue(query, 'limit') ?? usual);
  if (!Number.isInteger(limit) || limit < 1 || limit > most) {
    throw invalidRequest(`'limit' must be a whole number from 1 to ${most}.`, 'limit');
  }
  const order = queryValue(query, 'order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc') throw invalidRequest("'order' must be asc or desc.", 'order');
  const purpose = queryValue(query, 'purpose');
  if (purpose !== undefined && !/^[\w-]{1,64}$/.test(purpose)) {
    throw invalidRequest("'purpose' is the name of none.", 'purpose');
  }
  return { after: queryValue(query, 'after'), limit, order, purpose };
}
