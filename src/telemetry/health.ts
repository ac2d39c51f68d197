import { z } from 'zod';
import type { BreakerReading } from '../routing/lane-book.ts';
import { COOLING_REASONS, type Cooling } from '../routing/limit.ts';
import type { Target } from '../routing/target.ts';
import { listAddresses } from '../upstream/addresses/list-addresses.ts';
import type { Account, Upstream } from '../upstream/upstream.ts';
import { HEALTH_WINDOW_MS, mergeRecent, NO_ATTEMPTS, type RecentAttempts } from './attempt-window.ts';

const moment = z.iso.datetime().nullable();

const STATUSES = ['ok', 'degraded', 'failing', 'unknown'] as const;
type Status = (typeof STATUSES)[number];

const standing = {
  status: z
    .enum(STATUSES)
    .describe(
      'By the attempts of the window: degraded from a tenth that failed, failing from a half. unknown: there were none.',
    ),
  attempts: z.int().describe('In the window, without those that the caller was to blame for.'),
  errorRate: z.number().nullable().describe('From 0 to 1; null where there were none.'),
  lastSuccessAt: moment.describe('Since the instance began.'),
  lastFailure: z
    .strictObject({
      at: z.iso.datetime(),
      outcome: z.string(),
      status: z.int().nullable(),
      reason: z.string().nullable(),
    })
    .nullable(),
};

const credential = z.enum(['in use', 'rejected']).describe('Whether the provider takes it.');
const breaker = z
  .enum(['closed', 'open', 'half-open'])
  .nullable()
  .describe('null where there is no circuit.');

const cooling = z
  .strictObject({
    until: z.iso.datetime(),
    reason: z
      .enum(COOLING_REASONS)
      .describe(
        'Whether the provider named the time, or others go first: it answered 429 without one, the account is out of credit, or its provider has shut it.',
      ),
  })
  .nullable()
  .describe(
    'Until when it is left alone for what its provider said, its limit or its credit; null where it is not.',
  );

const addresses = z
  .array(
    z.strictObject({
      address: z.string().describe('Scheme, host and port.'),
      healthy: z.boolean(),
      since: z.iso.datetime().describe('Since when it is healthy, or not.'),
      ejectedUntil: moment.describe('Until when it is left out for its failures; null where it is not.'),
      lastError: z
        .string()
        .nullable()
        .describe('What the last check, connection or attempt came to that had it left out.'),
    }),
  )
  .describe('Empty where no addresses are looked up or checked.');

export const healthSchema = z.strictObject({
  worker: z
    .int()
    .nullable()
    .describe(
      'Which of several workers tells this, by what its own calls met; null where the gateway is one process.',
    ),
  windowSeconds: z.int(),
  providers: z.array(
    z.strictObject({
      name: z.string(),
      ...standing,
      accounts: z.array(z.strictObject({ name: z.string(), credential, ...standing, addresses })),
    }),
  ),
  targets: z.array(
    z.strictObject({
      target: z.string(),
      models: z.array(z.string()).describe('The models that lead to it.'),
      ...standing,
      accounts: z.array(z.strictObject({ name: z.string(), breaker, cooling, ...standing })),
    }),
  ),
});

export type Health = z.output<typeof healthSchema>;

export interface HealthSources {
  /** `undefined` where the gateway is one process. */
  worker: number | undefined;
  upstreams: Iterable<Upstream>;
  /** Configured models with their targets. */
  models: Iterable<readonly [name: string, targets: readonly Target[]]>;
  attempts: Iterable<{ target: string; account: string; recent: RecentAttempts }>;
  breakers: Iterable<BreakerReading>;
  /** Unix milliseconds. */
  nowMs: number;
}

/** How providers, accounts and targets stand, as far as this instance knows it: by what calls met. */
export function describeHealth(sources: HealthSources): Health {
  const attempts = [...sources.attempts];
  const breakers = new Map(
    [...sources.breakers].map((reading) => [`${reading.target}\n${reading.account}`, reading]),
  );
  const byName = new Map(attempts.map(({ target, account, recent }) => [`${target}\n${account}`, recent]));
  const recentOf = (target: string, account: string) => byName.get(`${target}\n${account}`) ?? NO_ATTEMPTS;
  return {
    worker: sources.worker ?? null,
    windowSeconds: HEALTH_WINDOW_MS / 1000,
    providers: [...sources.upstreams].map((upstream) => {
      const own = attempts.filter(({ target }) => target.startsWith(`${upstream.name}/`));
      const accounts = upstream.accounts.map((account) => ({
        name: account.name,
        credential: account.standing.isRejected ? ('rejected' as const) : ('in use' as const),
        ...describeRecent(
          mergeRecent(own.filter((one) => one.account === account.name).map(({ recent }) => recent)),
          account,
        ),
        addresses: listAddresses(upstream.servers?.pools.get(account.name)),
      }));
      const all = describeRecent(mergeRecent(own.map(({ recent }) => recent)));
      const isOut = accounts.every(({ credential }) => credential === 'rejected');
      return { name: upstream.name, ...all, ...(isOut && { status: 'failing' as const }), accounts };
    }),
    targets: [...modelsByTarget(sources.models)].map(([name, { target, models }]) => {
      const accounts = target.upstream.accounts.map((account) => {
        const reading = breakers.get(`${name}\n${account.name}`);
        return {
          name: account.name,
          breaker: reading?.state ?? null,
          cooling: describeCooling(reading?.cooling, sources.nowMs),
          ...describeRecent(recentOf(name, account.name), account),
        };
      });
      const merged = mergeRecent(target.upstream.accounts.map((account) => recentOf(name, account.name)));
      return { target: name, models, ...describeRecent(merged), accounts };
    }),
  };
}

function describeCooling(cooling: Cooling | undefined, nowMs: number) {
  return cooling ? { until: new Date(nowMs + cooling.forMs).toISOString(), reason: cooling.reason } : null;
}

function modelsByTarget(models: HealthSources['models']): Map<string, { target: Target; models: string[] }> {
  const byTarget = new Map<string, { target: Target; models: string[] }>();
  for (const [model, targets] of models) {
    for (const target of targets) {
      const known = byTarget.get(target.name) ?? { target, models: [] };
      if (!known.models.includes(model)) known.models.push(model);
      byTarget.set(target.name, known);
    }
  }
  return byTarget;
}

function describeRecent(
  { attempts, failures, lastSuccessAt, lastFailure }: RecentAttempts,
  account?: Account,
) {
  return {
    status: account?.standing.isRejected ? ('failing' as const) : statusOf(attempts, failures),
    attempts,
    errorRate: attempts === 0 ? null : failures / attempts,
    lastSuccessAt: lastSuccessAt === null ? null : new Date(lastSuccessAt).toISOString(),
    lastFailure: lastFailure && { ...lastFailure, at: new Date(lastFailure.at).toISOString() },
  };
}

function statusOf(attempts: number, failures: number): Status {
  if (attempts === 0) return 'unknown';
  if (failures >= attempts / 2) return 'failing';
  return failures >= attempts / 10 ? 'degraded' : 'ok';
}
