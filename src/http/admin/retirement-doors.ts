import { DAY_MS, dayOf } from '../../config/days.ts';
import type { JsonObject } from '../../conversation/json.ts';
import { listRetiring, type Retiring } from '../../lifecycle/list-retiring.ts';
import { sumUsage, type UsageSum } from '../../usage/queries.ts';
import { type AdminDoor, type AdminParts, door } from './admin-door.ts';

/** Who called something in so many days still uses it. */
const USE_DAYS = 30;

export const RETIREMENT_DOORS: readonly AdminDoor[] = [
  door({
    method: 'GET',
    path: '/retirements',
    role: 'viewer',
    summary: `Models and targets on their way out, and who called them in the last ${USE_DAYS} days`,
    handle: async ({ parts }) => {
      const from = Date.now() - USE_DAYS * DAY_MS;
      const data: JsonObject[] = [];
      for (const retiring of listRetiring(parts.control.config)) {
        const { kind, name, models } = retiring;
        const users = await listUsers(parts, { [kind]: name }, from);
        data.push({ kind, name, models, ...describeEnd(parts, retiring), usedBy: users });
      }
      return { body: { data } };
    },
  }),
];

/** What is on its way out of what a model leads to. */
export function retiringOf(parts: AdminParts, model: string): JsonObject[] {
  return listRetiring(parts.control.config)
    .filter(({ models }) => models.includes(model))
    .map((retiring) => ({ [retiring.kind]: retiring.name, ...describeEnd(parts, retiring) }));
}

function describeEnd(
  { isGone }: AdminParts,
  { kind, name, atMs, announcedMs, successor, source }: Retiring,
): JsonObject {
  return {
    retiresOn: dayOf(atMs),
    announcedOn: announcedMs === undefined ? null : dayOf(announcedMs),
    ...{ successor: successor ?? null, source },
    ...(kind === 'target' && { isGone: isGone(name) }),
  };
}

async function listUsers(
  { store }: AdminParts,
  filter: { model?: string; target?: string },
  from: number,
): Promise<JsonObject[]> {
  const sums = await sumUsage(store, { ...filter, from, groupBy: ['tenant', 'key', 'day'] });
  const users = new Map<
    string,
    { tenant: string | null; key: string | null; calls: number; lastUsedOn: string }
  >();
  for (const { tenant = null, key = null, day = '', calls } of sums satisfies UsageSum[]) {
    const known = users.get(`${tenant}\n${key}`);
    if (!known) users.set(`${tenant}\n${key}`, { tenant, key, calls, lastUsedOn: day });
    else {
      known.calls += calls;
      if (day > known.lastUsedOn) known.lastUsedOn = day;
    }
  }
  return [...users.values()];
}
