import type { Kysely } from 'kysely';
import { appendAll } from '../conversation/append-all.ts';
import type { Database, TenantEndRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { FIRST_TENANT } from './first-start.ts';

/** The end of the last tenant of a name. */
export interface TenantEnd {
  /** Names it: the revision that took the tenant away. */
  revision: number;
  /** Unix milliseconds: what was noted up to then is not a later tenant's. */
  endedAt: number;
}

/** A revision, as far as tenants begin and end with it. */
export interface TenantTurns {
  number: number;
  /** Unix milliseconds. */
  createdAt: number;
  author: string;
  /** The revision that it brings back. */
  restores: number | undefined;
  ended: readonly string[];
  begun: readonly string[];
  /** Of which something becomes another, and which were there before and are after it. */
  changed: readonly string[];
}

/** Why requests of an earlier tenant are denied. */
export const TENANT_GONE = 'The tenant was taken away.';

const ROWS_AT_ONCE = 1_000;

/** The newest end of each name that was used before. */
export type NewestEnds = ReadonlyMap<string, TenantEnd | undefined>;

/**
 * Which names of tenants were used before, and until when, of tenants that there are. Nothing is deleted where a tenant ends: a
 * tenant that was taken away by a slip has everything again where the revision before it is restored.
 */
export class TenantEnds {
  readonly #db: Kysely<Database>;
  /** Replaced as a whole: what was frozen stays. */
  #ends: ReadonlyMap<string, TenantEnd> = new Map();

  constructor({ db }: Pick<Store, 'db'>) {
    this.#db = db;
  }

  /** Reads those of all tenants that are configured. */
  async readAll(): Promise<void> {
    const configured = this.#db.selectFrom('config_entries').select('name').where('kind', '=', 'tenants');
    const rows = await this.#db
      .selectFrom('tenant_ends')
      .selectAll()
      .where('tenant', 'in', configured)
      .orderBy('revision')
      .execute();
    this.#ends = new Map(rows.map((row) => [row.tenant, readEnd(row)]));
  }

  /**
   * What the store has of some names: there may be very many others.
   *
   * @param db where it is read in a transaction that changes it
   */
  async read(tenants: Iterable<string>, db: Kysely<Database> = this.#db): Promise<NewestEnds> {
    const ends = new Map<string, TenantEnd | undefined>();
    for (const tenant of tenants) ends.set(tenant, undefined);
    for (const { tenant, ...end } of await readRows(db, [...ends.keys()])) ends.set(tenant, end);
    return ends;
  }

  /** Has what was read count from now on. */
  take(ends: NewestEnds): void {
    const newest = new Map(this.#ends);
    for (const [tenant, end] of ends) {
      if (end) newest.set(tenant, end);
      else newest.delete(tenant);
    }
    this.#ends = newest;
  }

  /** Tells tenants of one name apart, by what is known now, whatever is read later: 0 for the first. */
  freeze(): (tenant: string) => number {
    const ends = this.#ends;
    return (tenant) => ends.get(tenant)?.revision ?? 0;
  }

  /** `undefined` where the name was never another tenant's. */
  find(tenant: string): TenantEnd | undefined {
    return this.#ends.get(tenant);
  }
}

/** Notes which tenants a revision takes away and makes, in its transaction. */
export async function noteTenantTurns(db: Kysely<Database>, turns: TenantTurns): Promise<void> {
  const { number, createdAt } = turns;
  const ended = [...turns.ended, ...(await findReplaced(db, turns)), ...(await findFirst(db, turns))];
  for (const tenants of inChunks(ended)) {
    await db
      .insertInto('tenant_ends')
      .values(tenants.map((tenant) => ({ tenant, revision: number, ended_at: createdAt })))
      .execute();
    await denyPending(db, turns, tenants);
  }
  await noteBegun(db, turns);
}

/** Nobody is left who asks; a later tenant of the name would be told of it as its own. */
async function denyPending(
  db: Kysely<Database>,
  { createdAt, author }: TenantTurns,
  tenants: readonly string[],
): Promise<void> {
  await db
    .updateTable('access_requests')
    .set({ state: 'denied', decided_at: createdAt, decided_by: author, note: TENANT_GONE })
    .where('tenant', 'in', tenants)
    .where('state', '=', 'pending')
    .execute();
}

/** Tenants that have the name of one that ended since what is restored: it gets neither their things, nor they its keys. */
async function findReplaced(db: Kysely<Database>, { restores, changed }: TenantTurns): Promise<string[]> {
  if (restores === undefined) return [];
  const replaced = await readRows(db, changed);
  return [
    ...Map.groupBy(
      replaced.filter(({ revision }) => revision > restores),
      ({ tenant }) => tenant,
    ).keys(),
  ];
}

/** The tenant of the first start, which no revision made: the first that one makes ends it. */
async function findFirst(db: Kysely<Database>, { begun }: TenantTurns): Promise<string[]> {
  if (begun.length === 0) return [];
  const hasEnded = (await readRows(db, [FIRST_TENANT])).length > 0;
  return hasEnded ? [] : [FIRST_TENANT];
}

async function noteBegun(db: Kysely<Database>, turns: TenantTurns): Promise<void> {
  const { number, createdAt, restores = Number.POSITIVE_INFINITY, begun } = turns;
  const ends = Map.groupBy(await readRows(db, begun), ({ tenant }) => tenant);
  // Those of then: nobody else had their names since.
  const restored: string[] = [];
  const others: string[] = [];
  for (const [tenant, earlier] of ends) {
    const undone = earlier.filter(({ revision }) => revision > restores);
    (undone.length === 1 ? restored : others).push(tenant);
  }
  for (const tenants of inChunks(restored)) {
    await db
      .deleteFrom('tenant_ends')
      .where('tenant', 'in', tenants)
      .where('revision', '>', restores)
      .execute();
  }
  for (const tenants of inChunks(others)) {
    // Calls of the earlier tenants may have run until now.
    await db
      .updateTable('tenant_ends')
      .set({ ended_at: createdAt })
      .where('tenant', 'in', tenants)
      .where('revision', '<', number)
      .execute();
    await denyPending(db, turns, tenants);
  }
}

type NamedEnd = TenantEnd & { tenant: string };

/** All ends of some names, each name's oldest first. */
async function readRows(db: Kysely<Database>, names: readonly string[]): Promise<NamedEnd[]> {
  const ends: NamedEnd[] = [];
  for (const tenants of inChunks(names)) {
    const rows = await db
      .selectFrom('tenant_ends')
      .selectAll()
      .where('tenant', 'in', tenants)
      .orderBy('revision')
      .execute();
    appendAll(
      ends,
      rows.map((row) => ({ tenant: row.tenant, ...readEnd(row) })),
    );
  }
  return ends;
}

function readEnd({ revision, ended_at }: TenantEndRow): TenantEnd {
  return { revision: Number(revision), endedAt: Number(ended_at) };
}

function* inChunks(names: readonly string[]): Generator<readonly string[]> {
  for (let at = 0; at < names.length; at += ROWS_AT_ONCE) yield names.slice(at, at + ROWS_AT_ONCE);
}
