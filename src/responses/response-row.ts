import { isObject, tryParseJson } from '../conversation/json.ts';
import type { ResponseRow } from '../store/schema.ts';
import type { KeptResponse } from './kept-response.ts';

/** A kept response as a row of the store. */
export function toResponseRow(kept: KeptResponse): ResponseRow {
  const { id, tenant, life, key, createdAt, expiresAt, target } = kept;
  const row = { id, tenant, life, key, created_at: createdAt, expires_at: expiresAt, target };
  return kept.where === 'here'
    ? { ...row, account: null, input: kept.input, response: JSON.stringify(kept.response) }
    : { ...row, account: kept.account, input: null, response: null };
}

/** The other way. Throws where the row holds neither an account nor a response: none of ours is such. */
export function fromResponseRow(row: ResponseRow): KeptResponse {
  const { id, tenant, life, key, target, account, input } = row;
  const kept = { id, tenant, life, key, createdAt: row.created_at, expiresAt: row.expires_at, target };
  if (account !== null) return { ...kept, where: 'provider', account };
  const response = tryParseJson(row.response ?? '');
  if (input === null || !isObject(response)) throw new Error(`the stored response ${id} cannot be read`);
  return { ...kept, where: 'here', input, response };
}
