import { randomUUID } from 'node:crypto';
import type { Config } from '../config/resolve.ts';
import type { Store } from '../store/store.ts';
import type { Quotas } from './reservation.ts';
import type { SharedQuotasOptions } from './shared-quotas.ts';
import { Uncounted } from './uncounted.ts';

/** What counts calls, by where the configuration has its state: in this process, or in a Redis that instances share. */
export async function createQuotas(
  state: Config['state'],
  options: Omit<SharedQuotasOptions, 'url' | 'uncounted'>,
  store: Store,
): Promise<Quotas> {
  if (state.kind === 'memory') return options.local;
  // With the client of Redis, which most gateways need none of.
  const { SharedQuotas } = await import('./shared-quotas.ts');
  const instance = randomUUID();
  return new SharedQuotas(
    { ...options, url: state.url, uncounted: new Uncounted(store, instance) },
    instance,
  );
}
