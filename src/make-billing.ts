import { BatchBilling, type BatchBillingOptions } from './gateway/bill-batch.ts';
import type { Gateway } from './gateway/gateway.ts';
import { UnbilledBatches } from './gateway/unbilled-batches.ts';
import { GrowingIds } from './store/growing-ids.ts';
import type { Store } from './store/store.ts';
import { BatchBills } from './tenants/batch-bills.ts';
import { scheduleTimeout } from './usage/ledger.ts';

/** What records what batches have used, once each, and looks after those that nobody asks for. */
export function makeBilling({
  store,
  gateway,
  idPrefix,
  ...told
}: Pick<BatchBillingOptions, 'isPresent' | 'charge'> & {
  store: Store;
  gateway(): Gateway;
  idPrefix: string;
}): {
  billing: BatchBilling;
  unbilled: UnbilledBatches;
} {
  const bills = new BatchBills(store);
  const makeId = (startMs: number) => new GrowingIds(() => startMs, idPrefix).next();
  const billing = new BatchBilling({ ...told, gateway, bills, makeId });
  return {
    billing,
    unbilled: new UnbilledBatches({ gateway: gateway(), bills, billing, schedule: scheduleTimeout }),
  };
}
