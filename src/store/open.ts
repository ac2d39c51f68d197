import { openSqliteStore } from './sqlite/open.ts';
import type { OpenOptions, Store } from './store.ts';

type Opener = (location: string, options: OpenOptions) => Promise<Store>;

const OPENERS = new Map<string, Opener>([
  ['sqlite', openSqliteStore],
  ['postgres', refusePostgres],
  ['postgresql', refusePostgres],
]);

/**
 * Opens the store that a URL names and brings its tables up to date.
 * `sqlite:PATH` (relative to the working directory, or absolute) or `sqlite::memory:`.
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<Store> {
  const colon = url.indexOf(':');
  const open = OPENERS.get(url.slice(0, Math.max(colon, 0)));
  // The URL itself may hold a password: it is in no message.
  if (!open) throw new Error("The store's URL must be sqlite:PATH, for example sqlite:./data/fairlead.db.");
  return open(url.slice(colon + 1), options);
}

function refusePostgres(): Promise<never> {
  return Promise.reject(
    new Error(
      'PostgreSQL is not supported yet. Set the store to sqlite:PATH, e.g. sqlite:./data/fairlead.db.',
    ),
  );
}
