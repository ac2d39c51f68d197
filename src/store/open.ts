import { openSqliteStore } from './sqlite/open.ts';
import type { OpenOptions, Store } from './store.ts';

/** Opens what stands behind the URL's scheme and colon. */
type Opener = (location: string, options: OpenOptions) => Promise<Store>;

/** Most gateways need no client of PostgreSQL: it is loaded where one does. */
const openPostgres: Opener = async (location, options) => {
  const { openPostgresStore } = await import('./postgres/open.ts');
  return openPostgresStore(location, options);
};

const OPENERS = new Map<string, Opener>([
  ['sqlite', openSqliteStore],
  ['postgres', openPostgres],
  ['postgresql', openPostgres],
]);

/**
 * Opens the store that a URL names and brings its tables up to date.
 * `sqlite:PATH` (relative to the working directory, or absolute), `sqlite::memory:` or `postgres://…`.
 */
export async function openStore(url: string, options: OpenOptions = {}): Promise<Store> {
  const colon = url.indexOf(':');
  const open = OPENERS.get(url.slice(0, Math.max(colon, 0)));
  // The URL itself may hold a password: it is in no message.
  if (!open) {
    throw new Error(
      "The store's URL must be sqlite:PATH, for example sqlite:./data/fairlead.db, or postgres://USER:PASSWORD@HOST/DATABASE.",
    );
  }
  return open(url.slice(colon + 1), options);
}
