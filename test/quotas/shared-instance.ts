import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CounterBook } from '../../src/quotas/counters.ts';
import type { Limit } from '../../src/quotas/limit.ts';
import { LocalQuotas } from '../../src/quotas/local-quotas.ts';
import { SharedQuotas, type SharedQuotasOptions } from '../../src/quotas/shared-quotas.ts';
import { Uncounted } from '../../src/quotas/uncounted.ts';
import type { Store } from '../../src/store/store.ts';
import { startLossyProxy } from '../support/lossy-proxy.ts';
import type { TestRedis } from '../support/redis.ts';
import { VirtualSchedule } from '../support/virtual-schedule.ts';

/** Unix milliseconds, when every instance begins. */
export const START = Date.UTC(2026, 4, 1, 12);

interface InstanceOptions extends Pick<SharedQuotasOptions, 'url' | 'onStateLoss' | 'tell'> {
  store: Store;
  /** All that are in force. */
  limits(): readonly Limit[];
}

/** The quotas of one instance, whose time stands still until it is moved. */
export function makeSharedQuotas({ store, ...options }: InstanceOptions) {
  const time = new VirtualSchedule();
  const counters = new CounterBook();
  const now = () => START + time.nowMs;
  const instance = crypto.randomUUID();
  const quotas = new SharedQuotas(
    {
      ...options,
      replyMs: 10_000,
      local: new LocalQuotas(counters, now),
      uncounted: new Uncounted(store, instance),
      now,
      schedule: time.schedule,
    },
    instance,
  );
  return { time, counters, now, quotas };
}

/** The same, behind a network that loses what it is told to, and counting alone while it does. */
export async function startBehindNetwork(
  context: TestContext,
  redis: TestRedis,
  options: Pick<InstanceOptions, 'store' | 'limits'>,
) {
  const proxy = await startLossyProxy(Number(new URL(redis.url).port));
  const told: string[] = [];
  const instance = makeSharedQuotas({
    ...options,
    url: `redis://127.0.0.1:${proxy.port}/0`,
    onStateLoss: 'local',
    tell: (_severity, kind) => void told.push(kind),
  });
  context.after(async () => {
    await instance.quotas.close();
    await proxy.close();
  });
  /** Has time go on until this was told so often. */
  const until = async (event: string, times = 1) => {
    for (let tries = 0; told.filter((each) => each === event).length < times; tries++) {
      assert.ok(tries < 400, `${event} was not told`);
      await sleep(10);
      await instance.time.advance(25);
    }
  };
  return { ...instance, proxy, until };
}

/** The key of the one budget there is. Beside it are those of leases, `KEY:held` and `KEY:lapsed`. */
export async function findBudget({ client }: TestRedis): Promise<string | undefined> {
  return (await client.keys('fairlead:*tokenBudget:day@*')).find((name) => /@\d+$/.test(name));
}
