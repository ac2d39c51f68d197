import type { Config } from './config/resolve.ts';
import type { AdminKey } from './http/admin/admin-doors.ts';
import { type HashedKey, hashOf, hashSecret } from './tenants/keys.ts';
import { listSecrets } from './upstream/secrets.ts';

export function hasTenants({ tenants }: Config): boolean {
  return Object.keys(tenants).length > 0;
}

/** Whether somebody is configured who may do everything in the admin API. */
export function hasOwner({ adminKey, adminKeys }: Config, now: number): boolean {
  const isOwner = ({ role, expires }: Config['adminKeys'][string]) =>
    role === 'owner' && (expires === undefined || expires > now);
  return adminKey !== undefined || Object.values(adminKeys).some(isOwner);
}

/** The key of the environment, or else those that the gateway made (until they are revoked), and those of the configuration. */
export function compileAdminKeys(config: Config, made: readonly HashedKey[]): AdminKey[] {
  const { adminKey } = config;
  const first: AdminKey[] =
    adminKey === undefined
      ? made.map((key) => ({ ...key, role: 'owner' }))
      : [{ hash: hashSecret(adminKey), key: 'environment', role: 'owner' }];
  const configured = Object.entries(config.adminKeys).flatMap(
    ([key, { role, previous, expires, ...secret }]) => {
      const current: AdminKey = {
        hash: hashOf(secret),
        key,
        role,
        ...(expires !== undefined && { expiresAt: expires }),
      };
      if (!previous) return [current];
      const expiresAt = Math.min(previous.until, expires ?? Number.POSITIVE_INFINITY);
      return [current, { ...current, hash: previous.secretHash, expiresAt }];
    },
  );
  return [...first, ...configured];
}

/** What no log may hold, of what takes a restart to change. */
export function instanceSecrets(config: Config): string[] {
  const { state } = config;
  return listSecrets([
    readPassword(storeUrl(config)),
    state.kind === 'redis' ? readPassword(state.url) : undefined,
  ]);
}

/** The password of a database's URL. */
function readPassword(url: string): string | undefined {
  return URL.canParse(url) ? decodeURIComponent(new URL(url).password) || undefined : undefined;
}

export function storeUrl({ store }: Config): string {
  return store.kind === 'sqlite' ? `sqlite:${store.path}` : store.url;
}
