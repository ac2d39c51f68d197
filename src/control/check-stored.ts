import type { Kysely } from 'kysely';
import type { LoadedConfig } from '../config/load.ts';
import type { Database } from '../store/schema.ts';
import { diffEntries } from './change.ts';
import { inFileOrder, saysNothing, splitFile } from './config-file.ts';
import { CurrentConfig } from './current-config.ts';
import { RevisionStore } from './revision-store.ts';
import { findSalt, openSealer } from './sealer.ts';
import { Vault } from './veil.ts';

/** What this reads; a store that has less of it was written before there was anything to check. */
const TABLES = ['revisions', 'config_entries', 'sealing'];

/**
 * Holds the configuration that a store of an earlier version has, and the file, against what this version takes. Reads
 * only: where they do not fit, the earlier version can go on with the store.
 *
 * @throws ConfigError with all that is wrong
 */
export async function checkStored(
  db: Kysely<Database>,
  loaded: LoadedConfig,
  now: () => number,
): Promise<void> {
  const tables = new Set((await db.introspection.getTables()).map(({ name }) => name));
  if (!TABLES.every((table) => tables.has(table))) return;
  const revisions = new RevisionStore({ db });
  const { number, entries } = await revisions.readAll();
  if (number === 0) return;
  const salt = (await findSalt({ db })) ?? Buffer.alloc(0);
  const vault = new Vault(salt, openSealer(loaded.context.env, salt));
  const file = splitFile(loaded, vault);
  const compile = () => async () => undefined;
  const current = new CurrentConfig({ loaded, vault, now, compile, news: { tellOfIdle: () => undefined } });
  current.load(inFileOrder(entries, file.entries), number);
  const isKept = saysNothing(loaded) || (await revisions.isNewestFile(file.hash));
  const changes = isKept ? [] : diffEntries('file', current.layers.ofOwner('file'), file.entries);
  current.tryOut(changes, 'start');
}
