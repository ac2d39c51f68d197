import { parseDate } from '../config/units.ts';
import { GatewayError } from '../conversation/gateway-error.ts';
import { isObject, type JsonValue } from '../conversation/json.ts';
import type { Change } from './change.ts';
import { entryId } from './entry.ts';

const MOST_NAMED = 20;

/**
 * @param now Unix milliseconds
 * @throws GatewayError where changes that a restore would make let secrets in that were revoked: their key is gone, has
 *   another secret since, or ends earlier
 */
export function refuseRevokedKeys(changes: readonly Change[], now: number): void {
  const revived = changes.filter(
    ({ kind, before, after }) =>
      (kind === 'keys' || kind === 'adminKeys') && isRevived(readSecrets(before), readSecrets(after), now),
  );
  if (revived.length === 0) return;
  const names = revived.slice(0, MOST_NAMED).map((change) => entryId(change));
  const more = revived.length > MOST_NAMED ? ` and ${revived.length - MOST_NAMED} more` : '';
  throw new GatewayError(
    'invalid_request',
    `Secrets that were revoked, replaced or ended since would be valid again, of these keys: ${names.join(', ')}${more}. Send {"withRevokedKeys": true} to restore them, too.`,
    { status: 409, code: 'revoked_keys', param: 'withRevokedKeys' },
  );
}

/** Whether a key lets a secret in, for some time, that it does not when it has become another. */
export function endsSecrets(before: JsonValue | undefined, after: JsonValue | undefined): boolean {
  return isRevived(readSecrets(after), readSecrets(before), Number.NEGATIVE_INFINITY);
}

/** Until when each secret is let in, Unix milliseconds; text where only the environment knows it. */
type Secrets = ReadonlyMap<string, number | string>;

/** Of a key as it is stored: its secret, and the one before while that is still valid. A placeholder is a secret by its text. */
function readSecrets(key: JsonValue | undefined): Secrets {
  const secrets = new Map<string, number | string>();
  if (!isObject(key)) return secrets;
  const { secret, secretHash, previous, expires } = key;
  const end = readEnd(expires);
  secrets.set(JSON.stringify([secret, secretHash]), end);
  if (isObject(previous)) {
    const until = readEnd(previous['until']);
    const isBoth = typeof until === 'number' && typeof end === 'number';
    secrets.set(JSON.stringify([undefined, previous['secretHash']]), isBoth ? Math.min(until, end) : until);
  }
  return secrets;
}

function readEnd(expires: JsonValue | undefined): number | string {
  if (typeof expires !== 'string') return Number.POSITIVE_INFINITY;
  return parseDate(expires) ?? expires;
}

function isRevived(now: Secrets, restored: Secrets, at: number): boolean {
  return [...restored].some(([secret, end]) => {
    const current = now.get(secret);
    if (end === current || (typeof end === 'number' && end <= at)) return false;
    if (typeof end === 'string' || typeof current === 'string') return true;
    return current === undefined || end > current;
  });
}
