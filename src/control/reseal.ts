import { invalidRequest } from '../conversation/gateway-error.ts';
import type { Change } from './change.ts';
import type { Layers } from './layers.ts';
import type { Vault } from './veil.ts';

/**
 * What must change so that every entry is encrypted under the newest secret; whoever owns it keeps it.
 *
 * @throws GatewayError `invalid_request` where there is no secret
 */
export function resealAll(layers: Layers, vault: Vault): Change[] {
  if (!vault.seals) {
    throw invalidRequest(
      'There is no secret to encrypt with: set FAIRLEAD_SECRET in the environment of every instance, and the secret before as FAIRLEAD_SECRET_PREVIOUS.',
      undefined,
      'no_secret',
    );
  }
  return layers.ofKind('providers').flatMap(({ owner, kind, name, value }): Change[] => {
    const after = vault.reseal(name, value);
    return after === value ? [] : [{ owner, kind, name, before: value, after }];
  });
}
