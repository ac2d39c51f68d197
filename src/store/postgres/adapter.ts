import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';

/** Gives Kysely a pool of `pg` that lets go of connections which failed, and writes texts that PostgreSQL can hold. */
export function adaptPool(pool: pg.Pool): PostgresPool {
  return {
    options: pool.options,
    connect: async () => adaptClient(await pool.connect()),
    end: () => pool.end(),
  };
}

function adaptClient(client: pg.PoolClient): PostgresPoolClient {
  let isBroken = false;
  async function query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    try {
      const result = await client.query(sql, parameters.map(toStorable));
      return result as unknown as PostgresQueryResult<R>;
    } catch (error) {
      // Anything but the server's own word: who knows what is still to come on this connection (the answer to a
      // query that timed out).
      isBroken ||= !(error instanceof pg.DatabaseError);
      throw error;
    }
  }
  return {
    query: query as PostgresPoolClient['query'],
    release: (destroy = false) => client.release(destroy || isBroken),
  };
}

/** PostgreSQL's texts cannot hold U+0000, which clients can write into names. It becomes U+FFFD, also where it is looked for. */
function toStorable(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
}
