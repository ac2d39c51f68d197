import { randomUUID } from 'node:crypto';
import type { Config } from '../config/resolve.ts';
import type { Quotas } from './reservation.ts';
import { SharedQuotas, type SharedQuotasOptions } from './shared-quotas.ts';

/** What counts calls, by where the configuration has its state: in this process, or in a Redis that instances share. */
export function createQuotas(state: Config['state'], options: Omit<SharedQuotasOptions, 'url'>): Quotas {
  if (state.kind === 'memory') return options.local;
  return new SharedQuotas({ ...options, url: state.url }, randomUUID());
}
