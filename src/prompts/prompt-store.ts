import type { Transaction } from 'kysely';
import type { PromptLabelRow, PromptVersionRow } from '../store/prompt-rows.ts';
import type { Database } from '../store/schema.ts';
import type { Store } from '../store/store.ts';
import type { PromptChange } from './deeds.ts';
import {
  NOWHERE,
  type PromptLabel,
  type PromptRecord,
  type PromptSources,
  type PromptState,
  type PromptVersion,
} from './versions.ts';

/** What was changed since some change. */
export interface PromptNews extends PromptChange {
  /** The last change that is in it for certain. */
  change: number;
}

/** As many rows are written, and names asked for, at a time: a statement has its most parameters. */
const ROWS_AT_ONCE = 200;

const COUNT = 1;

/** What the store knows of prompts. Changes are made one after another, over all instances. */
export class PromptStore {
  readonly #db: Store['db'];

  constructor({ db }: Pick<Store, 'db'>) {
    this.#db = db;
  }

  /** All that was changed after a change; `undefined` where nothing was. */
  async readAfter(change: number): Promise<PromptNews | undefined> {
    const row = await this.#db
      .selectFrom('prompt_changes')
      .select('change')
      .where('id', '=', COUNT)
      .executeTakeFirst();
    const last = Number(row?.change ?? 0);
    if (last === change) return undefined;
    const versions = await this.#db
      .selectFrom('prompt_versions')
      .selectAll()
      .where('change', '>', change)
      .execute();
    const labels = await this.#db
      .selectFrom('prompt_labels')
      .selectAll()
      .where('change', '>', change)
      .execute();
    // What was changed after `last` was read may be among them, and comes again.
    return { change: last, versions: versions.map(readVersion), labels: labels.map(readLabel) };
  }

  /** Changes prompts as `decide` says of each as it stands; what it throws changes nothing. Gives what was written. */
  async change(
    names: readonly string[],
    decide: (name: string, record: PromptRecord | undefined) => PromptChange,
  ): Promise<PromptChange> {
    return this.#db.transaction().execute(async (db) => {
      // First of all, for it keeps others out.
      const change = await countChange(db);
      const records = await readRecords(db, names);
      const written: PromptChange = { versions: [], labels: [] };
      for (const name of names) {
        const { versions, labels } = decide(name, records.get(name));
        for (const version of versions) written.versions.push(version);
        for (const label of labels) written.labels.push(label);
      }
      await writeVersions(db, written.versions, change);
      await writeLabels(db, written.labels, change);
      return written;
    });
  }
}

async function countChange(db: Transaction<Database>): Promise<number> {
  const { change } = await db
    .insertInto('prompt_changes')
    .values({ id: COUNT, change: 1 })
    .onConflict((conflict) =>
      conflict.column('id').doUpdateSet((row) => ({ change: row('prompt_changes.change', '+', 1) })),
    )
    .returning('change')
    .executeTakeFirstOrThrow();
  return Number(change);
}

async function readRecords(
  db: Transaction<Database>,
  names: readonly string[],
): Promise<Map<string, PromptRecord>> {
  const records = new Map<string, PromptRecord>();
  for (const some of inParts(names)) {
    const versions = await db
      .selectFrom('prompt_versions')
      .selectAll()
      .where('name', 'in', some)
      .orderBy('number')
      .execute();
    const labels = await db.selectFrom('prompt_labels').selectAll().where('name', 'in', some).execute();
    mergeNews(records, { versions: versions.map(readVersion), labels: labels.map(readLabel) });
  }
  return records;
}

/** Adds to what is known of prompts what is new; records are replaced, not changed. Gives the names of those. */
export function mergeNews(
  records: Map<string, PromptRecord>,
  { versions, labels }: PromptChange,
): Set<string> {
  const changed = new Map<
    string,
    { versions: Map<number, PromptVersion>; labels: Map<string, PromptLabel> }
  >();
  const open = (name: string) => {
    const known = changed.get(name);
    if (known) return known;
    const record = records.get(name);
    const opened = {
      versions: new Map(record?.versions.map((version) => [version.number, version])),
      labels: new Map(record?.labels),
    };
    changed.set(name, opened);
    return opened;
  };
  for (const version of versions) open(version.name).versions.set(version.number, version);
  for (const label of labels) {
    const { labels: known } = open(label.name);
    if (label.number === NOWHERE) known.delete(label.label);
    else known.set(label.label, label);
  }
  for (const [name, { versions, labels }] of changed) {
    const inOrder = [...versions.values()].toSorted((a, b) => a.number - b.number);
    records.set(name, { name, versions: inOrder, labels });
  }
  return new Set(changed.keys());
}

async function writeVersions(
  db: Transaction<Database>,
  versions: readonly PromptVersion[],
  change: number,
): Promise<void> {
  for (const some of inParts(versions)) {
    await db
      .insertInto('prompt_versions')
      .values(some.map((version) => writeVersion(version, change)))
      .onConflict((conflict) =>
        conflict.columns(['name', 'number']).doUpdateSet((row) => ({
          state: row.ref('excluded.state'),
          state_at: row.ref('excluded.state_at'),
          retires_at: row.ref('excluded.retires_at'),
          successor: row.ref('excluded.successor'),
          change: row.ref('excluded.change'),
        })),
      )
      .execute();
  }
}

async function writeLabels(
  db: Transaction<Database>,
  labels: readonly PromptLabel[],
  change: number,
): Promise<void> {
  for (const some of inParts(labels)) {
    await db
      .insertInto('prompt_labels')
      .values(some.map(({ movedAt, ...label }) => ({ ...label, moved_at: movedAt, change })))
      .onConflict((conflict) =>
        conflict.columns(['name', 'label']).doUpdateSet((row) => ({
          number: row.ref('excluded.number'),
          moved_at: row.ref('excluded.moved_at'),
          author: row.ref('excluded.author'),
          change: row.ref('excluded.change'),
        })),
      )
      .execute();
  }
}

function inParts<T>(list: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let from = 0; from < list.length; from += ROWS_AT_ONCE)
    parts.push(list.slice(from, from + ROWS_AT_ONCE));
  return parts;
}

function writeVersion(version: PromptVersion, change: number): PromptVersionRow {
  const { name, number, hash, sources, state, stateAt, retiresAt, successor, createdAt, author } = version;
  return {
    ...{ name, number, hash, state, author, change },
    sources: JSON.stringify(sources),
    state_at: stateAt,
    retires_at: retiresAt ?? null,
    successor: successor ?? null,
    created_at: createdAt,
  };
}

function readVersion(row: PromptVersionRow): PromptVersion {
  const { name, number, hash, author, successor } = row;
  return {
    ...{ name, hash, author, number: Number(number) },
    sources: JSON.parse(row.sources) as PromptSources,
    state: row.state as PromptState,
    stateAt: Number(row.state_at),
    retiresAt: row.retires_at === null ? undefined : Number(row.retires_at),
    successor: successor ?? undefined,
    createdAt: Number(row.created_at),
  };
}

function readLabel({ name, label, number, moved_at, author }: PromptLabelRow): PromptLabel {
  return { name, label, number: Number(number), movedAt: Number(moved_at), author };
}
