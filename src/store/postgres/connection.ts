import pg from 'pg';

/** Node's 8-byte integers and sums of them come as text from `pg`; all of ours are far below 2^53. */
const NUMBERS: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

/** How long it may take to get a connection, from the pool or a new one. */
const CONNECT_TIMEOUT_MS = 5_000;
/** A database that does not answer for so long counts as failed: who waits for it is told, who writes tries again. */
const QUERY_TIMEOUT_MS = 10_000;

export interface PoolBounds {
  connections: number;
  /** False: a query may take as long as it takes (migrations). */
  hurried: boolean;
}

/** @throws where the URL is none, without telling what stands in it */
export function makePool(url: string, bounds: PoolBounds): pg.Pool {
  const pool = new pg.Pool({
    ...readUrl(url),
    application_name: 'fairlead',
    max: bounds.connections,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(bounds.hurried && { query_timeout: QUERY_TIMEOUT_MS }),
    types: { getTypeParser },
  });
  // An idle connection that breaks is replaced when it is needed; if that fails, whoever needs it is told.
  pool.on('error', () => undefined);
  // So is whoever holds one when it breaks, at its next query.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Where a database is, in words that hold no password. */
export function describePlace(url: string): { place: string; user: string; database: string } {
  const { host, port, user = '', database = '' } = new pg.Client(readUrl(url));
  return { place: `${database} at ${host}:${port}`, user, database };
}

function readUrl(url: string): pg.ClientConfig {
  try {
    // Parsed here, to see whether it can be.
    new pg.Client({ connectionString: url });
  } catch {
    // The reason may quote the URL and with it the password.
    throw new Error(
      "The store's URL cannot be read. It must be postgres://USER:PASSWORD@HOST:PORT/DATABASE, with special characters of the password written as in URLs (%40 for @).",
    );
  }
  return { connectionString: url };
}

function getTypeParser(oid: number, format?: 'text' | 'binary') {
  return NUMBERS.has(oid) ? Number : pg.types.getTypeParser(oid, format);
}
