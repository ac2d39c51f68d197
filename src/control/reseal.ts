import type { Finding } from '../config/finding.ts';
import { formatPath } from '../config/path.ts';
import { invalidRequest } from '../conversation/gateway-error.ts';
import type { Change } from './change.ts';
import type { Layers } from './layers.ts';
import type { Vault } from './veil.ts';

/**
 * What must change so that every entry is encrypted under the newest secret; whoever owns it keeps it.
 *
 * @throws GatewayError `invalid_request` where there is no secret, or where one that something is encrypted under is not here
 */
export function resealAll(layers: Layers, vault: Vault): Change[] {
  if (!vault.seals) {
    throw invalidRequest(
      'There is no secret to encrypt with: set FAIRLEAD_SECRET in the environment of every instance, and the secret before as FAIRLEAD_SECRET_PREVIOUS.',
      undefined,
      'no_secret',
    );
  }
  const findings: Finding[] = [];
  const changes = layers
    .kinds()
    .flatMap((kind) => layers.ofKind(kind))
    .flatMap((entry): Change[] => {
      const { owner, kind, name, value } = entry;
      const after = vault.reseal(entry, findings);
      return after === value ? [] : [{ owner, kind, name, before: value, after }];
    });
  const [missing] = findings;
  if (!missing) return changes;
  const path = formatPath(missing.path);
  throw invalidRequest(`'${path}' ${missing.message}.`, path, 'secret_missing');
}
