import { type SqlBool, sql } from 'kysely';

/** Whether a row was noted for the tenant that has its name now. */
export function isOfThisTenant(table: 'responses' | 'upstream_objects' | 'access_requests') {
  const [tenant, createdAt] = [sql.ref(`${table}.tenant`), sql.ref(`${table}.created_at`)];
  return sql<SqlBool>`not exists (select 1 from tenant_ends where tenant_ends.tenant = ${tenant} and tenant_ends.ended_at >= ${createdAt})`;
}
