import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { type Kysely, sql, type Transaction } from 'kysely';
import { GatewayError } from '../conversation/gateway-error.ts';
import type { JsonValue } from '../conversation/json.ts';
import type { ConfigEntryRow, Database, RevisionChangeRow, RevisionRow } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import { noteTenantTurns, type TenantTurns } from '../tenants/tenant-ends.ts';
import { type Change, tenantsOf } from './change.ts';
import type { Entry, OwnedEntry } from './entry.ts';

/** One change of the configuration, for ever. */
export interface Revision {
  number: number;
  /** Unix milliseconds. */
  createdAt: number;
  /** The admin key, or the file, that made it. */
  author: string;
  source: 'file' | 'api' | 'restore';
  /** How many entries it changed. */
  changeCount: number;
}

export interface NewRevision extends Omit<Revision, 'changeCount'> {
  /** Of a file: what it held, so that an instance knows later whether its file is a newer one. */
  documentHash: string | null;
  changes: readonly Change[];
  /** The revision that is brought back by it: its tenants are those of then. */
  restores?: number | undefined;
}

/** What else is written in a revision's transaction. */
export type Alongside = (db: Transaction<Database>) => Promise<void>;

/** Rows in one statement: SQLite binds at most 32,766 values, PostgreSQL 65,535. */
const ROWS_AT_ONCE = 1_000;

/**
 * All entries of a kind in one row: there may be a hundred thousand, and a row of each takes five times as long to read.
 * Both databases list them as they come, and would sort them once for each list that says an order itself. No name holds white space.
 */
const LISTED_NAMES = sql<string>`string_agg(name, ${'\n'})`.as('names');
const LISTED_VALUES = sql<string>`string_agg(value, ${','})`.as('values');
/** What values that hold something encrypted look like, among others. */
const SEALED = '%"sealed":%';

/** How often a revision is written that the database does not confirm. */
const CONFIRM_ATTEMPTS = 3;
const CONFIRM_PAUSE_MS = 200;
const BUSY_PAUSE_MS = 50;

/** Revisions and the entries that they come to. Entries are what the sum of all changes is, kept so that a start reads each once. */
export class RevisionStore {
  readonly #db: Kysely<Database>;

  constructor({ db }: Pick<Store, 'db'>) {
    this.#db = db;
  }

  /** 0 where there is none. */
  async newestNumber(): Promise<number> {
    const row = await this.#db
      .selectFrom('revisions')
      .select('number')
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    return Number(row?.number ?? 0);
  }

  /** The newest revision and all entries at it. */
  async readAll(): Promise<{ number: number; entries: OwnedEntry[] }> {
    // Two statements may see two states: then there is a newer number behind them.
    for (let number = await this.newestNumber(); ; ) {
      const sorted = this.#db
        .selectFrom('config_entries')
        .select(['kind', 'owner', 'name', 'value'])
        .orderBy('kind')
        .orderBy('owner')
        .orderBy('revision')
        .orderBy('name');
      const rows = await this.#db
        .selectFrom(sorted.as('sorted'))
        .select(['kind', 'owner', LISTED_NAMES, LISTED_VALUES])
        .groupBy(['kind', 'owner'])
        .execute();
      const newest = await this.newestNumber();
      if (newest === number) return { number, entries: rows.flatMap(readEntries) };
      number = newest;
    }
  }

  /** Whether the newest file held this: it may have been read by another instance, a moment ago. */
  async isNewestFile(documentHash: string | null): Promise<boolean> {
    if (documentHash === null) return false;
    const row = await this.#db
      .selectFrom('revisions')
      .select('document_hash')
      .where('document_hash', 'is not', null)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row?.document_hash === documentHash;
  }

  /** The newest revision that had the very file of another one. */
  async findSameFile({ documentHash, changes }: NewRevision): Promise<number | undefined> {
    if (documentHash === null || changes.length === 0) return undefined;
    const row = await this.#db
      .selectFrom('revisions')
      .select('number')
      .where('document_hash', '=', documentHash)
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && Number(row.number);
  }

  async find(number: number): Promise<Revision | undefined> {
    const row = await this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('number', '=', number)
      .executeTakeFirst();
    return row && readRevision(row);
  }

  /** Newest first; those before `before`. One more than `limit` where there are more. */
  async list(before: number | undefined, limit: number): Promise<Revision[]> {
    let query = this.#db.selectFrom('revisions').selectAll();
    if (before !== undefined) query = query.where('number', '<', before);
    const rows = await query
      .orderBy('number', 'desc')
      .limit(limit + 1)
      .execute();
    return rows.map(readRevision);
  }

  /** What revisions after `after`, up to `upTo`, changed; the oldest first. */
  async changesBetween(after: number, upTo: number): Promise<Change[]> {
    const rows = await this.#db
      .selectFrom('revision_changes')
      .selectAll()
      .where('revision', '>', after)
      .where('revision', '<=', upTo)
      .orderBy('revision')
      .orderBy('position')
      .execute();
    return rows.map(readChange);
  }

  /** A page of what one revision changed, from a position on. */
  async changesOf(number: number, from: number, limit: number): Promise<Change[]> {
    const rows = await this.#db
      .selectFrom('revision_changes')
      .selectAll()
      .where('revision', '=', number)
      .where('position', '>=', from)
      .orderBy('position')
      .limit(limit)
      .execute();
    return rows.map(readChange);
  }

  /**
   * Gives what was encrypted in earlier revisions and entries its newest form; what a change did stays what it was.
   * Gives how many rows became others.
   */
  reseal(reseal: (entry: Entry) => JsonValue): Promise<number> {
    return this.#db.transaction().execute(async (db) => {
      const rows = await db
        .selectFrom('revision_changes')
        .select(['revision', 'position', 'kind', 'name', 'before', 'after'])
        .where(({ or, eb }) => or([eb('before', 'like', SEALED), eb('after', 'like', SEALED)]))
        .execute();
      let count = 0;
      for (const { revision, position, kind, name, ...texts } of rows) {
        const resealText = (text: string | null): string | null => {
          const value = fromJson(text);
          if (value === undefined) return null;
          const resealed = reseal({ kind, name, value });
          return resealed === value ? text : toJson(resealed);
        };
        const [before, after] = [resealText(texts.before), resealText(texts.after)];
        if (before === texts.before && after === texts.after) continue;
        await db
          .updateTable('revision_changes')
          .set({ before, after })
          .where('revision', '=', revision)
          .where('position', '=', position)
          .execute();
        count++;
      }
      return count;
    });
  }

  /**
   * Adds a revision; `false`, and nothing is written, where another instance was faster with this number, or holds the store. Where the
   * database breaks off before it confirms, the revision may be there all the same: writing it once more waits for what
   * is still under way, and finds the number free, or taken by this very revision.
   */
  async append(revision: NewRevision, alongside?: Alongside): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        const isWritten = await this.#insert(revision, alongside);
        return isWritten || (attempt > 1 && (await this.#holds(revision)));
      } catch (error) {
        if (isBusy(error)) {
          await sleep(BUSY_PAUSE_MS);
          return false;
        }
        const isUnclear = error instanceof GatewayError && error.kind === 'overloaded';
        if (!isUnclear || attempt === CONFIRM_ATTEMPTS) throw error;
        // Connections that broke together are found to be broken one by one.
        await sleep(CONFIRM_PAUSE_MS);
      }
    }
  }

  /** Whether the number is this revision's, by all that it says: two with the same changes come to the same. */
  async #holds({ number, createdAt, author, source, documentHash, changes }: NewRevision): Promise<boolean> {
    const row = await this.#db
      .selectFrom('revisions')
      .selectAll()
      .where('number', '=', number)
      .executeTakeFirst();
    if (!row || Number(row.created_at) !== createdAt || row.author !== author || row.source !== source)
      return false;
    if (row.document_hash !== documentHash) return false;
    return isDeepStrictEqual(await this.changesBetween(number - 1, number), [...changes]);
  }

  #insert(revision: NewRevision, alongside: Alongside | undefined): Promise<boolean> {
    const { number, createdAt, author, source, documentHash, changes } = revision;
    return this.#db.transaction().execute(async (db) => {
      const result = await db
        .insertInto('revisions')
        .values({
          number,
          created_at: createdAt,
          author,
          source,
          document_hash: documentHash,
          change_count: changes.length,
        })
        .onConflict((conflict) => conflict.column('number').doNothing())
        .executeTakeFirst();
      if (result.numInsertedOrUpdatedRows !== 1n) return false;
      for (let at = 0; at < changes.length; at += ROWS_AT_ONCE) {
        await writeChanges(db, number, at, changes.slice(at, at + ROWS_AT_ONCE));
      }
      await noteTenantTurns(db, {
        number,
        createdAt,
        author,
        restores: revision.restores,
        ...turnsOf(changes),
      });
      await alongside?.(db);
      return true;
    });
  }
}

/** Another process writes for longer than SQLite waits. */
function isBusy(error: unknown): boolean {
  return error instanceof Error && /database is (?:locked|busy)/.test(error.message);
}

/** A tenant that only goes over to the other owner neither ends nor begins. */
function turnsOf(changes: readonly Change[]): Pick<TenantTurns, 'ended' | 'begun' | 'changed'> {
  const ofTenants = changes.filter(({ kind }) => kind === 'tenants');
  const gone = new Set(ofTenants.filter(({ after }) => after === undefined).map(({ name }) => name));
  const made = new Set(ofTenants.filter(({ before }) => before === undefined).map(({ name }) => name));
  const [ended, begun] = [gone.difference(made), made.difference(gone)];
  const changed = tenantsOf(changes).difference(ended).difference(begun);
  return { ended: [...ended], begun: [...begun], changed: [...changed] };
}

async function writeChanges(
  db: Transaction<Database>,
  revision: number,
  from: number,
  changes: readonly Change[],
): Promise<void> {
  const rows = changes.map(
    ({ owner, kind, name, before, after }, index): RevisionChangeRow => ({
      revision,
      position: from + index,
      owner,
      kind,
      name,
      before: toJson(before),
      after: toJson(after),
    }),
  );
  await db.insertInto('revision_changes').values(rows).execute();
  const gone = changes.filter(({ after }) => after === undefined);
  for (const [kind, ofKind] of Map.groupBy(gone, (change) => change.kind)) {
    for (const [owner, ofOwner] of Map.groupBy(ofKind, (change) => change.owner)) {
      await db
        .deleteFrom('config_entries')
        .where('kind', '=', kind)
        .where('owner', '=', owner)
        .where(
          'name',
          'in',
          ofOwner.map(({ name }) => name),
        )
        .execute();
    }
  }
  const set = changes.flatMap(({ owner, kind, name, after }): ConfigEntryRow[] =>
    after === undefined ? [] : [{ kind, name, owner, value: JSON.stringify(after), revision }],
  );
  if (set.length === 0) return;
  await db
    .insertInto('config_entries')
    .values(set)
    .onConflict((conflict) =>
      conflict.columns(['kind', 'name']).doUpdateSet(({ ref }) => ({
        owner: ref('excluded.owner'),
        value: ref('excluded.value'),
      })),
    )
    .execute();
}

function toJson(value: JsonValue | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** Only what `toJson` wrote is read. */
function fromJson(text: string | null): JsonValue | undefined {
  return text === null ? undefined : (JSON.parse(text) as JsonValue);
}

type ListedEntries = Pick<ConfigEntryRow, 'kind' | 'owner'> & { names: string; values: string };

function readEntries({ kind, owner, names, values }: ListedEntries): OwnedEntry[] {
  const listed = names.split('\n');
  const parsed = JSON.parse(`[${values}]`) as JsonValue[];
  if (listed.length !== parsed.length)
    throw new Error(`the store has ${kind} with names that hold a line's end`);
  return parsed.map((value, index) => ({ owner, kind, name: listed[index] ?? '', value }));
}

function readChange({ owner, kind, name, before, after }: RevisionChangeRow): Change {
  return { owner, kind, name, before: fromJson(before), after: fromJson(after) };
}

function readRevision({ number, created_at, author, source, change_count }: RevisionRow): Revision {
  return {
    number: Number(number),
    createdAt: Number(created_at),
    author,
    source,
    changeCount: Number(change_count),
  };
}
