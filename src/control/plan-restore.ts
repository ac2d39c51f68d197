import { GatewayError } from '../conversation/gateway-error.ts';
import type { Plan } from './behind.ts';
import { undoChanges } from './change.ts';
import type { RevisionStore } from './revision-store.ts';
import { refuseRevokedKeys } from './revoked-keys.ts';

/**
 * Plans to bring everything back to what it was at a revision.
 *
 * @param now Unix milliseconds
 * @throws GatewayError `not_found`; the plan `invalid_request` where secrets that were revoked would be valid again
 */
export async function planRestore(
  revisions: Pick<RevisionStore, 'find' | 'changesBetween'>,
  number: number,
  { withRevokedKeys, now }: { withRevokedKeys: boolean; now: () => number },
): Promise<Plan> {
  if (number < 1 || !(await revisions.find(number))) {
    throw new GatewayError('not_found', `There is no revision ${number}.`, { code: 'revision_not_found' });
  }
  return async (layers, newest) => {
    const history = await revisions.changesBetween(number, newest);
    const changes = undoChanges(history, (kind, name) => layers.find(kind, name));
    if (!withRevokedKeys) refuseRevokedKeys(changes, now());
    return changes;
  };
}
