import type { Dialect } from '../dialects/dialect.ts';
import type { PassThrough } from '../dialects/pass-through.ts';
import type { Operation } from '../usage/record.ts';

/** What a URL of the gateway speaks and does. */
export interface Door {
  dialect: Dialect;
  operation: Operation;
  /** Relaying to a provider of the same dialect. */
  passThrough: PassThrough;
}
