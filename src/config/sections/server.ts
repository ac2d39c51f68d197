import { z } from 'zod';
import { count, duration, hidden, size, text, timeout } from '../fields.ts';

const RUNNING = 'Calls that may run at once.';
const QUEUED = 'Calls that may wait for a free place.';
const QUEUE_TIME = 'How long a call may wait before it is refused.';

/** Bounds on what waits and what runs of one model. */
export const modelOverloadSchema = z.strictObject({
  maxConcurrentCalls: count(1).optional().describe(RUNNING),
  maxQueuedCalls: count(0).default(100).describe(QUEUED),
  maxQueueTime: timeout().optional().describe(`${QUEUE_TIME} Without it as for all models together.`),
});

/** The same of all together. A process that has so many calls under way is about to run out of memory or sockets. */
const overloadSchema = z.strictObject({
  maxConcurrentCalls: count(1).default(10_000).describe(RUNNING),
  maxQueuedCalls: count(0).default(1_000).describe(QUEUED),
  maxQueueTime: timeout().prefault('30s').describe(QUEUE_TIME),
});

export const serverSchema = z.strictObject({
  host: text('an address to listen on')
    .default('127.0.0.1')
    .describe('Address to listen on; 0.0.0.0 for all. The environment variable HOST goes before it.'),
  port: count(0, 65535)
    .default(8080)
    .describe('Port to listen on; 0 for any free one. The environment variable PORT goes before it.'),
  bodyLimit: size().prefault('32mb').describe('Largest request body, e.g. 32mb.'),
  uploadLimit: size()
    .prefault('512mb')
    .describe('Largest upload (audio, images, files), e.g. 512mb. Uploads are handed on while they arrive.'),
  drainTimeout: duration()
    .prefault('30s')
    .describe('How long running calls may take to finish when the gateway is told to stop.'),
  metrics: z
    .enum(['viewer', 'open'], { error: 'viewer or open' })
    .default('viewer')
    .describe(
      'Who may read /metrics: whoever has an admin key (viewer), or everybody who reaches the gateway (open). It tells the names of tenants and what they spend.',
    ),
  workers: z
    .union([count(1, 1024), z.literal('auto')], { error: 'a whole number from 1 to 1024, or auto' })
    .default(1)
    .describe(
      'Processes that share the port, each of which serves calls: a number, or auto for one per core. Several need a `state` in a Redis.',
    ),
  overload: overloadSchema.prefault({}).describe('Bounds for all models together.'),
});

const SQLITE = 'sqlite:';

/** Where records and revisions are kept: a SQLite file (or `:memory:`) or a PostgreSQL database. */
export const storeSchema = hidden(
  z
    .string({ error: 'sqlite:PATH or postgres://…' })
    .regex(/^(?:sqlite:.+|postgres(?:ql)?:\/\/\S+)$/, { error: 'sqlite:PATH or postgres://…' })
    .transform(
      (value): Store =>
        value.startsWith(SQLITE)
          ? { kind: 'sqlite', path: value.slice(SQLITE.length) }
          : { kind: 'postgres', url: value },
    ),
  'a database URL may hold a password',
);

export type Store = { kind: 'sqlite'; path: string } | { kind: 'postgres'; url: string };

/** Where counters are kept: in this process, or in a Redis that instances share. */
export const stateSchema = hidden(
  z
    .string({ error: 'memory or redis://…' })
    .regex(/^(?:memory:?|rediss?:\/\/\S+)$/, { error: 'memory or redis://…' })
    .transform(
      (value): State => (value.startsWith('memory') ? { kind: 'memory' } : { kind: 'redis', url: value }),
    ),
  'a Redis URL may hold a password',
);

export type State = { kind: 'memory' } | { kind: 'redis'; url: string };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export const loggingSchema = z.strictObject({
  level: z.enum(LOG_LEVELS).default('info').describe('Least important messages that are logged.'),
});
