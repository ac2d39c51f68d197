import { GatewayError } from '../conversation/gateway-error.ts';
import type { Change } from './change.ts';
import { entryId } from './entry.ts';

const MOST_NAMED = 20;

/** @throws GatewayError where changes that a restore would make let keys in that were revoked */
export function refuseRevokedKeys(changes: readonly Change[]): void {
  const revived = changes.filter(
    ({ kind, before, after }) =>
      (kind === 'keys' || kind === 'adminKeys') && before === undefined && after !== undefined,
  );
  if (revived.length === 0) return;
  const names = revived.slice(0, MOST_NAMED).map((change) => entryId(change));
  const more = revived.length > MOST_NAMED ? ` and ${revived.length - MOST_NAMED} more` : '';
  throw new GatewayError(
    'invalid_request',
    `Keys that were revoked since would be valid again: ${names.join(', ')}${more}. Send {"withRevokedKeys": true} to restore them, too.`,
    { status: 409, code: 'revoked_keys', param: 'withRevokedKeys' },
  );
}
