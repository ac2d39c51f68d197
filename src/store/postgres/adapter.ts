import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from 'kysely';
import pg from 'pg';
import { GatewayError } from '../../conversation/gateway-error.ts';

/** Gives Kysely a pool of `pg` that lets go of connections which failed, and writes texts that PostgreSQL can hold. `translate`: its errors into ours. */
export function adaptPool(pool: pg.Pool, translate: (error: unknown) => unknown): PostgresPool {
  const connect = async () => {
    try {
      return adaptClient(await pool.connect(), translate);
    } catch (error) {
      throw translate(error);
    }
  };
  return {
    options: pool.options,
    connect,
    end: () => pool.end(),
  };
}

function adaptClient(client: pg.PoolClient, translate: (error: unknown) => unknown): PostgresPoolClient {
  let isBroken = false;
  async function query<R>(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<R>> {
    try {
      const result = await client.query(sql, parameters.map(toStorable));
      return result as unknown as PostgresQueryResult<R>;
    } catch (error) {
      // Anything but the server's own word: who knows what is still to come on this connection (the answer to a
      // query that timed out).
      isBroken ||= !(error instanceof pg.DatabaseError);
      throw translate(error);
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

/** SQLSTATEs of a server that is stopping, starting, full or failing over: classes 08, 53 and 57P, and 25006. */
const AWAY = /^(?:08|53|57P|25006)/;

/** What a caller is told when the database is away: that it is, and to come back. Other errors stay what they are. */
export function tellAway(error: unknown): unknown {
  if (error instanceof pg.DatabaseError && !AWAY.test(error.code ?? '')) return error;
  return new GatewayError('overloaded', "The gateway's database does not answer; try again in a moment.", {
    retryAfterMs: 1_000,
    cause: error,
  });
}
