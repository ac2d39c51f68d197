import type { Log } from './gateway/gateway.ts';
import type { MadeKeys } from './tenants/made-keys.ts';

/** The first tenant that is configured ends the key of the first start for good. Where the store does not hear of it, it is to be told again. */
export async function endFirstTenantKey(made: Pick<MadeKeys, 'endTenantKeys'>, log: Log): Promise<void> {
  try {
    await made.endTenantKeys();
    log.info(
      { event: 'first_key_ended' },
      'there is a tenant: the key of the first start is not valid any more',
    );
  } catch (err) {
    log.error(
      { event: 'first_key_not_ended', err },
      'the key of the first start could not be taken out of the store',
    );
  }
}
